"""`ste`: the straight-through estimator.

Forward W~ = W * m; backward dL/dW = dL/dW~ = G, also where the mask is 0, so that a pruned weight can come
back.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sparsedm.sparsity.masks import Masking, multiplied
from sparsedm.sparsity.methods.base import Method


class StraightThrough(torch.autograd.Function):
    """(W, m) -> W * m with the identity as its gradient."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, mask: Tensor) -> Tensor:
        return multiplied(weight, mask)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


class Ste(Method):
    name = "ste"

    def masked_weight(self, weight: Tensor, masking: Masking) -> Tensor:
        return StraightThrough.apply(weight, masking.mask)
