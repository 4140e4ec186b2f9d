"""Weights from files that run no code: safetensors, or a .pth of tensors only."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sparsedm.errors import InputError

PICKLES = (".pth", ".pt")
PREFIX = "module."
"""What training on several GPUs puts before every name of a published checkpoint."""


def file_sha256(path: str | Path) -> str:
    """Digest of a file's bytes, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_weights(model: nn.Module, path: str | Path, sha256: str | None = None) -> str:
    """Loads a file into `model`, strictly, and returns the file's digest.

    Raises InputError, before anything is changed, when the file is missing, has another digest than
    `sha256`, is not readable, or does not hold exactly the model's tensors.
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
    tensors = read_tensors(path)
    _check_tensors(model, tensors, path)
    model.load_state_dict(tensors, strict=True)
    return digest


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a .pth that holds a plain state dict. Raises InputError."""
    if path.suffix in PICKLES:
        return _without_prefix(_unpickled(path))
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(
            "PretrainedUnreadable",
            f"The weights {path} are no readable safetensors file ({error}): fetch them again.",
        ) from error


def _unpickled(path: Path) -> dict[str, Tensor]:
    """torch's restricted unpickler builds tensors and plain containers, and calls nothing else."""
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            "PretrainedUnreadable",
            f"The weights {path} hold more than tensors ({_culprit(error)}), and unpickling that could run "
            "code: where you trust the file, save its state dict alone with torch.save or as safetensors.",
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(
            "PretrainedUnreadable",
            f"The weights {path} are no readable .pth file ({error}): fetch them again.",
        ) from error
    others = (
        [str(k) for k, v in state.items() if not isinstance(v, Tensor)] if isinstance(state, dict) else []
    )
    if not isinstance(state, dict) or others:
        found = f"it holds {', '.join(others[:5])}" if others else f"it holds a {type(state).__name__}"
        raise InputError(
            "PretrainedUnreadable",
            f"The weights {path} are no plain state dict ({found}): save the state dict of the model (its "
            "moving average, where there is one) alone.",
        )
    return state


def _culprit(error: Exception) -> str:
    """The name that torch refused, out of its page of advice: "GLOBAL argparse.Namespace was not ..."."""
    found = re.search(r"GLOBAL (\S+)", str(error))
    return found[1] if found else "an object"


def _without_prefix(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if tensors and all(name.startswith(PREFIX) for name in tensors):
        return {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}
    return dict(tensors)


def _check_tensors(model: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
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
