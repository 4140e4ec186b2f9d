"""The gradient that the optimizer is given: clipped by its global norm, as a whole, at its own size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from sparsedm.diffusion.objective import Batch, Objective
from sparsedm.runtime.processes import SINGLE_PROCESS, ProcessGroup
from sparsedm.sparsity.layers import select_layers
from sparsedm.sparsity.methods.ste import Ste
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training import learner as module
from sparsedm.training.config import parse_config
from sparsedm.training.learner import Learner, begin

SPEC = {
    "model": {"preset": "fashion-mnist-uvit-tiny", "pretrained": {"uri": "file:///none.safetensors"}},
    "dataset": {"format": "fashion-mnist", "uri": "file:///none"},
    "output": {"uri": "file:///none"},
}


class TwoWeights(nn.Module):
    """Weights a and b, both 0, so that images of 1 and targets (p, q) give the gradient (-p, -q): that of
    the mean over both channels of (a - p)^2 and (b - q)^2."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = (nn.Linear(1, 1, bias=False) for _ in range(2))
        for weight in self.parameters():
            nn.init.zeros_(weight)

    def forward(self, x: torch.Tensor, t: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        return torch.cat([self.a(x[:, :1]), self.b(x[:, 1:])], dim=1)


class Recording(Ste):
    """Keeps the gradient as it is when it is complete."""

    student: nn.Module
    gradient: torch.Tensor

    def before_optimizer(self, *how: Any) -> None:
        self.gradient = torch.cat([weight.grad.flatten() for weight in self.student.parameters()])


def gradient_of_a_step(
    gradients: list[tuple[float, float]], processes: ProcessGroup = SINGLE_PROCESS, **settings: Any
) -> tuple[torch.Tensor, int]:
    """What the optimizer is given, and the overflows on the way. The images of a batch have the gradients
    one by one, and the batch has their mean."""
    training = parse_config({**SPEC, "training": {"steps": 10, "warmupSteps": 0, **settings}}).training
    dense, method, pattern = TwoWeights(), Recording(), Pattern(2, 4)
    state = begin(dense, select_layers(dense, pattern), method, training, "magnitude")
    method.student = state.student
    targets = -torch.tensor(gradients)
    batch = Batch(torch.ones_like(targets), torch.zeros(len(targets)), None, targets)
    objective = Objective(state.student, None, 0.0, training.precision)
    Learner(state, objective, method, training, lambda step: batch, processes=processes).step(0, 0.1, 0.0)
    return method.gradient, state.overflows


@pytest.mark.parametrize(
    ("limit", "want"),
    [
        pytest.param("1", (0.6, 0.8), id="to the limit, where it is above"),
        pytest.param("4.5", (2.7, 3.6), id="to the limit, though each weight's own gradient is below it"),
        pytest.param("6", (3.0, 4.0), id="not at all below the limit"),
        pytest.param("0", (3.0, 4.0), id="not at all without a limit"),
    ],
)
def test_a_gradient_is_clipped_by_its_global_norm(limit: str, want: tuple[float, float]) -> None:
    found, _ = gradient_of_a_step([(3.0, 4.0)], gradientClip=limit)
    assert found.tolist() == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("limit", ["1", "6", "0"])
@pytest.mark.parametrize(
    ("scale", "overflows"),
    [
        pytest.param(2.0**2, False, id="a small scale"),
        pytest.param(2.0**12, False, id="a large scale"),
        pytest.param(2.0**20, True, id="a scale that overflows at first"),
    ],
)
def test_the_loss_scale_of_fp16_does_not_change_what_is_clipped(
    monkeypatch: pytest.MonkeyPatch, scale: float, overflows: bool, limit: str
) -> None:
    monkeypatch.setattr(module, "LOSS_SCALE", {"init_scale": scale, "growth_interval": 2000})
    found, count = gradient_of_a_step([(3.0, 4.0)], gradientClip=limit, precision="fp16")
    assert found.tolist() == pytest.approx((0.6, 0.8) if limit == "1" else (3.0, 4.0), rel=1e-3)
    assert (count > 0) == overflows


QUARTERS = [(12.0, 0.0), (0.0, 16.0), (12.0, 0.0), (-12.0, 0.0)]
"""Gradients of the images, whose mean is (3, 4). Clipped one by one they would have another direction."""


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(("limit", "want"), [("1", (0.6, 0.8)), ("5.5", (3.0, 4.0))])
def test_the_sum_of_four_parts_is_clipped_and_no_part_of_it(
    limit: str, want: tuple[float, float], precision: str
) -> None:
    found, _ = gradient_of_a_step(
        QUARTERS, gradientClip=limit, gradientAccumulationSteps=4, batchSize=1, precision=precision
    )
    assert found.tolist() == pytest.approx(want, rel=1e-3)


class BesideAnother(ProcessGroup):
    """A process beside one whose gradient is (0, 8)."""

    def distributed(self, network: nn.Module) -> nn.Module:
        return network

    @contextmanager
    def backward(self, network: nn.Module, last: bool) -> Iterator[None]:
        yield
        for weight, other in zip(network.parameters(), (0.0, 8.0), strict=True):
            weight.grad.copy_((weight.grad + other) / 2)

    def all_reduce_mean(self, numbers: torch.Tensor) -> None:
        """Alone with its loss."""


def test_the_mean_over_the_processes_is_clipped_and_not_each_ones_own() -> None:
    found, _ = gradient_of_a_step([(6.0, 0.0)], BesideAnother(0, 2), gradientClip="1")
    assert found.tolist() == pytest.approx((0.6, 0.8), rel=1e-5)
