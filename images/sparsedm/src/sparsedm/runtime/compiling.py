"""torch.compile, where there is what it needs: g++ for a CPU, gcc and Triton for a GPU."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

import torch
from torch import nn

from sparsedm.errors import ConfigError


def compiler_missing(device: torch.device) -> str | None:
    """What torch.compile lacks here, or None where it has everything."""
    if device.type != "cuda":
        return None if _has("g++", "clang++") else "a C++ compiler (g++)"
    if not _has("gcc", "clang", "cc"):
        return "a C compiler (gcc)"
    return None if find_spec("triton") else "the package triton"


def _has(*programs: str) -> bool:
    return any(shutil.which(program) for program in programs)


def compiled(network: nn.Module, device: torch.device) -> nn.Module:
    """The network as a compiled one, which shares its parameters and its masks. The code is made at the first
    calls, and again where a stage's pattern or the end of the masks' moving changes what a layer computes.

    Raises ConfigError where something is missing.
    """
    missing = compiler_missing(device)
    if missing:
        raise ConfigError(
            [
                f"training.compile needs {missing}, which is missing here: use a trainer image that has it "
                "(npm run images -- build trainer --compiler), or leave training.compile out."
            ]
        )
    return torch.compile(network)
