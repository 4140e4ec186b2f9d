"""The artifact: safetensors with the zeros in place, and a manifest that says what they are.

Written weights first, manifest last, each atomically: a directory with a manifest is whole. Read with
proof: the file's digest, exactly the model's tensors, every masked layer's groups (at most N non-zeros in
M), zeros without a sign, and the masks' digest.

The manifest ends with a seal, the digest of all that it says: what can't be counted again from the weights
(figures, class names, heads) can't be changed unnoticed. `sparsedm verify` counts the rest again.

The mask of the digest is the magnitude mask of the written weights: the masked weights give their own mask
back, also where a surviving weight is exactly zero.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import save
from torch import Tensor, nn

import sparsedm
from sparsedm.artifact.canary import Canary, load_canary, save_canary
from sparsedm.artifact.components import check_files
from sparsedm.decimals import decimal
from sparsedm.errors import InputError
from sparsedm.files import OnRead, file_sha256, json_digest, write_atomically
from sparsedm.measure.macs import count_macs
from sparsedm.models import build_model, config_from, config_of, load_weights
from sparsedm.sparsity.layers import Selection, prunable_layers
from sparsedm.sparsity.masks import group_counts, has_negative_zero, mask_digest, nm_mask
from sparsedm.sparsity.pattern import Pattern

SCHEMA_VERSION = 1
LISTED_NAMES = 10
"""Class names that a message holds at most."""
WEIGHTS_FILE = "model.safetensors"
MANIFEST_FILE = "manifest.json"
SAMPLES_FILE = "samples.png"
REPORT_FILE = "report.html"
NOT_FINITE = "WeightsNotFinite"
"""Reason of an artifact with NaN or infinity, which a server gives too."""


PIPELINE = "pipeline"
"""Architecture of an artifact that is a whole pipeline of diffusers (artifact/pipeline.py)."""


class Config(Protocol):
    """What a manifest says of the network."""

    @property
    def architecture(self) -> str: ...

    @property
    def prediction(self) -> str | None: ...

    def to_dict(self) -> dict[str, Any]: ...


class Beside(Protocol):
    """Files beside the weights: writes them, and returns `components` of the manifest."""

    def save(self, directory: Path, staging: Path | None = None) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Identity:
    """What the artifact is, besides its weights."""

    name: str
    config: Config
    classes: Sequence[str] | None
    pattern: Pattern
    selection: Selection


def sparsity_status(weights: Mapping[str, Tensor], pattern: Pattern, selection: Selection) -> dict[str, Any]:
    """`status.sparsity` counted from masked weights (a state dict)."""
    layers = [weights[f"{name}.weight"] for name in selection.selected]
    masked = sum(w.numel() for w in layers)
    zeros = sum(int((w == 0).sum()) for w in layers)
    return {
        "pattern": str(pattern),
        "target": decimal(pattern.sparsity if layers else 0.0),
        "achieved": decimal(zeros / masked if masked else 0.0),
        "maskedParameters": masked,
        "totalParameters": sum(w.numel() for w in weights.values()),
        "maskedLayers": len(layers),
        "skippedLayers": sum(s.wanted for s in selection.skipped),
        "compliant": all(int(group_counts(w, pattern.m).max()) <= pattern.n for w in layers),
    }


def save_weights(
    directory: Path,
    weights: Mapping[str, Tensor],
    staging: Path | None = None,
    file: str = WEIGHTS_FILE,
    dtype: torch.dtype = torch.float32,
) -> dict[str, Any]:
    """Writes weights of `dtype` and returns the manifest's `weights`: equal weights give equal bytes."""
    path = directory / file
    stored = {
        name: (w.detach().to(dtype) if w.is_floating_point() else w.detach()).cpu().contiguous()
        for name, w in sorted(weights.items())
    }
    # Readers of other programs ask for the format.
    write_atomically(path, save(stored, None if file == WEIGHTS_FILE else {"format": "pt"}), staging)
    return {"file": file, "sha256": file_sha256(path), "sizeBytes": path.stat().st_size}


