"""What served images are compared with: the extractor and the reference of the model's own figure.

Both are known by the digests in the manifest's `fid`, so it does not matter where a file comes from. They are
looked for where the settings of the training name them, then under the same name in the model's folder; the
reference also as reference.npz there, which training leaves, and the extractor among those of this package.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sparsedm.errors import InputError
from sparsedm.files import file_sha256
from sparsedm.measure.evaluator import guidance_for, statistics_digest
from sparsedm.measure.extractor import FeatureExtractor, load_extractor
from sparsedm.measure.frechet import FrechetStats, frechet_distance
from sparsedm.measure.reference import REFERENCE_FILE, Reference
from sparsedm.measure.window import FeatureWindow
from sparsedm.models import ModelConfig
from sparsedm.serve.config import SAMPLER, EngineSpec
from sparsedm.uris import PACKAGED_WEIGHTS, is_remote, resolve_uri

LARGEST_WINDOW = 256 * 2**20
"""Bytes that the features of a window may take."""


@dataclass(frozen=True)
class Comparison:
    """`own` is the manifest's distance, as a decimal, where servers draw as the evaluation did; else `note`
    says what differs."""

    metric: str
    samples: int
    classes: int
    extractor: FeatureExtractor
    reference: FrechetStats
    reference_digest: str
    own: str | None
    note: str

    def window(self) -> FeatureWindow:
        return FeatureWindow(self.samples, self.classes)

    def distance(self, window: FeatureWindow) -> float:
        return frechet_distance(window.stats(), self.reference)


def open_comparison(
    directory: Path,
    manifest: Mapping[str, Any],
    config: ModelConfig,
    spec: EngineSpec,
    precision: str,
    image_shape: tuple[int, int, int],
) -> Comparison:
    """image_shape: (C, H, W) of what is served. Raises InputError with a sentence where that can't be
    compared."""
    fid = _figures(manifest)
    evaluation = manifest.get("settings", {}).get("evaluation", {})
    extractor = _find_extractor(directory, evaluation.get("extractor_uri"), fid["extractorDigest"])
    _check_fits(extractor, image_shape)
    samples = int(fid["samples"])
    size = 4 * samples * extractor.dims
    if size > LARGEST_WINDOW:
        raise _unmeasured(
            f"the manifest's distance is over {samples} samples, whose features would take "
            f"{size / 2**20:.0f} MiB of memory, more than {LARGEST_WINDOW // 2**20}: evaluate the model with "
            "fewer samples"
        )
    reference = _find_reference(
        directory, evaluation.get("reference_stats_uri"), fid["referenceDigest"], extractor
    )
    own, note = _own_figure(fid, config, spec, precision)
    return Comparison(
        fid["metric"], samples, config.num_classes, extractor, reference, fid["referenceDigest"], own, note
    )


def _figures(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    fid = manifest.get("fid")
    fid = fid if isinstance(fid, Mapping) else {}
    needed = ("metric", "samples", "extractorDigest", "referenceDigest")
    missing = next((name for name in needed if name not in fid), None)
    if missing is not None:
        raise _unmeasured(
            f"manifest.json of the model has no fid.{missing}: serve an artifact of a training with "
            "evaluation"
        )
    return fid


def _find_extractor(directory: Path, uri: str | None, digest: str) -> FeatureExtractor:
    places = [*_places(directory, uri), *sorted(PACKAGED_WEIGHTS.glob("*-extractor.safetensors"))]
    found = next((path for path in places if path.is_file() and file_sha256(path) == digest), None)
    if found is None:
        raise _unmeasured(
            f"the extractor with sha256 {digest} is not here: put {_file(uri, 'its file')} into the model's "
            "folder"
        )
    # On the CPU, so that it takes nothing from the images that are being drawn on a GPU.
    return load_extractor(found)[0]


def _find_reference(
    directory: Path, uri: str | None, digest: str, extractor: FeatureExtractor
) -> FrechetStats:
    for path in [directory / REFERENCE_FILE, *_places(directory, uri)]:
        try:
            stats = Reference.load(path, extractor.digest, extractor.dims).stats
        except InputError:
            continue
        if statistics_digest(stats) == digest:
            return stats
    raise _unmeasured(
        f"the reference statistics with digest {digest} are not here: put {_file(uri, REFERENCE_FILE)} of "
        "the training into the model's folder"
    )


def _places(directory: Path, uri: str | None) -> Iterator[Path]:
    """Where the settings name it, if that is mounted here, and the model's folder."""
    if uri is not None:
        if not is_remote(uri):
            yield resolve_uri(uri)
        yield directory / Path(uri).name


def _file(uri: str | None, otherwise: str) -> str:
    return otherwise if uri is None else Path(uri).name


def _check_fits(extractor: FeatureExtractor, image_shape: tuple[int, int, int]) -> None:
    channels, height, width = image_shape
    try:
        extractor(torch.zeros(1, *image_shape))
    except RuntimeError as error:
        raise _unmeasured(
            f"the extractor {extractor.name} takes other images than those that are served, of "
            f"{width}x{height} and {channels} channels"
        ) from error


def _own_figure(
    fid: Mapping[str, Any], config: ModelConfig, spec: EngineSpec, precision: str
) -> tuple[str | None, str]:
    """The manifest's distance in the precision that is served, else in the one that it was measured in; or
    why it is none of images drawn as here."""
    here = {"steps": spec.steps, "guidance": guidance_for(config, spec.guidance), "sampler": SAMPLER}
    if config.context:
        return None, "The evaluation drew after its own texts, so its distance is none of what is asked for."
    there = {
        "steps": fid.get("steps"),
        "guidance": _number(fid.get("guidance")),
        "sampler": fid.get("sampler"),
    }
    other = [name for name, value in here.items() if there[name] != value]
    if other:
        return None, (
            f"The manifest's own distance is of images drawn with {_listed(other, there)}, and here they are "
            f"drawn with {_listed(other, here)}, so the two are not compared."
        )
    served = next((each for each in fid.get("served", []) if each.get("precision") == precision), fid)
    own = _number(served.get("sparse"))
    if own is None or not math.isfinite(own):
        return None, f"The manifest has no distance in {precision}, so nothing is held against it."
    return served["sparse"], ""


def _number(value: Any) -> float | None:
    """The number in a decimal string; None for anything else."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _listed(names: Sequence[str], values: Mapping[str, Any]) -> str:
    shown = {name: f"{value:g}" if isinstance(value, float) else value for name, value in values.items()}
    return " and ".join(f"{name} {shown[name]}" for name in names)


def _unmeasured(why: str) -> InputError:
    return InputError("QualityUnmeasured", f"Served images are not measured, because {why}.")
