"""`sr-ste-decoupled`: SR-STE whose decay is not divided by Adam's second moment.

G alone goes through AdamW. Pruned weights shrink by the factor 1 - eta * lambda beside it (eta is the
learning rate), as AdamW's own weight decay does (Loshchilov and Hutter, arXiv 1711.05101): in `sr-ste` Adam
rescales the decay, so that it is strong where gradients are small and weak where they are large.
Worked example (repeated in test_methods.py): eta = 0.1, lambda = 0.5, W = [1, -4, 2, 3], m = [0, 1, 0, 1]:
before AdamW's step W is [0.95, -4, 1.9, 3].
"""

from __future__ import annotations

import torch

from sparsedm.sparsity.masks import add_outside
from sparsedm.sparsity.methods.base import Layers
from sparsedm.sparsity.methods.ste import Ste


class SrSteDecoupled(Ste):
    name = "sr-ste-decoupled"
    default_regularization = 2e-4

    @torch.no_grad()
    def before_optimizer(self, layers: Layers, learning_rate: float, moved: float) -> None:
        add_outside(((w, w, mask) for w, mask in layers), -learning_rate * self.regularization)
