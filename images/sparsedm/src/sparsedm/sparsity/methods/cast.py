"""`cast`: continuous adaptive sparse training (Huang et al., arXiv 2509.25996).

Until the mask freezes, the forward pass uses W itself: nothing jumps. AdamS, the paper's optimizer, pulls the
weights outside the mask to zero, and the mask is recomputed every 10 steps, so that a weight whose gradient
resists the pull can trade places with one that gives in. The dense model teaches by default (self-teacher).
From the freeze on, what is left outside the mask is cut and the model settles under W * m, which the paper
leaves out.

AdamS (algorithm 1 there) takes the weights under a mask, with step t of T, gradient g and a = t / T:

    mu <- b1 mu + (1 - b1) g
    mu~ = mu where m = 1, (1 - a) mu + a lambda sign(w) where m = 0
    v <- b2 v + (1 - b2) mu~^2
    w <- w - eta (mu~ / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)

The pull never enters mu, so it has no history, and since v is made of mu~ it is rescaled like any gradient:
at the end a weight outside the mask goes to zero by eta a step, however small lambda is. lambda only says how
early the pull wins. Worked example (repeated in test_methods.py): b1 = b2 = 0.5, eta = 0.1, lambda = 4, a =
0.5, W = [1, -4, -2, 3], g = 1 and m = [0, 1, 0, 1]. The first step has mu = 0.5 and mu~ = [2.25, 0.5, -1.75,
0.5]; v makes 1 or -1 of each, and 1 - b1 makes that twice as much: W = [0.8, -4.2, -1.8, 2.8].

A module scales weights up again, to make up for the decay: each row of W is cut into n = 2 equal parts, and
each part has a factor of its own that begins at 1 and is learned with W: W~ = A * W. The mask ranks W itself.
When the weights are exported the factors are folded into them, which turns no zero into anything else. (The
paper's equations 11 and 12, algorithm 2 and section VI-A, as a public account of it quotes them.)
Worked example (repeated in test_masks.py): [1, -4, 2, 3] with A = [2, 0.5] is [2, -8, 1, 1.5].

Choices of this module: T is the step at which the mask freezes; AdamW's weight decay stays beside the pull;
the parts of a row lie side by side; the factors learn at the rate of the weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from sparsedm.sparsity.masks import Masking, scale_parts
from sparsedm.sparsity.methods.base import Layers
from sparsedm.sparsity.methods.ste import Ste

PARTS = 2
"""n of the paper, for all its models."""


class AdamS(torch.optim.AdamW):
    """AdamW, but for the layers that `pull` names, for the next step: those take AdamS's.

    The state has AdamW's names. Not for gradients that are not finite.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], l1_decay: float, **settings: Any) -> None:
        super().__init__(parameters, **settings)
        self.l1_decay = l1_decay
        self.pull([], 0.0)

    def pull(self, layers: Layers, share: float) -> None:
        """layers: (weight, mask), share: t / T."""
        self.pulled, self.share = list(layers), share

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        gradients = [weight.grad for weight, _ in self.pulled]
        for weight, _ in self.pulled:
            weight.grad = None
        super().step(closure)
        for (weight, mask), gradient in zip(self.pulled, gradients, strict=True):
            if gradient is not None:
                self._step(weight, mask, gradient)

    def _step(self, weight: nn.Parameter, mask: Tensor, gradient: Tensor) -> None:
        settings, state = self.param_groups[0], self.state[weight]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
        state["step"] += 1
        steps, (beta1, beta2), rate = state["step"].item(), settings["betas"], settings["lr"]
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.lerp_(gradient, 1 - beta1)
        pulled = weight.sign().mul_(self.share * self.l1_decay).add_(mean, alpha=1 - self.share)
        move = torch.where(mask, mean, pulled)
        square.mul_(beta2).addcmul_(move, move, value=1 - beta2)
        size = square.div(1 - beta2**steps).sqrt_().add_(settings["eps"])
        weight.mul_(1 - rate * settings["weight_decay"])
        weight.addcdiv_(move, size, value=-rate / (1 - beta1**steps))


class Cast(Ste):
    name = "cast"
    mask_update_steps = 10
    default_distillation = 0.1

    def scaling(self, weight: Tensor) -> Tensor:
        return weight.new_ones(weight.shape[0], PARTS if weight.shape[1] % PARTS == 0 else 1)

    def masked_weight(self, weight: Tensor, masking: Masking) -> Tensor:
        weight = super().masked_weight(weight, masking) if masking.frozen else weight
        return weight if masking.scaling is None else scale_parts(weight, masking.scaling)

    @torch.no_grad()
    def sparse_weight(self, weight: Tensor, masking: Masking) -> Tensor:
        scaled = weight if masking.scaling is None else scale_parts(weight, masking.scaling)
        return super().sparse_weight(scaled, masking)

    def optimizer(self, parameters: Iterable[nn.Parameter], **settings: Any) -> AdamS:
        self._adams = AdamS(parameters, self.l1_decay, **settings)
        return self._adams

    def before_optimizer(self, layers: Layers, learning_rate: float, moved: float) -> None:
        self._adams.pull(layers, moved)
