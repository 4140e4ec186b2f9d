"""`sr-ste-decoupled`: SR-STE whose decay is not divided by Adam's second moment.

G alone goes through AdamW. Pruned weights shrink by the factor 1 - eta * lambda beside it (eta is the
learning rate), as AdamW's own weight decay does (Loshchilov and Hutter, arXiv 1711.05101): in `sr-ste` Adam
rescales the decay, so that it is strong where gradients are small and weak where they are large.
Worked example (repeated in test_methods.py): eta = 0.1, lambda = 0.5, W = [1, -4, 2, 3], m = [0, 1, 0, 1]:
before AdamW's step W is [0.95, -4, 1.9, 3].

The default is as strong as SR-STE's with its own. There a step pulls a pruned weight by eta * lambda * w /
sqrt(v), v being Adam's second moment, and here by eta * lambda' * w: the rate drops out, and lambda' is
lambda times the mean of 1 / sqrt(v) over the pruned weights, weighted by w^2. In the shipped model at the
default settings (2:4, batches of 64) that mean goes from 14,000 in step 20 to 14,800 in step 119, so lambda'
is 0.0002 * 14,500 = 2.9, about 3. With 0.0002 a pruned weight would lose 0.001 % of itself in 300 steps at
the default rate of 0.0002; with 3 it loses 16 %. Other models have other gradients: where sqrt(v) is a tenth,
take ten times as much.
"""

from __future__ import annotations

import torch

from sparsedm.sparsity.masks import add_outside
from sparsedm.sparsity.methods.base import Layers
from sparsedm.sparsity.methods.ste import Ste


class SrSteDecoupled(Ste):
    name = "sr-ste-decoupled"
    default_regularization = 3.0

    @torch.no_grad()
    def before_optimizer(self, layers: Layers, learning_rate: float, moved: float) -> None:
        add_outside(((w, w, mask) for w, mask in layers), -learning_rate * self.regularization)
