"""The folder of a pipeline, as save_pretrained of diffusers writes it: model_index.json and a folder for each
part. The part that is called at every step is its denoiser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from sparsedm.errors import InputError
from sparsedm.models.denoisers import CONFIG_FILE, WEIGHTS_FILE, library, refuse_ties
from sparsedm.models.scheduler import read_json
from sparsedm.models.text_encoder import library as text_library
from sparsedm.models.weight_files import INDEX_SUFFIX, shards_of
from sparsedm.models.weights import load_weights
from sparsedm.sources.formats import PIPELINE_INDEX, read_ones

STORED = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
DENOISERS = ("transformer", "unet")


@dataclass(frozen=True)
class PipelineFolder:
    """`pipeline` and `class_name` are classes of diffusers, `denoiser` the name of the part that is one."""

    path: Path
    pipeline: str
    denoiser: str
    class_name: str

    @property
    def weights(self) -> Path:
        """The denoiser's weights, or the index of its shards."""
        folder = self.path / self.denoiser
        found = next(
            (f for n in (WEIGHTS_FILE, WEIGHTS_FILE + INDEX_SUFFIX) if (f := folder / n).is_file()), None
        )
        if found is None:
            raise InputError(
                "PretrainedNotFound",
                f"There is no {WEIGHTS_FILE} in {folder}, nor an index of shards of that name: write the "
                "pipeline with save_pretrained(..., safe_serialization=True), without a variant.",
            )
        return found

    @property
    def dtype(self) -> torch.dtype:
        """In which the denoiser's matrices are stored. Raises InputError for codes."""
        path = self.weights
        with safe_open(shards_of(path)[0] if path.name.endswith(INDEX_SUFFIX) else path, "pt") as file:
            slices = list(map(file.get_slice, file.keys()))
        found = next((one.get_dtype() for one in slices if len(one.get_shape()) > 1), "none")
        if found not in STORED:
            raise _unsupported(self.path, f"its weights are {found}, and not {', '.join(STORED)}")
        return STORED[found]

    @property
    def scheduler(self) -> str:
        """Its class."""
        return str((read_json(self.path / PIPELINE_INDEX).get("scheduler") or [None, "none"])[1])

    def build_denoiser(self) -> nn.Module:
        """With fresh weights, float32. Raises InputError."""
        settings = read_json(self.path / self.denoiser / CONFIG_FILE)
        try:
            network = getattr(library(), self.class_name).from_config(settings)
        except Exception as error:  # the library has many error types of its own
            raise InputError(
                "ModelUnsupported",
                f"{self.class_name} can't be built from {self.path / self.denoiser / CONFIG_FILE} "
                f"({type(error).__name__}: {error}).",
            ) from error
        refuse_ties(network, self.class_name)
        return network

    def load_denoiser(self, sha256: str | None = None) -> tuple[nn.Module, str]:
        """The dense denoiser alone, float32 on the CPU, and the digest of its weights. Raises InputError."""
        network = self.build_denoiser()
        return network, load_weights(network, self.weights, sha256)

    def open(self, dtype: torch.dtype, device: torch.device, denoiser: nn.Module | None = None) -> Any:
        """The pipeline object, whose denoiser is the given one where there is one. Raises InputError."""
        index = read_json(self.path / PIPELINE_INDEX)
        # A part that the folder has not, such as a text encoder that was left out.
        parts: dict[str, Any] = {name: None for name, value in index.items() if value == [None, None]}
        if denoiser is None and _keeps_float32(getattr(library(), self.class_name)):
            # Which diffusers itself only reads where accelerate is installed.
            denoiser = cast(self.load_denoiser()[0], dtype)
        if denoiser is not None:
            parts[self.denoiser] = denoiser
        if "safety_checker" in index:
            parts |= {"safety_checker": None, "requires_safety_checker": False}
        text_library()  # which it says less of, once it is imported here
        library().utils.logging.disable_progress_bar()
        try:
            cls = getattr(library(), self.pipeline)
            pipeline = cls.from_pretrained(self.path, dtype=dtype, local_files_only=True, **parts)
        except Exception as error:
            raise InputError(
                "PretrainedUnreadable",
                f"diffusers can't open the pipeline in {self.path} ({type(error).__name__}: {error}): give "
                "a folder that save_pretrained wrote.",
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        for part in pipeline.components.values():
            if isinstance(part, nn.Module):
                part.eval().requires_grad_(False)
                # Without accelerate some parts stay float32. Those that keep some layers in it choose for
                # themselves.
                if not _keeps_float32(part):
                    part.to(dtype)
        return pipeline.to(device)

    def other_files(self) -> list[str]:
        """Paths in the folder, sorted, of all that the pipeline reads besides the denoiser's weights: the
        files of its parts, without variants and other formats of the same weights."""
        parts = [name for name, value in read_json(self.path / PIPELINE_INDEX).items() if _is_part(value)]
        files = [PIPELINE_INDEX, f"{self.denoiser}/{CONFIG_FILE}"]
        for part in parts:
            if part != self.denoiser and (self.path / part).is_dir():
                found = sorted(path for path in (self.path / part).rglob("*") if path.is_file())
                files += read_ones(str(path.relative_to(self.path)) for path in found)
        return sorted(files)


def read_pipeline(path: Path) -> PipelineFolder:
    """Raises InputError where it is no pipeline's, with one denoiser of diffusers' own classes."""
    if not (path / PIPELINE_INDEX).is_file():
        raise InputError(
            "PretrainedNotFound",
            f"There is no {PIPELINE_INDEX} in {path}: give the folder of a whole pipeline, or for a denoiser "
            "alone write model.architecture: diffusers.",
        )
    index = read_json(path / PIPELINE_INDEX)
    parts = {name: value for name, value in index.items() if _is_part(value)}
    found = [name for name in parts if name.split("_")[0] in DENOISERS]
    if len(found) != 1 or found[0] not in DENOISERS:
        raise _unsupported(
            path,
            f"it has {' and '.join(found) or f'no {DENOISERS[0]} or {DENOISERS[1]}'}, and one denoiser is "
            "made sparse",
        )
    pipeline, (origin, class_name) = str(index.get("_class_name")), parts[found[0]]
    for name, where in ((pipeline, "diffusers"), (class_name, origin)):
        if where != "diffusers" or getattr(library(), name, None) is None:
            raise _unsupported(
                path, f"{name} is no class of diffusers {library().__version__}, and no other code is run"
            )
    return PipelineFolder(path, pipeline, found[0], class_name)


def cast(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """In place, but for the layers that are to stay float32."""
    kept = _keeps_float32(network)
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        if tensor.is_floating_point() and not kept.intersection(name.split(".")):
            tensor.data = tensor.data.to(dtype)
    return network


def _keeps_float32(network: Any) -> set[str]:
    """Names of the layers of a network, or of its class, that stay float32 when others change."""
    return set(getattr(network, "_keep_in_fp32_modules", None) or ())


def _is_part(value: Any) -> bool:
    """As ["diffusers", "AutoencoderKL"]; [null, null] is a part that is not there."""
    return isinstance(value, list) and len(value) == 2 and all(isinstance(one, str) for one in value)


def _unsupported(path: Path, problem: str) -> InputError:
    return InputError(
        "ModelUnsupported",
        f"model.pretrained.uri: the pipeline in {path} can't be made sparse: {problem}. Choose another "
        "pipeline.",
    )
