"""`cast`: continuous adaptive sparse training (Huang et al., arXiv 2509.25996).

Until the mask freezes, the forward pass uses W itself: nothing jumps. The optimizer pulls the weights outside
the mask to zero by an L1 decay beside Adam's rescaled step, |w| <- max(|w| - eta * lambda_t, 0), and the mask
is recomputed every 10 steps, so that a weight whose gradient resists the pull can trade places with one that
gives in. lambda_t rises linearly to lambda where the mask freezes. The dense model teaches (self-teacher).
From the freeze on, what is left outside the mask is cut and the model settles under W * m.
Worked example (repeated in test_methods.py): eta = 0.1, lambda = 4, half of the way: the decay of the step is
0.2, and W = [1, -4, 0.1, -3] with m = [0, 1, 0, 1] becomes [0.8, -4, 0, -3].

Two things differ from the paper: its decay adapts to each weight, while this one is the same for all, as
Adam's steps nearly are; and its module that scales weights up again, to make up for the decay, is left out.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sparsedm.masks import Masking
from sparsedm.methods.base import Layers
from sparsedm.methods.ste import Ste


class Cast(Ste):
    name = "cast"
    mask_update_steps = 10

    def masked_weight(self, weight: Tensor, masking: Masking) -> Tensor:
        return super().masked_weight(weight, masking) if masking.frozen else weight

    @torch.no_grad()
    def after_optimizer(self, layers: Layers, learning_rate: float, moved: float) -> None:
        decay = learning_rate * self.l1_decay * moved
        for weight, mask in layers:
            shrunk = torch.copysign((weight.abs() - decay).relu(), weight)
            weight.copy_(torch.where(mask, weight, shrunk))

    @property
    def distillation_weight(self) -> float:
        return self.distillation
