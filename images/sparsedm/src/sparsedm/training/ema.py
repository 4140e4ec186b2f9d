"""Exponential moving average of the dense weights.

The mask of the exported model is taken from these averaged weights, so the average runs over W, not over W
* m. The decay warms up as min(decay, (1 + n) / (10 + n)) after n updates: a short run is not held back by
its start. Worked example (repeated in test_ema.py): decay 0.99, first update n = 0: the average moves 9/10
of the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from sparsedm.training.sharding import Held


def decay_at(decay: float, updates: int) -> float:
    """The decay used by the update after `updates` earlier ones."""
    return min(decay, (1 + updates) / (10 + updates))


class Ema:
    """Averages the parameters of `model` and copies its buffers, under the model's own state-dict keys."""

    def __init__(self, model: nn.Module | Held, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.weights: dict[str, Tensor] = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self._parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}

    @torch.no_grad()
    def update(self, model: nn.Module | Held) -> None:
        weight = 1.0 - decay_at(self.decay, self.updates)
        state = model.state_dict()
        averaged = [k for k in state if k in self._parameters]
        torch._foreach_lerp_([self.weights[k] for k in averaged], [state[k] for k in averaged], weight)
        for k in state.keys() - set(averaged):
            self.weights[k].copy_(state[k])
        self.updates += 1
