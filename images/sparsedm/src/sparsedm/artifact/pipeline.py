"""The artifact that is a whole pipeline: its folder as diffusers reads it, with the sparse denoiser in it,
and the manifest beside model_index.json.

    DIR/model_index.json, scheduler/, vae/, text_encoder/, ...    the dense pipeline's files
        transformer/ or unet/    config.json, and the sparse weights in one file, typed as the dense ones
        manifest.json            whose components.pipeline.files has the digest of every other file
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sparsedm.artifact.artifact import PIPELINE, load_artifact, load_network, read_manifest
from sparsedm.artifact.components import check_files
from sparsedm.decimals import decimal
from sparsedm.errors import InputError
from sparsedm.files import CHUNK, OnRead, sync
from sparsedm.models.denoisers import WEIGHTS_FILE
from sparsedm.pipelines.call import Drawing
from sparsedm.pipelines.folder import PipelineFolder, read_pipeline


@dataclass(frozen=True)
class PipelineConfig:
    """`config` of the manifest. `size` is the side of the images that were recorded and measured, `dtype`
    torch's name of the type of the written weights."""

    pipeline: str
    denoiser: str
    class_name: str
    dtype: str
    size: int
    steps: int
    guidance: float | None

    architecture: ClassVar[str] = PIPELINE
    prediction: ClassVar[None] = None
    num_classes: ClassVar[int] = 0
    context: ClassVar[bool] = True

    @classmethod
    def of(cls, folder: PipelineFolder, size: int, drawing: Drawing) -> PipelineConfig:
        dtype = str(folder.dtype).removeprefix("torch.")
        return cls(
            folder.pipeline, folder.denoiser, folder.class_name, dtype, size, drawing.steps, drawing.guidance
        )

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> PipelineConfig:
        guidance = fields["guidance"]
        return cls(
            fields["pipeline"],
            fields["denoiser"],
            fields["class"],
            fields["dtype"],
            int(fields["width"]),
            int(fields["steps"]),
            None if guidance is None else float(guidance),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "pipeline": self.pipeline,
            "denoiser": self.denoiser,
            "class": self.class_name,
            "dtype": self.dtype,
            "width": self.size,
            "height": self.size,
            "steps": self.steps,
            "guidance": None if self.guidance is None else decimal(self.guidance),
        }

    @property
    def weights_file(self) -> str:
        return f"{self.denoiser}/{WEIGHTS_FILE}"


@dataclass(frozen=True)
class PipelineFiles:
    """The files of a dense pipeline besides the weights of its denoiser."""

    folder: PipelineFolder

    def save(self, directory: Path, staging: Path | None = None) -> dict[str, Any]:
        """Copies them, and returns `components` of the manifest."""
        digests = {}
        for name in self.folder.other_files():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            digests[name] = _copy(self.folder.path / name, target, staging)
        return {PIPELINE: {"files": digests}}


def stored(weights: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """float32 weights as they are after they were written in `dtype`, which may round some to zero: the sign
    of a zero is removed."""
    return {name: w.to(dtype).float().add(0.0) if w.is_floating_point() else w for name, w in weights.items()}


def load_pipeline_artifact(
    directory: str | Path, verify: bool = True, sealed: bool = True, on_read: OnRead | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """The sparse denoiser (float32, CPU, evaluation mode) and the manifest; with `verify` the digests of all
    files are checked. Raises InputError."""
    directory = Path(directory)
    manifest = read_manifest(directory)
    if manifest.get("architecture") != PIPELINE:
        raise InputError("ArtifactUnsupported", f"{directory} is no pipeline: its manifest.json says so.")

    def build() -> tuple[nn.Module, Path]:
        config, folder = PipelineConfig.from_dict(manifest["config"]), read_pipeline(directory)
        found = (folder.pipeline, folder.denoiser, folder.class_name)
        if found != (config.pipeline, config.denoiser, config.class_name):
            raise ValueError(f"model_index.json has {', '.join(found)}")
        if verify:
            check_files(directory, manifest["components"][PIPELINE]["files"])
        network = folder.build_denoiser()
        network.sparsedm_config = config
        return network, directory / config.weights_file

    return load_network(directory, manifest, build, verify, sealed, on_read), manifest


def load_any(directory: Path, sealed: bool = True) -> tuple[nn.Module, dict[str, Any]]:
    """Of either kind, verified."""
    kind = read_manifest(directory).get("architecture")
    return (load_pipeline_artifact if kind == PIPELINE else load_artifact)(directory, sealed=sealed)


def _copy(source: Path, target: Path, staging: Path | None) -> str:
    """As write_atomically, of a file that may be larger than memory. Returns its digest."""
    digest, temporary = hashlib.sha256(), (staging or target.parent) / f".tmp-{target.name}"
    with source.open("rb") as read, temporary.open("wb") as written:
        while chunk := read.read(CHUNK):
            digest.update(chunk)
            written.write(chunk)
        written.flush()
        os.fsync(written.fileno())
    os.replace(temporary, target)
    sync(target.parent)
    return digest.hexdigest()
