"""The record of a training: bounded, true to the steps, and the same after an interruption."""

import json

import pytest

from sparsedm.report.curve import Curve, Point


def recorded(count: int, limit: int = 4) -> Curve:
    """Step i has loss i, learning rate i / 10 and 2 i moves, from 1 on."""
    curve = Curve(limit)
    for i in range(1, count + 1):
        curve.add(float(i), i / 10, 2 * i)
    return curve


def test_the_worked_example() -> None:
    assert [(p.step, p.loss) for p in recorded(5).points()] == [(2, 1.5), (4, 3.5), (5, 5.0)]


def test_few_steps_are_all_there() -> None:
    assert list(recorded(3).points()) == [
        Point(1, 1.0, 0.1, 2.0),
        Point(2, 2.0, 0.2, 4.0),
        Point(3, 3.0, 0.3, 6.0),
    ]


@pytest.mark.parametrize("count", [1, 4, 5, 9, 17, 100, 1023])
def test_every_step_is_in_exactly_one_of_few_points(count: int) -> None:
    points = list(recorded(count).points())
    assert len(points) <= 4
    assert points[-1].step == count
    starts = [0, *(p.step for p in points)]
    for start, point in zip(starts, points, strict=False):
        steps = range(start + 1, point.step + 1)
        assert point.loss == pytest.approx(sum(steps) / len(steps))
        assert point.flips == pytest.approx(2 * sum(steps) / len(steps))
        assert point.rate == point.step / 10


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 12, 29])
def test_an_interrupted_record_equals_the_undisturbed_one(cut: int) -> None:
    resumed = Curve(4)
    resumed.restore(json.loads(json.dumps(recorded(cut).state())))
    for i in range(cut + 1, 31):
        resumed.add(float(i), i / 10, 2 * i)
    assert resumed.state() == recorded(30).state()


def test_a_half_million_steps_take_little_room() -> None:
    curve = Curve()
    for _ in range(500_000):
        curve.add(0.123456789, 2e-4, 123)
    assert len(json.dumps(curve.state())) < 40_000
    assert 200 <= len(list(curve.points())) <= 400
