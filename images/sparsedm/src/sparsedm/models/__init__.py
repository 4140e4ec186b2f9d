"""Networks: how to build one from its configuration and how to load weights into it safely.

A network takes noisy images x (B, C, H, W), timesteps t (B,) in [0, 1] and y (labels, text or None), and
gives the predicted noise or v in its first C channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from sparsedm.files import file_sha256
from sparsedm.models.denoisers import DiffusersConfig, build_denoiser
from sparsedm.models.presets import CLASSES, PRESETS
from sparsedm.models.uvit import UViT, UViTConfig
from sparsedm.models.weights import load_weights

__all__ = [
    "CLASSES",
    "PRESETS",
    "WEIGHTS_DIR",
    "DiffusersConfig",
    "ModelConfig",
    "UViT",
    "UViTConfig",
    "build_model",
    "config_from",
    "config_of",
    "file_sha256",
    "load_weights",
]

ModelConfig = UViTConfig | DiffusersConfig

WEIGHTS_DIR = Path(__file__).parent.parent / "weights"
"""Where the weights that ship with the package lie, each with its manifest (NAME.json) beside it."""


def build_model(config: ModelConfig) -> nn.Module:
    """A freshly initialised network in training mode; weights follow torch's global random state."""
    return UViT(config) if isinstance(config, UViTConfig) else build_denoiser(config)


def config_of(model: nn.Module) -> ModelConfig:
    """The configuration that `build_model` made this network from."""
    return model.config if isinstance(model, UViT) else model.sparsedm_config


def config_from(architecture: str, fields: Mapping[str, Any]) -> ModelConfig:
    """From a manifest's `architecture` and `config`. Raises TypeError or ValueError where they don't fit."""
    return UViTConfig(**fields) if architecture == "uvit" else DiffusersConfig(**fields)
