"""Calibration: the network is run on samples, and the inputs of its masked layers say which weights matter.

The inputs are those of the dense network, so that the result does not depend on the order of the layers. Of
each layer its second moments are kept in float32: of d inputs 4 d bytes for a criterion that takes them one
by one, and 4 d^2 bytes for one that correlates them (36 MiB at d = 3,072; 900 MiB at 15,360). As many layers
as PASS_BYTES hold are watched in one pass over the samples, one at least.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparsedm.sparsity.criteria import Criterion
from sparsedm.sparsity.masks import input_last
from sparsedm.sparsity.pattern import Pattern

Sample = tuple[Callable[[], Any], Tensor]
"""A forward pass of the network, and the weight of each of its rows, (rows,)."""
PASS_BYTES = 2**30
MOST_WEIGHT, LEAST_WEIGHT = 1.2, 0.8
"""Of the first and the last denoising step, in the code of OBS-Diff."""


def step_weights(position: Tensor, steps: int) -> Tensor:
    """What a token counts that belongs to step `position` (0 is the first, of pure noise) of `steps`: 0.8 +
    0.4 ln(steps - position) / ln(steps), falling from 1.2 to 0.8 (OBS-Diff, arXiv 2510.06751): an error made
    early is carried on by all later steps.

    Worked example (repeated in test_criteria.py): of 4 steps the third counts 0.8 + 0.4 ln 2 / ln 4 = 1.
    """
    if steps == 1:
        return torch.full_like(position, MOST_WEIGHT, dtype=torch.float32)
    left = (steps - position.float()).clamp(1, steps)
    return LEAST_WEIGHT + (MOST_WEIGHT - LEAST_WEIGHT) * left.log() / math.log(steps)


def position_of(t: Tensor, steps: int) -> Tensor:
    """(B,) step of `steps` equal parts of [0, 1] in which training times t (B,) lie; 1 is pure noise."""
    return ((1.0 - t) * steps).floor().clamp(0, steps - 1)


def groups_of(module: nn.Module) -> int:
    return module.groups if isinstance(module, nn.Conv2d) else 1


def matrices(weight: Tensor, groups: int) -> Tensor:
    """(G, O / G, d) of a weight (O, I) or (O, C, kh, kw)."""
    last = input_last(weight)
    return last.reshape(groups, last.shape[0] // groups, -1)


def weight_of(matrices: Tensor, shape: torch.Size) -> Tensor:
    """Undoes `matrices`."""
    if len(shape) == 2:
        return matrices.reshape(shape)
    outputs, channels, height, width = shape
    return matrices.reshape(outputs, height, width, channels).permute(0, 3, 1, 2).contiguous()


def inputs_of(module: nn.Module, x: Tensor) -> Tensor:
    """(G, tokens, d): what each output is a product with, in the order of `matrices`."""
    if not isinstance(module, nn.Conv2d):
        return x.reshape(1, -1, x.shape[-1])
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    padded = F.pad(x, module._reversed_padding_repeated_twice, mode)
    patches = F.unfold(padded, module.kernel_size, module.dilation, 0, module.stride)
    places = math.prod(module.kernel_size)
    parts = patches.reshape(len(x), module.groups, -1, places, patches.shape[-1])
    return parts.permute(1, 0, 4, 3, 2).reshape(module.groups, -1, places * parts.shape[2])


class Moments:
    """The mean of x^2, or of x x^T, over the tokens that a layer has seen, weighted."""

    def __init__(self, module: nn.Module, correlates: bool) -> None:
        self.module, self.correlates = module, correlates
        self.sum: Tensor | None = None
        self.count = 0.0

    def add(self, x: Tensor, weights: Tensor) -> None:
        """weights: (rows,), of rows that follow each other in the first dimension of x."""
        each = weights.mean() if len(x) % len(weights) else weights.repeat_interleave(len(x) // len(weights))
        x = x.float() * each.sqrt().reshape(-1, *[1] * (x.dim() - 1))
        inputs = inputs_of(self.module, x)
        found = inputs.transpose(1, 2) @ inputs if self.correlates else inputs.square().sum(1)
        self.sum = found if self.sum is None else self.sum.add_(found)
        self.count += float(each.mean()) * inputs.shape[1]

    def mean(self) -> Tensor:
        """(G, d), or (G, d, d)."""
        assert self.sum is not None
        return self.sum / self.count


@torch.no_grad()
def moments_of(
    network: nn.Module,
    modules: dict[str, nn.Module],
    criterion: Criterion,
    samples: Callable[[], Iterable[Sample]],
) -> Iterator[tuple[str, Tensor]]:
    """Of each module, in their order, as many passes over the samples as the memory asks for. A module that
    no sample reaches has moments of 0."""
    was_training = network.training
    network.eval()
    try:
        for names in passes({name: _bytes(module, criterion) for name, module in modules.items()}):
            watched = {name: Moments(modules[name], criterion.correlates) for name in names}
            with _watching(watched) as told:
                for forward, weights in samples():
                    told[:] = [weights if criterion.weighted else torch.ones_like(weights)]
                    forward()
            for name, moments in watched.items():
                yield name, _zeros(modules[name], criterion) if moments.sum is None else moments.mean()
                moments.sum = None
    finally:
        network.train(was_training)


def passes(sizes: dict[str, int]) -> Iterator[list[str]]:
    """Names in order, cut into lists of PASS_BYTES together, or of one larger one."""
    names: list[str] = []
    total = 0
    for name, size in sizes.items():
        if names and total + size > PASS_BYTES:
            yield names
            names, total = [], 0
        names.append(name)
        total += size
    if names:
        yield names


def _shape(module: nn.Module, criterion: Criterion) -> tuple[int, ...]:
    weight = module._parameters["weight"]
    size = math.prod(weight.shape[1:])
    return (groups_of(module), size, size) if criterion.correlates else (groups_of(module), size)


def _bytes(module: nn.Module, criterion: Criterion) -> int:
    return 4 * math.prod(_shape(module, criterion))


def _zeros(module: nn.Module, criterion: Criterion) -> Tensor:
    return torch.zeros(_shape(module, criterion), device=module._parameters["weight"].device)


@contextmanager
def _watching(watched: dict[str, Moments]) -> Iterator[list[Tensor]]:
    """Gives a list whose one entry says what the rows of the next pass weigh."""
    told: list[Tensor] = []

    def seeing(moments: Moments) -> Callable[[nn.Module, Sequence[Tensor]], None]:
        return lambda module, inputs: moments.add(inputs[0], told[0])

    hooks = [one.module.register_forward_pre_hook(seeing(one)) for one in watched.values()]
    try:
        yield told
    finally:
        for hook in hooks:
            hook.remove()


def judged(
    criterion: Criterion, module: nn.Module, weight: Tensor, moments: Tensor, pattern: Pattern
) -> tuple[Tensor, Tensor | None]:
    """A layer's factors, of a shape that its weight broadcasts with, and the weights to begin with, None
    where they stay. `weight` is the whole one."""
    groups, shape = groups_of(module), weight.shape
    factors = criterion.factors(moments)
    rows = factors[:, None, :].expand(groups, shape[0] // groups if groups > 1 else 1, -1)
    shaped = weight_of(rows, torch.Size([rows.shape[0] * rows.shape[1], *shape[1:]])).float()
    start = criterion.start(matrices(weight, groups), moments, pattern)
    return shaped, None if start is None else weight_of(start, shape).to(weight.dtype)
