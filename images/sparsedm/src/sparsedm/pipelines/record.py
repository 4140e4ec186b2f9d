"""Records what a dense pipeline calls its denoiser with, and what that returns, while it draws after prompts.

    DIR/settings.json          what is recorded, written first: another recording is not mixed with it
        shard-00000.safetensors, shard-00000.json    tensors by their digest; the calls, as trees of them
        images/00000.png       of the first trajectories, for the eye
        recording.json         written last: a folder that has it is whole

Nothing of an architecture is known here: a hook around the denoiser's forward sees the arguments, bound to
their names, and the output. A tensor that several calls have in common (the text's features, positions, a
negative prompt) is kept once in a file. A shard that is whole is never recorded again.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn

from sparsedm.errors import InputError
from sparsedm.files import file_sha256, json_digest, write_atomically
from sparsedm.measure.evaluator import image_seeds
from sparsedm.pipelines.call import Drawing, call_arguments, called, check_callable, check_size
from sparsedm.pipelines.folder import PipelineFolder, cast
from sparsedm.pipelines.tree import keys, tensors_of, to_tree

SETTINGS_FILE, INDEX_FILE, IMAGES_FOLDER = "settings.json", "recording.json", "images"
SCHEMA_VERSION = 1
SHARD_BYTES = 256 * 2**20
PICTURES = 8
"""Trajectories that are drawn to their end, as a PNG each. The others end as latents."""
_STREAM = 1
"""Of image_seeds: recorded trajectories share no seed with those that are measured."""


@dataclass(frozen=True)
class Order:
    """What is to be recorded: `calls` of each trajectory, one trajectory of each prompt. Those before `first`
    are recorded elsewhere: none shares a seed with them."""

    prompts: Sequence[str]
    drawing: Drawing
    calls: int
    seed: int
    first: int = 0

    def settings(self, folder: PipelineFolder, sha256: str, dtype: torch.dtype) -> dict[str, Any]:
        return {
            "schemaVersion": SCHEMA_VERSION,
            "pipeline": folder.pipeline,
            "denoiser": folder.denoiser,
            "class": folder.class_name,
            "denoiserSha256": sha256,
            "dtype": str(dtype).removeprefix("torch."),
            **asdict(self.drawing),
            "trajectories": len(self.prompts),
            "promptsDigest": json_digest({"prompts": list(self.prompts)}),
            "callsPerTrajectory": self.calls,
            "seed": self.seed,
            **({"first": self.first} if self.first else {}),
        }

    def seeds(self) -> list[int]:
        return image_seeds(self.seed, _STREAM, self.first + len(self.prompts))[self.first :]


@dataclass(frozen=True)
class Call:
    """`arguments` by name, and what the dense denoiser returned on them. A call that several were joined to
    has their rows one after the other."""

    arguments: dict[str, Any]
    output: Any

    @property
    def rows(self) -> int:
        return next(tensors_of(self.output)).shape[0]


@dataclass(frozen=True)
class Size:
    """Known from the first trajectory: calls of the denoiser in one, bytes that are kept of one, and
    trajectories in a file."""

    calls: int
    trajectory_bytes: int
    per_shard: int

    def sentence(self, trajectories: int, kept: int) -> str:
        total = self.trajectory_bytes * trajectories / 2**20
        files = -(-trajectories // self.per_shard)
        return (
            f"Recording {trajectories:,} trajectories of {self.calls} calls, {min(kept, self.calls)} of "
            f"each kept: about {total:,.1f} MiB in {files:,} file{'s' if files > 1 else ''}."
        )


class Hook:
    """Sees the calls of a module while it is `attached`, and keeps those whose number `wanted` holds; all
    where it is None."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._signature = inspect.signature(type(module).forward)
        self._arguments: Any = None

    @contextmanager
    def attached(self, wanted: Collection[int] | None) -> Iterator[list[tuple[int, dict[str, Any], Any]]]:
        """Gives the list of (number, arguments, output), on the CPU; `count` is the number of all calls."""
        kept: list[tuple[int, dict[str, Any], Any]] = []
        self.count = 0

        def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if wanted is None or self.count in wanted:
                # Kept before the call, which may change them in place.
                self._arguments = _copied(self._named(args, kwargs))

        def after(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            if wanted is None or self.count in wanted:
                kept.append((self.count, self._arguments, _copied(first_output(output))))
            self.count += 1

        hooks = [
            self.module.register_forward_pre_hook(before, with_kwargs=True),
            self.module.register_forward_hook(after, with_kwargs=True),
        ]
        try:
            yield kept
        finally:
            for hook in hooks:
                hook.remove()

    def _named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        bound = dict(self._signature.bind_partial(None, *args, **kwargs).arguments)
        bound.pop("self", None)
        for name, parameter in self._signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                bound |= bound.pop(name, {})
        return bound


def first_output(output: Any) -> Any:
    """What a denoiser predicts: the first of what it returns, in whatever form."""
    if isinstance(output, Tensor):
        return output
    return output[0]


class Recorder:
    """`say` is told the size before the work starts. `on_trajectory` is called after each, with the number
    of calls that it took; what it raises ends the recording, which goes on at the first shard that is not
    whole. Where there is a `student` it draws the trajectories, and kept is what the dense denoiser returns
    on its calls."""

    def __init__(
        self,
        folder: PipelineFolder,
        order: Order,
        out: Path,
        dtype: torch.dtype,
        device: torch.device,
        sha256: str,
        staging: Path | None = None,
        say: Callable[[str], None] = lambda sentence: None,
        on_trajectory: Callable[[int], None] = lambda calls: None,
        student: nn.Module | None = None,
    ) -> None:
        self.order, self.out, self.staging = order, out, staging
        self.say, self.on_trajectory = say, on_trajectory
        self.settings = order.settings(folder, sha256, dtype)
        self.pipeline = folder.open(dtype, device, None if student is None else cast(student, dtype))
        check_callable(self.pipeline, order.drawing)
        self.hook = Hook(getattr(self.pipeline, folder.denoiser))
        self.seeds, self.device = order.seeds(), device
        self._dense = None
        if student is not None:
            self._dense = cast(folder.load_denoiser()[0], dtype).to(device).eval()

    def run(self) -> dict[str, Any]:
        """Returns what recording.json holds. Raises InputError where the folder has another recording, an
        argument can't be kept, or the volume is too small."""
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / IMAGES_FOLDER).mkdir(exist_ok=True)
        size = self._size()
        count = len(self.order.prompts)
        self.say(size.sentence(count, self.order.calls))
        starts = range(0, count, size.per_shard)
        self._check_room(size, count)
        shards = [
            self._shard(number, range(start, min(start + size.per_shard, count)), size)
            for number, start in enumerate(starts)
        ]
        index = {**self.settings, "callsOfATrajectory": size.calls, "shards": shards}
        self._write(self.out / INDEX_FILE, _json(index))
        return index

    def _size(self) -> Size:
        """Of an earlier attempt, or measured on the first trajectory, all of whose calls are seen once."""
        path = self.out / SETTINGS_FILE
        if path.exists():
            found = json.loads(path.read_text())
            if found["settings"] != self.settings:
                raise InputError(
                    "OutputInUse",
                    f"{self.out} holds a recording with other settings: choose another folder, or empty it.",
                )
            return Size(**found["size"])
        size, _ = self.first()
        self._write(path, _json({"settings": self.settings, "size": asdict(size)}))
        return size

    def first(self) -> tuple[Size, Call]:
        """What the first trajectory tells, and its first call. Nothing is written."""
        kept, calls = self._trajectory(0, None)
        chosen = self.chosen(0, calls)
        tensors, _ = self._packed(0, [call for call in kept if call[0] in chosen])
        each = sum(tensor.nbytes for tensor in tensors.values())
        _, arguments, output = kept[0]
        return Size(calls, each, max(1, SHARD_BYTES // max(1, each))), Call(arguments, output)

    def chosen(self, trajectory: int, calls: int) -> list[int]:
        """Numbers of the calls that are kept: one, by chance, of each of equal spans of the trajectory."""
        spans = min(self.order.calls, calls)
        draws = np.random.default_rng([self.order.seed, self.order.first + trajectory]).random(spans)
        return [int((span + draw) * calls / spans) for span, draw in enumerate(draws)]

    def _check_room(self, size: Size, count: int) -> None:
        there = sum(path.stat().st_size for path in self.out.glob("shard-*.safetensors"))
        needed, free = size.trajectory_bytes * count - there, shutil.disk_usage(self.out).free
        if needed > free:
            raise InputError(
                "VolumeTooSmall",
                f"The recording takes {needed / 2**20:,.0f} MiB more, and {self.out} has "
                f"{free / 2**20:,.0f} MiB: enlarge the volume, or lower dataset.samples or "
                "dataset.callsPerTrajectory.",
            )

    def _shard(self, number: int, trajectories: range, size: Size) -> dict[str, Any]:
        """The entry of the index."""
        path = self.out / f"shard-{number:05d}.safetensors"
        described = path.with_suffix(".json")
        if not (path.exists() and described.exists()):
            tensors: dict[str, Tensor] = {}
            calls: list[dict[str, Any]] = []
            for trajectory in trajectories:
                kept, _ = self._trajectory(trajectory, self.chosen(trajectory, size.calls))
                more, found = self._packed(trajectory, kept)
                tensors |= more
                calls += found
                self.on_trajectory(size.calls)
            self._write(path, save(dict(sorted(tensors.items()))))
            self._write(described, _json({"calls": calls}))
        else:
            for _ in trajectories:
                self.on_trajectory(0)
        count = len(json.loads(described.read_text())["calls"])
        return {"file": path.name, "calls": count, "sha256": file_sha256(path)}

    def _trajectory(
        self, number: int, wanted: Collection[int] | None
    ) -> tuple[list[tuple[int, dict[str, Any], Any]], int]:
        """The kept calls, and how many there were."""
        order = self.order
        picture = number < PICTURES and wanted is not None
        arguments = call_arguments(
            self.pipeline, [order.prompts[number]], [self.seeds[number]], order.drawing
        )
        with self.hook.attached(wanted) as kept, torch.no_grad():
            images = called(self.pipeline, arguments, "pil" if picture else "latent")
            if self._dense is not None:
                kept = [(place, told, self._answer(told)) for place, told, _ in kept]
        if picture:
            check_size(self.pipeline, images[0].size, order.drawing)
            data = io.BytesIO()
            images[0].save(data, "PNG")
            self._write(self.out / IMAGES_FOLDER / f"{number:05d}.png", data.getvalue())
        return kept, self.hook.count

    def _answer(self, arguments: dict[str, Any]) -> Any:
        """Of the dense denoiser."""
        assert self._dense is not None
        return _copied(first_output(self._dense(**_copied(arguments, self.device))))

    def _packed(
        self, trajectory: int, kept: Sequence[tuple[int, dict[str, Any], Any]]
    ) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
        """Tensors by digest, and the calls with their digests in place of them."""
        tensors: dict[str, Tensor] = {}

        def keep(tensor: Tensor) -> str:
            key = digest_of(tensor)
            tensors[key] = tensor
            return key

        calls = []
        for number, arguments, output in kept:
            try:
                told = to_tree(arguments, keep, "")["dict"]
                returned = to_tree(output, keep, "output")
            except TypeError as error:
                raise InputError(
                    "ModelUnsupported",
                    f"model.pretrained.uri: {self.settings['class']} is called with what can't be recorded "
                    f"({str(error).removeprefix('.')}): choose another pipeline.",
                ) from error
            bad = [key for key in keys(returned) if not torch.isfinite(tensors[key]).all()]
            if bad:
                raise InputError(
                    "PretrainedNotFinite",
                    f"The dense denoiser returns NaN or infinity in {self.settings['dtype']}, in call "
                    f"{number} for the prompt {self.order.prompts[trajectory]!r}: write training.precision: "
                    "fp32 or bf16.",
                )
            calls.append({"trajectory": trajectory, "call": number, "arguments": told, "output": returned})
        return tensors, calls

    def _write(self, path: Path, data: bytes) -> None:
        write_atomically(path, data, self.staging)


def digest_of(tensor: Tensor) -> str:
    """32 hexadecimal digits, of the type, the shape and the bytes."""
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
    digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]


def _copied(value: Any, device: torch.device | str = "cpu") -> Any:
    """With copies of all tensors."""
    if isinstance(value, Tensor):
        # A number that was expanded to one row has a stride of 0, which `contiguous` leaves.
        return value.detach().to(device).clone(memory_format=torch.contiguous_format)
    if isinstance(value, dict):
        return {name: _copied(part, device) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copied(part, device) for part in value)
    return value


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content) + "\n").encode()
