"""What steps the weights (`training.optimizer`), and the memory that it keeps for that.

AdamW keeps two moments of each weight. Adafactor (Shazeer and Stern, arXiv 1804.04235) keeps, of a matrix
with n outputs and m inputs, the means of its squared gradient along n rows and m columns, and no first
moment: n + m numbers instead of 2 n m.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import torch
from torch import nn

from sparsedm.sparsity.methods import Method
from sparsedm.training.config import TrainingSpec

SMALLEST_SCALE = 1.0
"""Adafactor scales the learning rate by max(SMALLEST_SCALE, root mean square of the weight), which is 1 for
all but a few norms: the learning rate is then the size of a step, as AdamW's is."""


class Adafactor(torch.optim.Adafactor):
    """torch's, which factors the last two dimensions: of a convolution those would be the kernel's own, so it
    sees such a weight as the matrix of its outputs and all of their inputs. Steps have no history but of
    their squares; the decay of those is 1 - step^-0.8."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float) -> None:
        super().__init__(parameters, lr, eps=(None, SMALLEST_SCALE), weight_decay=weight_decay)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        kernels = [
            (parameter, parameter.data, parameter.grad)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.dim() > 2 and parameter.grad is not None
        ]
        for parameter, data, gradient in kernels:
            parameter.grad, parameter.data = None, data.view(len(data), -1)
            parameter.grad = gradient.reshape(len(data), -1)
        super().step(closure)
        for parameter, data, gradient in kernels:
            parameter.grad, parameter.data = None, data
            parameter.grad = gradient


def build_optimizer(
    training: TrainingSpec, method: Method, parameters: list[nn.Parameter]
) -> torch.optim.Optimizer:
    """One group with all parameters."""
    if training.optimizer == "adafactor":
        return Adafactor(parameters, training.learning_rate, training.weight_decay)
    return method.optimizer(
        parameters,
        lr=training.learning_rate,
        betas=training.betas,
        weight_decay=training.weight_decay,
        fused=True,
    )


def state_bytes(optimizer: str, network: nn.Module) -> int:
    """Of float32 states of all parameters; a count of steps for each is left out."""
    shapes = [tuple(parameter.shape) for parameter in network.parameters()]
    if optimizer == "adafactor":
        return 4 * sum(s[0] + prod(s[1:]) if len(s) > 1 else prod(s) for s in shapes)
    return 8 * sum(map(prod, shapes))
