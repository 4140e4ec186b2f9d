"""The time of batches of each size."""

from __future__ import annotations

import pytest

from sparsedm.serve.pace import Pace


@pytest.mark.parametrize(("rows", "want"), [(1, 1.0), (2, 3.0), (3, 3.0), (4, 3.0), (8, 6.0)])
def test_a_size_costs_what_the_next_measured_one_does(rows: int, want: float) -> None:
    assert Pace({1: 1.0, 4: 3.0}).seconds(rows) == want


def test_each_size_has_a_running_mean_of_its_own() -> None:
    pace = Pace({1: 1.0, 4: 3.0})
    pace.add(4, 8.0)  # 0.8 of 3 and 0.2 of 8
    pace.add(2, 2.0)
    assert (pace.seconds(1), pace.seconds(2), pace.seconds(3)) == (1.0, 2.0, 4.0)
