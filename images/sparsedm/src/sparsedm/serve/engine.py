"""The model in memory, ready to draw. One thread owns it from loading to the last image.

Images are drawn by `begin`, `advance` and `finish`: a batch is any images that are not finished, each at a
step of its own. It is padded to the next of a few sizes, its bucket, so that a lone image does not pay for a
full batch. The last digits of matrix products can depend on the shape: only with `deterministic`, which pads
every batch to `max_batch_size`, does an image depend on its own class, seed and steps alone. docs/serving.md
has the figures.
"""

from __future__ import annotations

import gc
import logging
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sparsedm.artifact.artifact import load_artifact, read_manifest
from sparsedm.artifact.canary import Canary, load_canary
from sparsedm.artifact.components import Components, load_components
from sparsedm.data.images import to_uint8
from sparsedm.diffusion.samplers import Row, advance, images_of, plan_of, prediction_of
from sparsedm.errors import ConfigError, InputError
from sparsedm.models import config_of
from sparsedm.models.precision import DTYPES
from sparsedm.runtime.device import limit_threads, pick_device
from sparsedm.serve.backend import (
    Choice,
    Situation,
    choose,
    demand,
    precision_on,
    put_sparse,
    restore_dense,
)
from sparsedm.serve.checks import check_canary, check_components, check_range, other_precision
from sparsedm.serve.config import SAMPLER, EngineSpec
from sparsedm.serve.gpu import check_device, is_out_of_memory, watched
from sparsedm.serve.kernels import ROWS
from sparsedm.serve.loading import Loading
from sparsedm.serve.prompts import Condition, Guidance
from sparsedm.serve.recording import Recorded
from sparsedm.serve.spoilt import Flat, NotFinite, Spoilt
from sparsedm.serve.tuning import Tuning, circumstances, tuning_folder

log = logging.getLogger("sparsedm.serve")

TEXTS_KEPT = 32
"""Encoded texts: the images of a request share theirs, and most requests the empty one."""
MEASURED_STEPS = 2
"""Steps in which the time of a bucket is measured."""


@dataclass(frozen=True)
class Measured:
    """Seconds of a step by its number of images, and the speed-up of full batches over dense."""

    seconds: Mapping[int, float]
    speedup: float


