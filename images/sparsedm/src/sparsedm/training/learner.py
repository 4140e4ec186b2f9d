"""One step: the gradient of a batch in parts, clipped and finite; then the optimizer and the EMA.

With several processes, each computes the gradient of its share of the batch, and all use the mean.

`train` walks through a run with it; bench/train_step.py measures the very same step.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from sparsedm.diffusion.objective import Batch, Objective
from sparsedm.errors import Diverged
from sparsedm.runtime.processes import SINGLE_PROCESS, ProcessGroup
from sparsedm.sparsity.layers import MaskedLayers, Selection
from sparsedm.sparsity.methods import Method
from sparsedm.sparsity.ranking import build_ranking
from sparsedm.training.config import TrainingSpec
from sparsedm.training.ema import Ema
from sparsedm.training.optimizer import build_optimizer
from sparsedm.training.recompute import recompute_blocks
from sparsedm.training.run_state import RunState
from sparsedm.training.sharding import Shards, hold, is_sharded

LOSS_SCALE = {"init_scale": 2.0**16, "growth_interval": 2000}
"""fp16: initial loss scale, and the steps without overflow after which it doubles."""


def begin(
    dense: nn.Module,
    selection: Selection,
    method: Method,
    training: TrainingSpec,
    mask_type: str,
    processes: ProcessGroup = SINGLE_PROCESS,
) -> RunState:
    """Student and EMA equal to the dense model, open masks, a fresh optimizer. Where the student is sharded,
    the dense model is left on the CPU."""
    device = next(dense.parameters()).device
    sharded = is_sharded(training.sharding, processes)
    student = copy.deepcopy(dense.cpu() if sharded else dense).requires_grad_(True).train()
    ranking = build_ranking(mask_type, training.seed, dense.state_dict())
    layers = MaskedLayers(student, selection.selected, method.masked_weight, ranking, method.scaling)
    if training.gradient_checkpointing:
        recompute_blocks(student)
    own = hold(student, training.sharding, processes, device)
    own.mask(layers, method)
    optimizer = build_optimizer(training, method, own)
    scaler = own.scaler(device.type, enabled=training.precision == "fp16", **LOSS_SCALE)
    noise = torch.Generator(device).manual_seed(training.seed)
    return RunState(own, Ema(own, training.ema_decay), optimizer, scaler, layers, noise)


class Learner:
    """Advances a run's state step by step.

    `draw` makes the batch of a step, or this process's share of it; `stops` says whether this process has
    received a stop signal.
    """

    def __init__(
        self,
        state: RunState,
        objective: Objective,
        method: Method,
        training: TrainingSpec,
        draw: Callable[[int], Batch],
        stops: Callable[[], bool] = lambda: False,
        processes: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        self.state, self.objective, self.method, self.draw = state, objective, method, draw
        self.stops, self.processes, self.seed = stops, processes, training.seed
        self.parts = training.gradient_accumulation_steps
        self.limit = training.gradient_clip or float("inf")
        if not isinstance(state.held, Shards):
            objective.learning = processes.distributed(objective.learning)

    def step(self, step: int, rate: float, moved: float) -> tuple[float, bool]:
        """Step number `step` at a learning rate of `rate`; returns its loss, and whether any process received
        a stop signal. `moved` as in Method.

        Raises Diverged before the weights are touched.
        """
        state, layers = self.state, self.state.layers
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        loss, stops = self._gradient(step)
        self.method.before_optimizer(layers.parameters(), rate, moved)
        state.scaler.step(state.optimizer)
        state.scaler.update()
        self.method.after_optimizer(layers.parameters())
        state.held.zero_grad()
        state.ema.update(state.held)
        return loss, stops

    def _gradient(self, step: int) -> tuple[float, bool]:
        """The step's loss and the stop flag; the gradient is in place, clipped and finite.

        A gradient that overflows fp16 is computed again, with new noise and a smaller scale. Nothing has
        stepped by then: an overflow costs time, and moves neither schedule, warm-up, data nor EMA.
        """
        state, scaler = self.state, self.state.scaler
        while True:
            loss, stops = self._backward(step).tolist()
            if not math.isfinite(loss):
                raise Diverged(step, "The loss")
            scaler.unscale_(state.optimizer)
            norm = state.held.clip(self.limit)
            if torch.isfinite(norm):
                return loss, stops > 0
            scale = scaler.get_scale()
            state.held.zero_grad()
            if scaler.is_enabled():
                scaler.update()
            if not 1.0 <= scaler.get_scale() < scale:
                raise Diverged(step, "The gradient")
            state.overflows += 1

    def _backward(self, step: int) -> Tensor:
        """Sums the gradients of the batch's parts, as their mean over the processes; returns (2,): the
        mean loss, and a stop flag, above 0 where a process received a stop signal."""
        torch.manual_seed(_dropout_seed(self.seed, step, self.processes.rank))
        numbers = torch.zeros(2, device=self.state.noise.device)
        for number, part in enumerate(self.draw(step).parts(self.parts), start=1):
            with self.processes.backward(self.objective.learning, last=number == self.parts):
                loss = self.objective(part) / self.parts
                self.state.scaler.scale(loss).backward()
            numbers[0] += loss.detach()
        self.state.held.take_gradients()
        numbers[1] = float(self.stops())
        self.processes.all_reduce_mean(numbers)
        return numbers


def _dropout_seed(seed: int, step: int, rank: int) -> int:
    """Seeds a network's own dropout from the step, so that it needs no state in a checkpoint."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1)[0])
