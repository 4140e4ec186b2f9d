"""The learning rate of each step."""

from __future__ import annotations

import pytest

from sparsedm.training.learning_rate import learning_rate_at


@pytest.mark.parametrize(
    ("schedule", "want"),
    [("constant", [0.5, 1, 1, 1, 1, 1]), ("cosine", [0.5, 1, 1, 0.854, 0.5, 0.146])],
)
def test_worked_example(schedule: str, want: list[float]) -> None:
    rates = [learning_rate_at(step, 6, 1.0, 2, schedule) for step in range(6)]
    assert rates == pytest.approx(want, abs=5e-4)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("warmup", [0, 1, 5])
def test_it_rises_to_the_full_rate_and_never_above(schedule: str, warmup: int) -> None:
    rates = [learning_rate_at(step, 50, 0.25, warmup, schedule) for step in range(50)]
    assert max(rates) == rates[max(0, warmup - 1)] == 0.25
    assert min(rates) > 0
    after = rates[warmup:]
    assert after == sorted(after, reverse=True)
