"""What steps the weights (`training.optimizer`), and the memory that it keeps for that.

AdamW keeps two moments of each weight. Adafactor (Shazeer and Stern, arXiv 1804.04235) keeps, of a matrix
with n outputs and m inputs, the means of its squared gradient along n rows and m columns, and no first
moment: n + m numbers instead of 2 n m.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import ClassVar

import torch
from torch import Tensor, nn

from sparsedm.sparsity.methods import Method
from sparsedm.training.config import TrainingSpec
from sparsedm.training.sharding import Held, Shards

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
            parameter.grad, parameter.data = None, _matrix(data)
            parameter.grad = gradient.reshape(parameter.shape)
        super().step(closure)
        for parameter, data, gradient in kernels:
            parameter.grad, parameter.data = None, data
            parameter.grad = gradient


class ShardedAdafactor(Adafactor):
    """The same where each process holds some rows of each weight: the means of columns, and the sizes of a
    weight and of its step, are over the rows of all of them. The sums of all weights travel together, three
    times in a step."""

    shared: ClassVar = ("col_var",)
    """States that are equal in all processes, and no rows."""

    def __init__(self, shards: Shards, lr: float, weight_decay: float) -> None:
        super().__init__(shards.parameters(), lr, weight_decay)
        self.shards = shards
        self.shapes = [shards.shapes[name] for name, _ in shards.named_parameters()]

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        group = self.param_groups[0]
        learning = [
            (_matrix(parameter), _matrix(parameter.grad), self._state_of(parameter), shape)
            for parameter, shape in zip(group["params"], self.shapes, strict=True)
            if parameter.grad is not None
        ]
        sums = self._total([_sums(weight, gradient) for weight, gradient, _, _ in learning])
        for (_, gradient, state, shape), own in zip(learning, sums, strict=True):
            state["step"] += 1
            share = float(state["step"]) ** group["beta2_decay"]
            if "variance" in state:
                state["variance"].lerp_(gradient.square(), share)
            else:
                state["row_var"].lerp_(gradient.square().mean(1, keepdim=True), share)
                state["col_var"].lerp_(own[None, 1:] / shape[0], share)
        rows = self._total([_rows(state, own) for (_, _, state, _), own in zip(learning, sums, strict=True)])
        means = [total / shape[0] for total, (*_, shape) in zip(rows, learning, strict=True)]
        sizes = self._total(
            [
                _direction(gradient, state, mean).square().sum()
                for (_, gradient, state, _), mean in zip(learning, means, strict=True)
            ]
        )
        for (weight, gradient, state, shape), own, mean, size in zip(
            learning, sums, means, sizes, strict=True
        ):
            scale = max(SMALLEST_SCALE, float(own[0] / prod(shape)) ** 0.5)
            rate = scale * min(group["lr"], float(state["step"]) ** -0.5)
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            longest = max(1.0, float(size / prod(shape)) ** 0.5)
            weight.add_(_direction(gradient, state, mean), alpha=-rate / longest)

    def _state_of(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        state, rows = self.state[parameter], _matrix(parameter)
        if not state:
            state["step"] = torch.zeros(())
            if rows.dim() > 1:
                state["row_var"] = rows.new_zeros(len(rows), 1)
                state["col_var"] = rows.new_zeros(1, rows.shape[1])
            else:
                state["variance"] = torch.zeros_like(rows)
        return state

    def _total(self, own: list[Tensor]) -> list[Tensor]:
        """Each summed over the processes."""
        whole = self.shards.total(torch.cat([each.reshape(-1) for each in own]))
        return list(whole.split([each.numel() for each in own]))


def _matrix(weight: Tensor) -> Tensor:
    """Outputs and all of their inputs, in the same memory; a vector as it is."""
    own = weight.detach()
    return own.view(len(own), prod(own.shape[1:])) if own.dim() > 2 else own


def _sums(weight: Tensor, gradient: Tensor) -> Tensor:
    """Of the squares of a weight, then of those of its gradient in each column where it has some."""
    size = weight.square().sum()[None]
    return torch.cat([size, gradient.square().sum(0)]) if weight.dim() > 1 else size


def _rows(state: Mapping[str, Tensor], like: Tensor) -> Tensor:
    """The sum of the means of rows; 0 of a vector, which has none."""
    return state["row_var"].sum() if "row_var" in state else like.new_zeros(())


def _direction(gradient: Tensor, state: Mapping[str, Tensor], mean: Tensor) -> Tensor:
    """G / sqrt(V), as torch's has it; `mean` is that of all rows."""
    smallest = torch.finfo(gradient.dtype).eps
    if "variance" in state:
        estimate = state["variance"].clone()
    else:
        estimate = state["row_var"] @ state["col_var"] / mean.clamp(min=smallest)
    return estimate.clamp_(min=smallest**2).rsqrt_().mul_(gradient)


def build_optimizer(training: TrainingSpec, method: Method, held: Held) -> torch.optim.Optimizer:
    """One group with all parameters."""
    if training.optimizer == "adafactor":
        if isinstance(held, Shards):
            return ShardedAdafactor(held, training.learning_rate, training.weight_decay)
        return Adafactor(held.parameters(), training.learning_rate, training.weight_decay)
    return method.optimizer(
        held.parameters(),
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