class Engine:
    """Build it with `load`, then call `warm_up` once before `draw`, all on one thread."""

    def __init__(
        self,
        model: nn.Module,
        manifest: dict[str, Any],
        spec: EngineSpec,
        device: torch.device,
        components: Components | None = None,
        canary: Canary | None = None,
    ) -> None:
        """canary: what training drew, None where the artifact has none."""
        self.manifest = manifest
        self.spec = spec
        self.device = device
        self.precision = precision_on(device, spec.precision)
        self.dtype = DTYPES[self.precision]
        self.config = config_of(model)
        self.places = spec.max_batch_size
        """Images that a batch holds: fewer than were asked for once memory has run out."""
        self._canary = canary
        self.choice: Choice | None = None
        self.measured: Measured | None = None
        self._model = model.to(device, self.dtype).eval().requires_grad_(False)
        check_range(self._model, self.precision)
        self._recorded = Recorded(self._model)
        self.components = components or Components()
        decode = self.components.autoencoder
        self._text = lru_cache(TEXTS_KEPT)(self._encode)
        drawn = (self.config.channels, self.config.image_size, self.config.image_size)
        self.image_shape: tuple[int, int, int] = (
            drawn if decode is None else tuple(decode(torch.zeros(1, *drawn)).shape[1:])
        )
        """(C, H, W) of the images; latents have another."""

    @classmethod
    def load(
        cls,
        directory: Path,
        spec: EngineSpec,
        sha256: str | None = None,
        device: torch.device | None = None,
        loading: Loading | None = None,
    ) -> Engine:
        """Checks the GPU, reads and verifies an artifact. Raises InputError or ConfigError."""
        limit_threads()
        device = device or pick_device()
        check_device(device)
        loading = loading or Loading()
        dtype = DTYPES[precision_on(device, spec.precision)]
        demand(spec.backend, Situation.here(device, dtype, str(read_manifest(directory).get("pattern"))))
        loading.enter("Reading")
        model, manifest = load_artifact(directory, on_read=loading.read)
        found = manifest["weights"]["sha256"]
        if sha256 is not None and found != sha256:
            raise InputError(
                "ModelDigestMismatch",
                f"The model in {directory} has digest {found}, not the expected {sha256}: it was replaced. "
                "Put the expected one back, correct spec.model.sha256 where you wrote one, or name a new "
                "SparseFinetune.",
            )
        config = config_of(model)
        components = load_components(directory, manifest, device)
        check_components(config, components)
        if spec.guidance not in (EngineSpec().guidance, 0.0) and not config.guidable:
            raise ConfigError(
                [
                    "engine.guidance must be absent: it needs a model that predicts with and without a "
                    "class, and this one does not."
                ]
            )
        engine = cls(model, manifest, spec, device, components, load_canary(directory, manifest))
        loading.end()
        return engine

    @property
    def image_size(self) -> int:
        """Height and width of the images in pixels."""
        return self.image_shape[-1]

    @property
    def classes(self) -> list[str] | None:
        return self.manifest["classes"]

    @property
    def rows(self) -> int:
        """Rows of each sparse product: tokens of a batch, doubled where guidance is part of it, filled up."""
        together = self.config.guidable and self.spec.guidance > 0 and not self.spec.deterministic
        doubled = 2 if together else 1
        tokens = self.places * doubled * self.config.tokens
        return tokens + -tokens % ROWS

    def warm_up(self, loading: Loading | None = None) -> Measured:
        """Chooses the backend by measuring, draws a canary, and returns how long steps take.

        Raises ConfigError for a backend that can't run, and InputError for a model that draws no images.
        """
        loading = loading or Loading()
        loading.enter("Measuring")
        layers = self.manifest["layers"]
        situation = Situation.here(self.device, self.dtype, self.manifest["pattern"])
        self._batch(steps=1)
        dense = self._batch() if situation.obstacle() is None and self.spec.backend != "dense" else None
        kept = Tuning(tuning_folder(), circumstances(self.device, self.dtype)) if dense is not None else None
        choice = choose(
            self.spec.backend, self._model, layers, situation, self.rows,
            tuning=kept, on_layer=loading.part,
        )  # fmt: skip
        if choice.sparse_layers:
            self._record_again()
        seconds = self._batch()
        if dense is not None and choice.sparse_layers and seconds > dense:
            restore_dense(self._model, choice)
            self._record_again()
            reason = f"Dense, because whole batches took {seconds / dense:.2f} times as long sparse."
            choice, seconds = Choice(reason, choice.total_layers), dense
        sparse = dense is not None and choice.sparse_layers > 0
        self.choice = choice
        loading.enter("WarmingUp")
        self.measured = Measured(self._each_bucket(seconds, loading), dense / seconds if sparse else 1.0)
        self._draw_canary()
        loading.end()
        return self.measured

    def _each_bucket(self, full: float, loading: Loading) -> dict[int, float]:
        """Seconds of a step in each bucket, measured in a few; `full`: those of a whole full batch."""
        seconds = {self.places: full / self.spec.steps}
        smaller = self.buckets[:-1]
        for done, images in enumerate(smaller, 1):
            self._batch(images, steps=1)
            seconds[images] = self._batch(images, MEASURED_STEPS) / MEASURED_STEPS
            loading.part(done, len(smaller))
        return seconds

    def fall_back(self, reason: str) -> Measured:
        """Dense products from here on, of the same masked weights. Call it after `warm_up`."""
        assert self.choice is not None, "warm_up comes first"
        assert self.measured is not None, "warm_up comes first"
        if self.choice.sparse_layers:
            restore_dense(self._model, self.choice)
            self._record_again()
            self.measured = Measured(self._each_bucket(self._batch(), Loading()), 1.0)
            self._draw_canary()
        self.choice = Choice(reason, self.choice.total_layers)
        return self.measured

    def _draw_canary(self) -> None:
        """Draws one batch of consecutive classes, each with its own seed, and the image that training drew.
        Raises InputError."""
        size = self.places
        conditions = [self._any_condition(i) for i in range(size)]
        images = self.draw(conditions, range(size))
        if any(isinstance(image, NotFinite) for image in images):
            raise self._not_finite(conditions)
        if all(isinstance(image, Flat) for image in images):
            raise InputError(
                "CanaryFailed",
                "The model draws flat images: all pixels of each image of the canary have one value. Its "
                "weights are not those of a trained model: train again, or serve another one.",
            )
        if self._canary is not None:
            found = check_canary(self._canary, self._drawn_again(self._canary), self.precision)
            log.info("The canary is as training drew it.", extra={"fields": {"difference": found}})

    def _drawn_again(self, canary: Canary) -> torch.Tensor:
        """(C, H, W), as the solver leaves it."""
        plan = plan_of(self.config.process, canary.sampler, canary.steps)
        text = None if canary.text is None else canary.text.to(self.device)
        with watched(self.device), torch.inference_mode():
            condition = self._encoded(self._any_condition(canary.label or 0)) if text is None else text
            guidance = Guidance(canary.guidance)
            nothing = self._nothing(guidance) if text is None else text
            row = Row(
                self.config, plan, canary.seed, condition, self.device,
                guidance=guidance.strength, nothing=nothing,
            )  # fmt: skip
            while row.left:
                self._advance([row])
            return images_of([row], self.config)[0]

    def _any_condition(self, number: int) -> Condition:
        """A class of the model, or no text at all."""
        if self.components.text_encoder is not None:
            return tuple(self.components.text_encoder.tokens([""])[0].tolist())
        return number % self.config.num_classes if self.config.num_classes else None

    def _not_finite(self, conditions: Sequence[Condition]) -> InputError:
        """Names the first layer whose output is not finite, by drawing the canary again, layer by layer."""
        first: list[str] = []

        def look(name: str) -> Callable[..., None]:
            def hook(module: nn.Module, inputs: Any, output: Any) -> None:
                if not first and isinstance(output, torch.Tensor) and not bool(output.isfinite().all()):
                    first.append(name)

            return hook

        leaves = [(name, m) for name, m in self._model.named_modules() if next(m.children(), None) is None]
        handles = [module.register_forward_hook(look(name)) for name, module in leaves]
        recorded = self._recorded
        self._recorded = Recorded(self._model, possible=False)  # hooks run only when the network is called
        try:
            self.draw(conditions, range(len(conditions)))
        finally:
            self._recorded = recorded
            for handle in handles:
                handle.remove()
        where = f"{first[0]} is the first layer to give" if first else "their sum over the steps holds"
        return InputError(
            "CanaryFailed",
            f"The model draws images that are not finite: {where} NaN or infinity in {self.precision}. "
            f"Train again with a lower learning rate{other_precision(self.precision)}.",
        )

    def _record_again(self) -> None:
        """Call it after a change of the network's layers."""
        self._recorded.forget()
        self._batch(steps=1)

    def _batch(self, images: int | None = None, steps: int | None = None) -> float:
        """Seconds of a batch of the first class (or of no text), by default a full one."""
        seeds = range(images or self.places)
        started = time.perf_counter()
        self.draw([self._any_condition(0)] * len(seeds), seeds, steps)
        return time.perf_counter() - started

    def begin(
        self, condition: Condition, seed: int, steps: int | None = None, guidance: Guidance | None = None
    ) -> Row:
        """An image at its first step."""
        plan = plan_of(self.config.process, SAMPLER, steps or self.spec.steps)
        guidance = guidance or Guidance(self.spec.guidance)
        with watched(self.device), torch.inference_mode():
            return Row(
                self.config, plan, seed, self._encoded(condition), self.device,
                guidance=guidance.strength, nothing=self._nothing(guidance),
            )  # fmt: skip

    def again(self, row: Row) -> Row:
        """The same image from its first step, by dense products that are called and not replayed."""
        with torch.inference_mode():
            return _DenseRow(
                self.config, row.plan, row.seed, row.condition, self.device,
                guidance=row.guidance, nothing=row.nothing,
            )  # fmt: skip

    def advance(self, rows: Sequence[Row]) -> None:
        """Takes the next step of each. Raises ContextLost when the GPU can't go on.

        A batch that memory has no room for is taken in halves, as are all later ones. Where it raises
        anything else, some rows may have moved, each by its own step and no more.
        """
        dense = [row for row in rows if isinstance(row, _DenseRow)]
        self._in_parts([row for row in rows if not isinstance(row, _DenseRow)])
        if dense:
            with self._dense_products():
                self._in_parts(dense)

    def _in_parts(self, rows: Sequence[Row]) -> None:
        """In batches of the present size, which falls when memory runs out."""
        left = list(rows)
        while left:
            part = left[: self.places]
            if self._has_room(part):
                left = left[len(part) :]
            else:
                self._shrink(self._bucket(len(part)))

    def _has_room(self, rows: Sequence[Row]) -> bool:
        """Takes the next step of each, unless memory runs out."""
        try:
            self._advance(rows)
        except RuntimeError as error:
            if not is_out_of_memory(error) or self._bucket(len(rows)) == 1:
                raise
            return False
        return True

    def _advance(self, rows: Sequence[Row]) -> None:
        padding = self._bucket(len(rows)) - len(rows)
        with watched(self.device), torch.inference_mode():
            advance(self._network, self.config, rows, padding, apart=self.spec.deterministic)

    def preview(self, row: Row) -> np.ndarray | None:
        """What a row's last step says that the image will be, (H, W, C) uint8; None where not finite."""
        with watched(self.device), torch.inference_mode():
            drawn, decode = prediction_of(row, self.config), self.components.autoencoder
            image = (drawn if decode is None else decode(drawn))[0]
            return to_uint8(image).permute(1, 2, 0).numpy() if bool(image.isfinite().all()) else None

    def _shrink(self, size: int) -> None:
        """Batches hold half of `size`, which memory had no room for."""
        self.places = size // 2
        self._recorded.forget()
        gc.collect()  # the failed call's tensors, where circles of references hold them
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        log.warning(
            "Memory ran out, so batches are smaller from here on: lower engine.maxBatchSize, or give the "
            "server a GPU with more memory.",
            extra={"fields": {"images": size, "maxBatchSize": self.places}},
        )

    @contextmanager
    def _dense_products(self) -> Iterator[None]:
        """The dense layers in place of the sparse ones, and no recording, for what happens inside."""
        choice, recorded = self.choice, self._recorded
        sparse = {} if choice is None else restore_dense(self._model, choice)
        self._recorded = Recorded(self._model, possible=False)
        try:
            yield
        finally:
            self._recorded = recorded
            put_sparse(self._model, sparse)

    def finish(self, rows: Sequence[Row]) -> list[np.ndarray | Spoilt]:
        """The image of each row without steps left, (H, W, C) uint8, or an error where it is spoilt."""
        with watched(self.device), torch.inference_mode():
            drawn, decode = images_of(rows, self.config), self.components.autoencoder
            images = drawn if decode is None else decode(drawn)
            finite = torch.stack([row.x.isfinite().all() for row in rows]).cpu()
            finite = (finite & images.isfinite().flatten(1).all(1)).tolist()
            pixels = to_uint8(images).permute(0, 2, 3, 1).numpy()
        return [_judged(image, good, row.seed) for image, good, row in zip(pixels, finite, rows, strict=True)]

    def draw(
        self, conditions: Sequence[Condition], seeds: Sequence[int], steps: int | None = None
    ) -> list[np.ndarray | Spoilt]:
        """One image for each condition and seed, in one batch from beginning to end."""
        rows = [self.begin(*image, steps) for image in zip(conditions, seeds, strict=True)]
        while rows[0].left:
            self.advance(rows)
        return self.finish(rows)

    def _encoded(self, condition: Condition) -> torch.Tensor | None:
        """What the sampler takes: a label (), an encoded text (L, D), or None."""
        if self.config.num_classes:
            return torch.tensor(condition, dtype=torch.int64, device=self.device)
        return None if self.components.text_encoder is None else self._text(condition)

    def _nothing(self, guidance: Guidance) -> torch.Tensor | None:
        """The text that guidance leads away from, (L, D); labels have none. A row without guidance has it
        too, since rows share a batch."""
        encoder = self.components.text_encoder
        if encoder is None:
            return None
        return self._text(guidance.negative or tuple(encoder.tokens([""])[0].tolist()))

    def _encode(self, tokens: tuple[int, ...]) -> torch.Tensor:
        encoder = self.components.text_encoder
        assert encoder is not None
        return encoder.encode(torch.tensor([tokens], dtype=torch.int64))[0]

    def _bucket(self, images: int) -> int:
        """The number of rows that a batch is padded to. A CPU compiles and records nothing for a shape, so
        there each number of images has its own."""
        if self.device.type == "cpu" and not self.spec.deterministic:
            return images
        return next(rows for rows in self.buckets if rows >= images)

    @property
    def buckets(self) -> list[int]:
        """Sizes of batches that memory has room for, ascending."""
        fitting = [size for size in self.spec.buckets if size < self.places]
        return [*fitting, self.places]

    def _network(self, x: torch.Tensor, t: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        """The network in its own precision; the solver around it stays in fp32."""
        return self._recorded(x.to(self.dtype), t, y).float()

    def status(self) -> dict[str, Any]:
        """`status.engine` of a SparseInferenceService, without the latency."""
        assert self.choice is not None, "warm_up comes first"
        assert self.measured is not None, "warm_up comes first"
        return {
            "backend": self.choice.backend,
            "sparseLayers": self.choice.sparse_layers,
            "totalLayers": self.choice.total_layers,
            "speedup": f"{self.measured.speedup:.2f}",
            "device": device_name(self.device),
            "precision": self.precision,
            "maxBatchSize": self.places,
            "reason": f"{self.choice.reason}{self._memory_note()}",
        }

    def layer_backends(self) -> dict[str, str]:
        """What computes each of the masked layers, by name."""
        assert self.choice is not None, "warm_up comes first"
        names = [layer["name"] for layer in self.manifest["layers"]]
        return {name: self.choice.kernels.get(name, "dense") for name in names}

    def _memory_note(self) -> str:
        if self.places == self.spec.max_batch_size:
            return ""
        return (
            f" Batches hold at most {self.places} images, because memory ran out before engine.maxBatchSize "
            f"{self.spec.max_batch_size}."
        )


class _DenseRow(Row):
    """Of an image whose first try was spoilt."""


def _judged(image: np.ndarray, finite: bool, seed: int) -> np.ndarray | Spoilt:
    if not finite:
        return NotFinite(seed)
    return Flat(seed) if image.min() == image.max() else image


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def versions() -> dict[str, str]:
    """For the metrics' build information."""
    from sparsedm import __version__

    return {"version": __version__, "torch": torch.__version__, "python": platform.python_version()}
