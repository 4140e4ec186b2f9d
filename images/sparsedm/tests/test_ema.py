"""The average of the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sparsedm.training.ema import Ema, decay_at


@pytest.mark.parametrize(
    ("decay", "updates", "want"),
    [
        (0.99, 0, 0.1),
        (0.99, 1, 2 / 11),
        (0.99, 90, 0.91),
        (0.99, 889, 890 / 899),
        (0.99, 891, 0.99),
        (0.0, 5, 0.0),
    ],
)
def test_decay_warms_up(decay: float, updates: int, want: float) -> None:
    assert decay_at(decay, updates) == pytest.approx(want)


def test_worked_example_first_update_moves_nine_tenths() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    ema = Ema(model, 0.99)
    nn.init.ones_(model.weight)
    ema.update(model)
    assert ema.weights["weight"].item() == pytest.approx(0.9)
    assert ema.updates == 1


def test_averages_parameters_and_copies_buffers() -> None:
    """A buffer is the model's own average or table: an average of it would be neither."""
    model = nn.BatchNorm1d(2)
    ema = Ema(model, 0.5)
    model(torch.randn(4, 2))
    with torch.no_grad():
        model.weight.fill_(3.0)
    ema.update(model)
    assert ema.weights["num_batches_tracked"].item() == 1
    assert torch.equal(ema.weights["running_mean"], model.running_mean)
    assert torch.equal(ema.weights["running_var"], model.running_var)
    assert ema.weights["weight"].tolist() == pytest.approx([2.8, 2.8])  # 1 + 0.9 * 2
    assert list(ema.weights) == list(model.state_dict())
    assert ema.weights["running_mean"].data_ptr() != model.running_mean.data_ptr()
