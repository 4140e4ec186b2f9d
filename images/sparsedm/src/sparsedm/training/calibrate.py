"""Calibration at the start of a run: the criterion of sparsity.maskType judges the masked layers of the
student, which is the dense model then.

All processes run all samples, so that sharded layers are gathered and no sum depends on how many processes
there are; what counts is rank 0's. The factors are part of the run's state, so that a run that resumes does
not calibrate again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from sparsedm.runtime.processes import ProcessGroup
from sparsedm.sparsity.calibration import Sample, judged, moments_of
from sparsedm.sparsity.criteria import Criterion
from sparsedm.sparsity.pattern import Pattern
from sparsedm.sparsity.ranking import CalibratedRanking
from sparsedm.training.run_state import RunState, owner_of


@torch.no_grad()
def calibrate(
    state: RunState,
    criterion: Criterion,
    pattern: Pattern,
    samples: Callable[[], Iterable[Sample]],
    processes: ProcessGroup,
) -> None:
    """Sets the factors of the ranking and, where the criterion changes them, the weights of the student and
    of its average. `samples` gives the same ones whenever it is called."""
    layers, held = state.layers, state.held
    assert isinstance(layers.ranking, CalibratedRanking)
    weights = {name: weight for name, weight, _ in layers.weights()}
    for name, moments in moments_of(state.student, layers.modules, criterion, samples):
        key = f"{name}.weight"
        whole = held.whole(key, weights[name].detach())
        found: list[Tensor | None] = []
        if processes.is_rank_zero:
            made = judged(criterion, layers.modules[name], whole.to(moments.device), moments, pattern)
            # Another process's GPU has another number.
            found = [None if one is None else one.cpu() for one in made]
        factors, start = processes.broadcast(found)
        assert factors is not None
        layers.ranking.factors[name] = held.own(owner_of(name, factors), factors).to(moments.device)
        if start is not None:
            own = held.own(key, start)
            weights[name].copy_(own)
            state.ema.weights[key].copy_(own)
