"""`asp`: automatic sparsity (Mishra et al., arXiv 2104.08378): prune once by magnitude, train what is left.

The mask is made from the dense weights before the first step and never moves. At each step of the optimizer
the gradient is masked before it and the weight after it, so that a pruned weight stays 0. The average of the
weights is pruned with them: it would else keep a trace of every dense weight.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sparsedm.sparsity.masks import Masking, apply_mask
from sparsedm.sparsity.methods.base import Layers
from sparsedm.sparsity.methods.ste import Ste


class Asp(Ste):
    name = "asp"
    moves_mask = False

    @torch.no_grad()
    def freeze(self, weight: Tensor, masking: Masking) -> None:
        weight.copy_(apply_mask(weight, masking.mask))

    @torch.no_grad()
    def before_optimizer(self, layers: Layers, learning_rate: float, moved: float) -> None:
        for weight, mask in layers:
            if weight.grad is not None:
                weight.grad.copy_(apply_mask(weight.grad, mask))

    @torch.no_grad()
    def after_optimizer(self, layers: Layers) -> None:
        for weight, mask in layers:
            weight.copy_(apply_mask(weight, mask))
