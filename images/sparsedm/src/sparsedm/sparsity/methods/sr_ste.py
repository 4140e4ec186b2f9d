"""`sr-ste`: sparse-refined STE, the "improved STE" of SparseDM.

The gradient handed to AdamW is G + lambda * (1 - m) * W: pruned weights decay, so that the mask settles.
Worked example (repeated in test_methods.py): lambda = 0.5, W = [1, -4, 2, 3], m = [0, 1, 0, 1], G = [1, 1,
1, 1] gives [1.5, 1, 2, 1].
"""

from __future__ import annotations

import torch

from sparsedm.sparsity.masks import add_outside
from sparsedm.sparsity.methods.base import Layers
from sparsedm.sparsity.methods.ste import Ste


class SrSte(Ste):
    name = "sr-ste"
    default_regularization = 2e-4

    @torch.no_grad()
    def before_optimizer(self, layers: Layers, learning_rate: float, moved: float) -> None:
        with_gradient = ((w.grad, w, mask) for w, mask in layers if w.grad is not None)
        add_outside(with_gradient, self.regularization)
