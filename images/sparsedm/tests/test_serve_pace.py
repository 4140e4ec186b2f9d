"""The time of steps, and when images are ready."""

from __future__ import annotations

import pytest

from sparsedm.serve.pace import Pace, ends


@pytest.mark.parametrize(("rows", "want"), [(1, 1.0), (2, 3.0), (3, 3.0), (4, 3.0), (8, 6.0)])
def test_a_size_costs_what_the_next_measured_one_does(rows: int, want: float) -> None:
    assert Pace({1: 1.0, 4: 3.0}).seconds(rows) == want


def test_each_size_has_a_running_mean_of_its_own() -> None:
    pace = Pace({1: 1.0, 4: 3.0})
    pace.add(4, 8.0)  # 0.99 of 3 and 0.01 of 8
    pace.add(2, 2.0)
    assert (pace.seconds(1), pace.seconds(2)) == (1.0, 2.0)
    assert pace.seconds(3) == pytest.approx(3.05)


def test_many_steps_say_more_than_one() -> None:
    together, apart = Pace({4: 3.0}), Pace({4: 3.0})
    together.add(4, 8.0, steps=20)
    for _ in range(20):
        apart.add(4, 8.0)
    assert together.seconds(4) == pytest.approx(apart.seconds(4))
    assert together.seconds(4) == pytest.approx(3.91, abs=0.01)


@pytest.mark.parametrize(
    ("drawing", "waiting", "places", "want"),
    [
        ([3], [4, 1, 1], 2, [4, 4, 5]),
        ([], [2, 2, 2], 2, [2, 2, 4]),
        ([1, 5], [3], 2, [4]),
        ([], [], 2, []),
    ],
)
def test_an_image_takes_the_first_place_to_become_free(
    drawing: list[int], waiting: list[int], places: int, want: list[int]
) -> None:
    assert list(ends(drawing, waiting, places)) == want
