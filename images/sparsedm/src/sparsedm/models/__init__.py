"""Networks: how to build one from its configuration and how to load weights into it safely."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from sparsedm.errors import InputError
from sparsedm.models.presets import CLASSES, PRESETS
from sparsedm.models.uvit import UViT, UViTConfig

__all__ = [
    "CLASSES",
    "PRESETS",
    "WEIGHTS_DIR",
    "UViT",
    "UViTConfig",
    "build_model",
    "file_sha256",
    "load_weights",
]

WEIGHTS_DIR = Path(__file__).parent.parent / "weights"
"""Where the weights that ship with the package lie, each with its manifest (NAME.json) beside it."""


def build_model(config: UViTConfig) -> UViT:
    """A freshly initialised network in training mode; weights follow torch's global random state."""
    return UViT(config)


def file_sha256(path: str | Path) -> str:
    """Digest of a file's bytes, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_weights(model: UViT, path: str | Path, sha256: str | None = None) -> str:
    """Loads a safetensors file into `model`, strictly, and returns the file's digest.

    Raises InputError, before anything is changed, when the file is missing, has another digest than
    `sha256`, is not safetensors, or does not hold exactly the model's tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            "PretrainedNotFound", f"There are no weights at {path}: check the path and the volume."
        )
    digest = file_sha256(path)
    if sha256 is not None and digest != sha256.lower():
        raise InputError(
            "PretrainedDigestMismatch",
            f"The weights {path} have digest {digest}, not the expected {sha256.lower()}: "
            "correct the sha256 or fetch the file again.",
        )
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise InputError(
            "PretrainedUnreadable",
            f"The weights {path} are no readable safetensors file ({error}): fetch them again.",
        ) from error
    _check_tensors(model, tensors, path)
    model.load_state_dict(tensors, strict=True)
    return digest


def _check_tensors(model: UViT, tensors: dict, path: Path) -> None:
    """One sentence about the first differences instead of torch's page of names."""
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    problems = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    problems += [f"{name} is unknown" for name in sorted(found.keys() - expected.keys())]
    problems += [
        f"{name} has shape {found[name]} instead of {expected[name]}"
        for name in sorted(expected.keys() & found.keys())
        if found[name] != expected[name]
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise InputError(
            "PretrainedMismatch",
            f"The weights {path} do not fit the model: {'; '.join(problems[:3])}{more}. "
            "Choose the preset or config that they were trained with.",
        )
