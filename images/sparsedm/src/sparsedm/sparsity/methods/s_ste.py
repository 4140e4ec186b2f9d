"""`s-ste`: a continuous pruning function (Hu, Zhu and Chen, arXiv 2409.09099).

Forward W~ = beta * S(W) with S(w) = sign(w) * relu(|w| - t), where t is the (M - N)-th smallest magnitude of
the group (2:4: the second smallest); backward dL/dW = dL/dW~ = G, straight through. beta makes up for what
the threshold takes away: per tensor it minimises |W - beta * S(W)|^2, so beta = <W, S(W)> / <S(W), S(W)>. It
is computed once, when a stage begins, and fixed after that: the paper found that it grows too large when it
follows the weights.
Worked example (repeated in test_methods.py): W = [1, -4, 2, 3] has S = [0, -2, 0, 1], <W, S> = 11, <S, S> = 5
and beta = 2.2, so W~ = [0, -4.4, 0, 2.2].

S gives extra zeros where magnitudes are equal, so what is not zero is no mask: the mask of the N largest is
kept beside it. When the mask freezes, the weights become beta * S(W) and are trained on as W * m. The paper's
estimator for sparse activation gradients and its FP8 arithmetic save time and change no formula here; they
are left out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sparsedm.sparsity.masks import Masking, soft_threshold
from sparsedm.sparsity.methods.ste import Ste


class SoftStraightThrough(torch.autograd.Function):
    """(W, m, M, beta) -> beta * S(W) with the identity as its gradient."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, mask: Tensor, group: int, scale: float) -> Tensor:
        return scale * soft_threshold(weight, mask, group)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return gradient, None, None, None


class SSte(Ste):
    name = "s-ste"

    def masked_weight(self, weight: Tensor, masking: Masking) -> Tensor:
        if masking.frozen:
            return super().masked_weight(weight, masking)
        return SoftStraightThrough.apply(weight, masking.mask, masking.group, masking.scale)

    @torch.no_grad()
    def begin_stage(self, weight: Tensor, masking: Masking) -> None:
        soft = soft_threshold(weight, masking.mask, masking.group)
        product, square = self.total(torch.stack([(weight * soft).sum(), soft.square().sum()])).tolist()
        masking.scale = product / square if square else 1.0

    @torch.no_grad()
    def freeze(self, weight: Tensor, masking: Masking) -> None:
        weight.copy_(self.sparse_weight(weight, masking))

    @torch.no_grad()
    def sparse_weight(self, weight: Tensor, masking: Masking) -> Tensor:
        if masking.frozen:
            return super().sparse_weight(weight, masking)
        return masking.scale * soft_threshold(weight, masking.mask, masking.group)
