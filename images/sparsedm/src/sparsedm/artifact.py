"""The artifact: safetensors with the zeros in place, and a manifest that says what they are.

Written weights first, manifest last, each atomically: a directory with a manifest is whole. Read with
proof: the file's digest, exactly the model's tensors, every masked layer's groups (at most N non-zeros in
M), zeros without a sign, and the masks' digest.

The mask of the digest is the magnitude mask of the written weights: the masked weights give their own mask
back, also where a surviving weight is exactly zero.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

import sparsedm
from sparsedm.checkpoint import write_atomically
from sparsedm.errors import InputError
from sparsedm.layers import Selection
from sparsedm.masks import group_counts, has_negative_zero, mask_digest, nm_mask
from sparsedm.models import ModelConfig, build_model, config_from, file_sha256, load_weights
from sparsedm.pattern import Pattern

SCHEMA_VERSION = 1
WEIGHTS_FILE = "model.safetensors"
MANIFEST_FILE = "manifest.json"
SAMPLES_FILE = "samples.png"
REPORT_FILE = "report.html"


@dataclass(frozen=True)
class Identity:
    """What the artifact is, besides its weights."""

    name: str
    config: ModelConfig
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


def decimal(value: float, digits: int = 4) -> str:
    """A decimal as the custom resource writes it: 0.5 is "0.5", 12.0 "12"."""
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def save_weights(
    directory: Path, weights: Mapping[str, Tensor], staging: Path | None = None
) -> dict[str, Any]:
    """Writes fp32 weights and returns the manifest's `weights`: equal weights give equal bytes."""
    data = save({name: w.detach().float().cpu().contiguous() for name, w in sorted(weights.items())})
    write_atomically(directory / WEIGHTS_FILE, data, staging)
    path = directory / WEIGHTS_FILE
    return {"file": WEIGHTS_FILE, "sha256": file_sha256(path), "sizeBytes": path.stat().st_size}


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
) -> dict[str, Any]:
    """Writes model.safetensors and then manifest.json from masked weights. Returns the manifest.

    `before_manifest` writes what must be there when the manifest is, from the manifest. `staging` is the
    folder from which the files are renamed (see write_atomically).
    Raises ValueError when a layer does not keep the pattern: what is not sparse is never written as sparse.
    """
    pattern, names = identity.pattern, identity.selection.selected
    sparsity = sparsity_status(weights, pattern, identity.selection)
    if not sparsity["compliant"]:
        raise ValueError(f"a masked layer has more than {pattern.n} non-zeros in a group of {pattern.m}.")
    masks = {name: nm_mask(weights[f"{name}.weight"], pattern.n, pattern.m) for name in names}
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
        "weights": save_weights(directory, weights, staging),
        "sparsity": sparsity,
        "macs": dict(macs),
        "fid": dict(fid),
        **({} if quality is None else {"quality": dict(quality)}),
        "provenance": {
            **provenance,
            "versions": {
                "torch": torch.__version__,
                "sparsedm": sparsedm.__version__,
                "python": platform.python_version(),
            },
            "createdAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    }
    before_manifest(manifest)
    write_atomically(directory / MANIFEST_FILE, (json.dumps(manifest, indent=2) + "\n").encode(), staging)
    return manifest


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


def load_artifact(directory: str | Path, verify: bool = True) -> tuple[nn.Module, dict[str, Any]]:
    """The model (fp32, CPU, evaluation mode) and its manifest. Raises InputError with a sentence.

    Without `verify` only the tensors' names and shapes are checked.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    try:
        model = build_model(config_from(manifest["architecture"], manifest["config"]))
        weights = manifest["weights"]
        load_weights(model, directory / Path(weights["file"]).name, weights["sha256"] if verify else None)
        if verify:
            _verify_layers(model.state_dict(), manifest)
    except (KeyError, TypeError, ValueError) as error:
        raise _invalid(
            f"{directory / MANIFEST_FILE} does not describe its model ({type(error).__name__}: {error})"
        ) from error
    except InputError as error:
        raise InputError("ArtifactInvalid", error.message) from error
    return model.eval(), manifest


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


def _invalid(problem: str) -> InputError:
    return InputError("ArtifactInvalid", f"The artifact is not valid: {problem}. Train or fetch it again.")