def save_artifact(
    directory: Path,
    weights: Mapping[str, Tensor],
    identity: Identity,
    macs: Mapping[str, Any],
    fid: Mapping[str, Any],
    provenance: Mapping[str, Any],
    before_manifest: Callable[[dict[str, Any]], None] = lambda manifest: None,
    quality: Mapping[str, Any] | None = None,
    staging: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    components: Beside | None = None,
    canary: Canary | None = None,
    file: str = WEIGHTS_FILE,
    dtype: torch.dtype = torch.float32,
) -> dict[str, Any]:
    """Writes the weights and then manifest.json from masked weights. Returns the manifest.

    `settings` is the run's whole configuration, of which provenance.configDigest is the digest. `components`
    are what a server needs beside the network. `canary` is what it has to draw again.
    `before_manifest` writes what must be there when the manifest is, from the manifest. `staging` is the
    folder from which the files are renamed (see write_atomically).
    Raises ValueError when a layer does not keep the pattern: what is not sparse is never written as sparse.
    """
    pattern, names = identity.pattern, identity.selection.selected
    sparsity = sparsity_status(weights, pattern, identity.selection)
    if not sparsity["compliant"]:
        raise ValueError(f"a masked layer has more than {pattern.n} non-zeros in a group of {pattern.m}.")
    masks = {name: nm_mask(weights[f"{name}.weight"], pattern.n, pattern.m) for name in names}
    beside_weights = components.save(directory, staging) if components else {}
    manifest = {
        "schemaVersion": SCHEMA_VERSION,
        "name": identity.name,
        "architecture": identity.config.architecture,
        "config": identity.config.to_dict(),
        "classes": list(identity.classes) if identity.classes else None,
        "prediction": identity.config.prediction,
        "pattern": str(pattern),
        "layers": [_layer(name, weights[f"{name}.weight"], pattern) for name in names],
        "skippedLayers": [{"name": s.name, "reason": s.reason} for s in identity.selection.skipped],
        "maskDigest": mask_digest(masks),
        "weights": save_weights(directory, weights, staging, file, dtype),
        **({"components": beside_weights} if beside_weights else {}),
        **({} if canary is None else {"canary": save_canary(directory, canary, staging)}),
        "sparsity": sparsity,
        "macs": dict(macs),
        "fid": dict(fid),
        **({} if quality is None else {"quality": dict(quality)}),
        "provenance": {
            **provenance,
            "versions": versions(),
            "createdAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        **({} if settings is None else {"settings": dict(settings)}),
    }
    before_manifest(manifest)
    beside = (name for name in (SAMPLES_FILE, REPORT_FILE) if (directory / name).exists())
    manifest["files"] = {name: file_sha256(directory / name) for name in beside}
    write_manifest(directory, manifest, staging)
    return manifest


def versions() -> dict[str, str]:
    """As in a manifest: of what computed the weights."""
    return {
        "torch": torch.__version__,
        "sparsedm": sparsedm.__version__,
        "python": platform.python_version(),
    }


def write_manifest(directory: Path, manifest: dict[str, Any], staging: Path | None = None) -> None:
    """Seals it, and writes it."""
    manifest["seal"] = seal_of(manifest)
    write_atomically(directory / MANIFEST_FILE, (json.dumps(manifest, indent=2) + "\n").encode(), staging)


def seal_of(manifest: Mapping[str, Any]) -> str:
    """`sha256:...` of everything else in the manifest, in one spelling."""
    return json_digest({name: value for name, value in manifest.items() if name != "seal"})


def check_seal(manifest: Mapping[str, Any], directory: Path) -> None:
    """Raises InputError where the manifest is not as it was written."""
    again = (
        f"Where that is right, `sparsedm verify --seal {directory}` checks the artifact and seals it anew."
    )
    if "seal" not in manifest:
        raise _invalid(f"{directory / MANIFEST_FILE} has no seal, as an earlier version wrote it", again)
    if manifest["seal"] != seal_of(manifest):
        raise _invalid(
            f"{directory / MANIFEST_FILE} was changed after it was written: its seal is {manifest['seal']}, "
            f"and its content has {seal_of(manifest)}",
            again,
        )


def _layer(name: str, weight: Tensor, pattern: Pattern) -> dict[str, Any]:
    return {
        "name": name,
        "shape": list(weight.shape),
        "pattern": str(pattern),
        "nonzero": int((weight != 0).sum()),
    }


def read_manifest(directory: Path) -> dict[str, Any]:
    """Raises InputError when there is none or it is not ours."""
    path = directory / MANIFEST_FILE
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            "ArtifactNotFound",
            f"There is no {MANIFEST_FILE} in {directory}: give the directory that training wrote.",
        ) from error
    except (OSError, ValueError) as error:
        raise _invalid(f"{path} is not readable JSON ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("schemaVersion") != SCHEMA_VERSION:
        raise _invalid(f"{path} is no manifest of schema version {SCHEMA_VERSION}")
    return manifest


def load_artifact(
    directory: str | Path, verify: bool = True, sealed: bool = True, on_read: OnRead | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """The model (fp32, CPU, evaluation mode) and its manifest. Raises InputError with a sentence.

    Without `verify` only the tensors' names, shapes and numbers are checked; without `sealed` not the seal.
    `on_read` is told how much of the weights is read.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    if manifest.get("architecture") == PIPELINE:
        raise InputError(
            "ArtifactUnsupported",
            f"{directory} is a whole pipeline, which this command does not take: open it by diffusers' "
            "DiffusionPipeline.from_pretrained, or serve it.",
        )

    def build() -> tuple[nn.Module, Path]:
        model = build_model(config_from(manifest["architecture"], manifest["config"]))
        return model, directory / Path(manifest["weights"]["file"]).name

    return load_network(directory, manifest, build, verify, sealed, on_read), manifest


def load_network(
    directory: Path,
    manifest: Mapping[str, Any],
    build: Callable[[], tuple[nn.Module, Path]],
    verify: bool = True,
    sealed: bool = True,
    on_read: OnRead | None = None,
) -> nn.Module:
    """As load_artifact, of a network that `build` makes, with the file of its weights."""
    try:
        model, path = build()
        digest = manifest["weights"]["sha256"] if verify else None
        load_weights(model, path, digest, NOT_FINITE, on_read)
        if verify:
            _verify_layers(model.state_dict(), manifest)
    except (KeyError, TypeError, ValueError) as error:
        raise _invalid(
            f"{directory / MANIFEST_FILE} does not describe its model ({type(error).__name__}: {error})"
        ) from error
    except InputError as error:
        reason = NOT_FINITE if error.reason == NOT_FINITE else "ArtifactInvalid"
        raise InputError(reason, error.message) from error
    if verify:
        check_classes(manifest.get("classes"), config_of(model).num_classes)
        if sealed:
            check_seal(manifest, directory)
    return model.eval()


def _verify_layers(weights: Mapping[str, Tensor], manifest: Mapping[str, Any]) -> None:
    masks: dict[str, Tensor] = {}
    for layer in manifest["layers"]:
        name, pattern = layer["name"], Pattern.parse(layer["pattern"])
        weight = weights[f"{name}.weight"]
        _verify_layer(name, weight, pattern)
        masks[name] = nm_mask(weight, pattern.n, pattern.m)
    found = mask_digest(masks)
    if found != manifest["maskDigest"]:
        raise _invalid(f"the masks have digest {found}, and the manifest says {manifest['maskDigest']}")


def _verify_layer(name: str, weight: Tensor, pattern: Pattern) -> None:
    crowded = int((group_counts(weight, pattern.m) > pattern.n).sum())
    if crowded:
        raise _invalid(f"{crowded} groups of {name} have more than {pattern.n} non-zeros in {pattern.m}")
    if has_negative_zero(weight):
        raise _invalid(f"{name} holds a negative zero, which sparse kernels may not skip")


def check_classes(classes: Any, num_classes: int) -> None:
    """A name for each class or for none. Raises InputError."""
    if classes is None:
        return
    if not isinstance(classes, list) or not all(isinstance(name, str) and name for name in classes):
        raise InputError(
            "ClassesMismatch", "classes of manifest.json must be a list of names, or null: correct it."
        )
    if len(classes) == num_classes:
        return
    surplus = classes[num_classes : num_classes + LISTED_NAMES]
    what = (
        f"{', '.join(surplus)} stand for none"
        if surplus
        else f"class {len(classes)} and those after it have none"
    )
    raise InputError(
        "ClassesMismatch",
        f"manifest.json names {len(classes)} classes and the model has {num_classes}: {what}. "
        "Correct classes there, in the order of the model's labels, and seal it with `sparsedm verify "
        "--seal`, or take another model.",
    )


def verify_statements(model: nn.Module, manifest: Mapping[str, Any], directory: Path) -> None:
    """What the manifest says of the weights, counted again, and the digests of the files beside it. The
    multiply-accumulates of a pipeline were counted on a call, which is not here.

    Raises InputError, which names the field.
    """
    config, weights = config_of(model), model.state_dict()
    pipeline = manifest.get("architecture") == PIPELINE
    try:
        stated_weights = manifest["weights"]
        pattern = Pattern.parse(manifest["pattern"])
        names = [layer["name"] for layer in manifest["layers"]]
        skipped = [layer["name"] for layer in manifest["skippedLayers"]]
        wanted = manifest["sparsity"]["skippedLayers"]  # of those, the ones that the pattern does not divide
        found = {
            "config": config.to_dict(),
            "prediction": config.prediction,
            "layers": [_layer(name, weights[f"{name}.weight"], pattern) for name in names],
            "sparsity": {
                **sparsity_status(weights, pattern, Selection(tuple(names), (), ())),
                "skippedLayers": min(max(0, int(wanted)), len(skipped)),
            },
            **({} if pipeline else {"macs": count_macs(config, names, pattern).status()}),
            "weights": {**stated_weights, "sizeBytes": (directory / stated_weights["file"]).stat().st_size},
        }
        stated = {name: manifest[name] for name in found}
    except (KeyError, TypeError, ValueError) as error:
        raise _invalid(
            f"{directory / MANIFEST_FILE} does not describe its model ({type(error).__name__}: {error})"
        ) from error
    if difference := _difference(stated, json.loads(json.dumps(found))):
        raise _invalid(f"manifest.json says {difference}")
    if sorted(names + skipped) != sorted(name for name, _ in prunable_layers(model)):
        raise _invalid("layers and skippedLayers of manifest.json are not the model's layers, each once")
    _verify_settings(manifest)
    load_canary(directory, manifest)
    for part in manifest.get("components", {}).values():
        check_files(directory, part["files"])
    for name, digest in manifest.get("files", {}).items():
        path = directory / Path(name).name
        if path.is_file() and file_sha256(path) != digest:
            raise _invalid(f"{path.name} is not the file that was written with the manifest")


def _verify_settings(manifest: Mapping[str, Any]) -> None:
    """A manifest of an earlier version has none."""
    if "settings" not in manifest:
        return
    stated, found = manifest["provenance"].get("configDigest"), json_digest(manifest["settings"])
    if stated != found:
        raise _invalid(f"the settings in manifest.json have digest {found}, and configDigest is {stated}")


def _difference(stated: Any, found: Any, path: str = "") -> str | None:
    """The first field in which the two differ, as "sparsity.achieved 0.9, and 0.5 is found"."""
    if isinstance(stated, dict) and isinstance(found, dict):
        pairs = [(key, stated.get(key), found.get(key)) for key in sorted(stated.keys() | found.keys())]
        return _first_of((f"{path}.{key}" if path else str(key), a, b) for key, a, b in pairs)
    if isinstance(stated, list) and isinstance(found, list) and len(stated) == len(found):
        return _first_of((f"{path}[{i}]", a, b) for i, (a, b) in enumerate(zip(stated, found, strict=True)))
    return None if stated == found else f"{path} {stated}, and {found} is found"


def _first_of(parts: Iterable[tuple[str, Any, Any]]) -> str | None:
    return next((d for path, a, b in parts if (d := _difference(a, b, path)) is not None), None)


def _invalid(problem: str, remedy: str = "") -> InputError:
    sentence = f"The artifact is not valid: {problem}. Train or fetch it again."
    return InputError("ArtifactInvalid", f"{sentence} {remedy}".strip())
