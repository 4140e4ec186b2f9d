"""`cast`: continuous adaptive sparse training (Huang et al., arXiv 2509.25996).

Until the mask freezes, the forward pass uses W itself: nothing jumps. The optimizer pulls the weights outside
the mask to zero by an L1 decay beside Adam's rescaled step, |w| <- max(|w| - eta * lambda_t, 0), and the mask
is recomputed every 10 steps, so that a weight whose gradient resists the pull can trade places with one that
gives in. lambda_t rises linearly to lambda where the mask freezes. The dense model teaches (self-teacher).
From the freeze on, what is left outside the mask is cut and the model settles under W * m.
Worked example (repeated in test_methods.py): eta = 0.1, lambda = 4, half of the way: the decay of the step is
0.2, and W = [1, -4, 0.1, -3] with m = [0, 1, 0, 1] becomes [0.8, -4, 0, -3].

A module scales weights up again, to make up for the decay: each row of W is cut into n = 2 equal parts, and
each part has a factor of its own that begins at 1 and is learned with W: W~ = A * W. The mask ranks W itself.
When the weights are exported the factors are folded into them, which turns no zero into anything else. (The
paper's equations 11 and 12, algorithm 2 and section VI-A, as a public account of it quotes them.)
Worked example (repeated in test_masks.py): [1, -4, 2, 3] with A = [2, 0.5] is [2, -8, 1, 1.5].

What differs from the paper: its decay enters Adam's first moment and is rescaled with it (AdamS), while this
one is added after Adam's step and is the same for all weights, as Adam's steps nearly are. That the parts of
a row lie side by side, and that the factors learn at the rate of the weights, are choices of this module.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sparsedm.masks import Masking, scale_parts
from sparsedm.methods.base import Layers
from sparsedm.methods.ste import Ste

PARTS = 2
"""n of the paper, for all its models."""


class Cast(Ste):
    name = "cast"
    mask_update_steps = 10

    def scaling(self, weight: Tensor) -> Tensor:
        return weight.new_ones(weight.shape[0], PARTS if weight.shape[1] % PARTS == 0 else 1)

    def masked_weight(self, weight: Tensor, masking: Masking) -> Tensor:
        weight = super().masked_weight(weight, masking) if masking.frozen else weight
        return weight if masking.scaling is None else scale_parts(weight, masking.scaling)

    @torch.no_grad()
    def sparse_weight(self, weight: Tensor, masking: Masking) -> Tensor:
        scaled = weight if masking.scaling is None else scale_parts(weight, masking.scaling)
        return super().sparse_weight(scaled, masking)

    @torch.no_grad()
    def after_optimizer(self, layers: Layers, learning_rate: float, moved: float) -> None:
        decay = learning_rate * self.l1_decay * moved
        for weight, mask in layers:
            shrunk = torch.copysign((weight.abs() - decay).relu(), weight)
            weight.copy_(torch.where(mask, weight, shrunk))

    @property
    def distillation_weight(self) -> float:
        return self.distillation
