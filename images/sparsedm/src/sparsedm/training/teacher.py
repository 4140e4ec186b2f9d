"""The network that the student follows: the dense model it starts from, or the one that model.teacher names,
such as the original model of a smaller student."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sparsedm.measure.macs import Macs, count_macs
from sparsedm.models import build_model, load_weights
from sparsedm.training.config import TrainConfig
from sparsedm.training.plan import teacher_model


@dataclass(frozen=True)
class Teacher:
    """`weight` is alpha. `passes` is a forward pass of the teacher in forward passes of the student, by their
    multiply-accumulates with attention."""

    network: nn.Module
    uri: str
    sha256: str
    weight: float
    passes: float

    def provenance(self) -> dict[str, Any]:
        return {
            "teacher": self.uri,
            "teacherSha256": self.sha256,
            "distillationWeight": f"{self.weight:g}",
        }


def open_teacher(
    config: TrainConfig, dense: nn.Module, dense_sha256: str | None, macs: Macs, device: torch.device
) -> Teacher | None:
    """None where nothing is followed. Raises InputError for weights that are missing, do not fit or are not
    finite, and ConfigError for a network that predicts in another space."""
    weight, spec = config.distillation_weight, config.model.teacher
    if not weight:
        return None
    if spec is None:
        return Teacher(dense, config.model.pretrained_uri or "", dense_sha256 or "", weight, 1.0)
    network_config, path = teacher_model(config)
    network, uri = build_model(network_config), spec.pretrained_uri or ""
    sha256 = load_weights(network, path or uri, spec.pretrained_sha256)
    passes = count_macs(network_config).total_dense / max(1, macs.total_dense)
    network.to(device).eval().requires_grad_(False)
    return Teacher(network, uri, sha256, weight, passes)
