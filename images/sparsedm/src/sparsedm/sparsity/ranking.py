"""What decides which weights a mask keeps: in each group the N of highest score stay.

`magnitude` scores by the weights of the moment, so the mask follows the training. `fixed` scores by the dense
weights and `random` by numbers that depend on the seed and the layer's name alone: their masks never move,
and since the scores stay the same, each stage of a schedule masks what the stage before it masked, and more
(where the groups nest, as 4:8 and 6:8 do). The criteria score by the weights of the moment times a factor of
their inputs, which calibration has found on the dense model (calibration.py): these masks follow the training
too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from sparsedm.sparsity.criteria import CRITERIA

MASK_TYPES = ("magnitude", "random", "fixed", *CRITERIA)
MOVING_TYPES = ("magnitude", *CRITERIA)
"""Types whose masks follow the weights."""


class Ranking(Protocol):
    """Scores of a layer's weights, of their shape and on their device; the magnitude counts.

    `moves` is False where the scores do not depend on the weights.
    """

    moves: bool

    def __call__(self, name: str, weight: Tensor) -> Tensor: ...


class MagnitudeRanking:
    moves = True

    def __call__(self, name: str, weight: Tensor) -> Tensor:
        return weight


class FixedRanking:
    """`dense` is the dense model's state dict: it is referred to, not copied."""

    moves = False

    def __init__(self, dense: Mapping[str, Tensor]) -> None:
        self.dense = dense

    def __call__(self, name: str, weight: Tensor) -> Tensor:
        return self.dense[f"{name}.weight"].to(weight.device)


class RandomRanking:
    """Drawn on the CPU, so that a seed means the same masks on every device."""

    moves = False

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, name: str, weight: Tensor) -> Tensor:
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
        return torch.rand(weight.shape, generator=generator).to(weight.device)


class CalibratedRanking:
    """`factors` of each layer broadcast with its weight, or with this process's rows of it; they are there
    once the run has calibrated."""

    moves = True

    def __init__(self) -> None:
        self.factors: dict[str, Tensor] = {}

    def __call__(self, name: str, weight: Tensor) -> Tensor:
        return weight * self.factors[name].to(weight.device)


def build_ranking(mask_type: str, seed: int, dense: Mapping[str, Tensor]) -> Ranking:
    """`mask_type` is one of MASK_TYPES."""
    if mask_type == "magnitude":
        return MagnitudeRanking()
    if mask_type in CRITERIA:
        return CalibratedRanking()
    return FixedRanking(dense) if mask_type == "fixed" else RandomRanking(seed)
