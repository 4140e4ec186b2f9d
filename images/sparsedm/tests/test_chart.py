"""Charts: the points that were given, read back from the image through the ticks of its axes."""

import math
import re
from collections.abc import Sequence
from xml.etree import ElementTree

import pytest

from sparsedm.report.chart import Series, chart, ticks
from svg_tools import points_of


def test_the_worked_example_of_ticks() -> None:
    assert ticks(0.12, 0.47) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 1), (0, 20), (0, 300), (0, 500_000), (2e-5, 2e-4), (-3, 7), (0.5, 0.5), (0, 0), (-2, -2)],
)
def test_ticks_are_few_round_and_reach_over_both_ends(low: float, high: float) -> None:
    values = ticks(low, high)
    assert 3 <= len(values) <= 7
    assert values[0] <= low <= high <= values[-1]
    step = values[1] - values[0]
    digits = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert any(digits == pytest.approx(nice) for nice in (1, 2, 2.5, 5))


CURVES: dict[str, Sequence[tuple[float, float]]] = {
    "falling": [(1, 0.9), (2, 0.5), (10, 0.31), (20, 0.3)],
    "tiny values": [(5, 2e-5), (10, 2e-4), (20, 1e-4)],
    "large values": [(1, 1e6), (20, 3.5e6)],
    "negative values": [(0, -5.5), (20, 2.25)],
    "level": [(1, 0.5), (20, 0.5)],
    "one point": [(20, 12.57)],
}


@pytest.mark.parametrize("name", list(CURVES))
def test_points_stand_where_the_axes_say(name: str) -> None:
    want = CURVES[name]
    drawn = points_of(chart("Title", "step", "value", [Series("curve", want)], 20), "curve")
    span = (max(y for _, y in want) - min(y for _, y in want)) or abs(want[0][1])
    assert [x for x, _ in drawn] == pytest.approx([x for x, _ in want], abs=20 / 1000)
    assert [y for _, y in drawn] == pytest.approx([y for _, y in want], abs=span / 1000)


def test_a_level_is_drawn_from_end_to_end_and_dashed() -> None:
    svg = chart(
        "T", "x", "y", [Series("curve", [(5, 1.0), (10, 2.0)]), Series("bar", [(0, 1.5)], level=True)], 10
    )
    assert points_of(svg, "bar") == [pytest.approx((0, 1.5), abs=0.01), pytest.approx((10, 1.5), abs=0.01)]
    assert svg.count("stroke-dasharray") == 1


def test_titles_and_names_are_escaped_and_axes_are_labelled() -> None:
    svg = chart("a < b & c", "step", 'of "x"', [Series('<&">', [(1, 1.0)])], 1)
    root = ElementTree.fromstring(svg)
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {"a < b & c", "step", 'of "x"', '<&">'} <= set(texts)
    assert points_of(svg, '<&">') == [pytest.approx((1, 1), abs=0.01)]


def test_nothing_is_drawn_outside_of_the_image() -> None:
    for points in CURVES.values():
        svg = chart("T", "x", "y", [Series("c", points)], 20)
        places = re.findall(r'(?:points|cx|x1|x2|x)="([^"]+)"', svg)
        numbers = [float(pair.split(",")[0]) for place in places for pair in place.split()]
        assert min(numbers) >= 0
        assert max(numbers) <= 640
