"""Distances with error bars as SVG, a line for each row or over what a model costs: the same values give the
same bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sparsedm.report.chart import ticks
from sparsedm.report.svg import COLOURS, DASHED, GRID, dot, head, line, text
from sparsedm.study.statistics import Spread

WIDTH, LINE = 720, 24
LEFT, RIGHT, TOP, BOTTOM = 230, 24, 48, 44
"""Pixels: of the image, of one row, and of the margins about the plot."""
STEPS = (1, 1.2, 1.5, 2, 3, 4, 5, 6, 8)
"""Ticks within each power of ten."""


@dataclass(frozen=True)
class Dots:
    """One line of the figure: its label and a value for each series that has one."""

    label: str
    values: Sequence[Spread | None]


def dot_figure(
    title: str, x_label: str, series: Sequence[str], lines: Sequence[Dots], level: tuple[str, float] | None
) -> str:
    """An <svg> with a logarithmic axis; `level` is a named value, drawn from top to bottom, dashed.

    Raises ValueError without a single value.
    """
    low, high = _range([v for one in lines for v in one.values if v], [level[1]] if level else [])
    height = TOP + LINE * len(lines) + BOTTOM

    def at(value: float) -> float:
        return LEFT + _share(value, low, high) * (WIDTH - LEFT - RIGHT)

    foot = height - BOTTOM
    parts = [
        *_opening(title, height),
        *(line(at(tick), TOP, at(tick), foot, GRID) for tick in axis_ticks(low, high)),
        *(text(at(tick), foot + 16, f"{tick:g}", "middle") for tick in axis_ticks(low, high)),
        text((LEFT + WIDTH - RIGHT) / 2, height - 8, x_label, "middle"),
    ]
    if level is not None:
        parts.append(line(at(level[1]), TOP, at(level[1]), foot, "#555", DASHED))
        parts.append(text(at(level[1]), TOP - 6, level[0], "middle", ' fill="#555"'))
    if len(series) > 1:
        names = enumerate(series)
        parts += [text(LEFT + 110 * n, 18, name, "start", f' fill="{COLOURS[n]}"') for n, name in names]
    for number, one in enumerate(lines):
        parts += _line(at, one, TOP + LINE * (number + 0.5))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _line(at: Callable[[float], float], one: Dots, y: float) -> list[str]:
    """The label, and the series' dots one below the other."""
    parts = [text(LEFT - 10, y + 4, one.label, "end")]
    for place, value in enumerate(one.values):
        if value is not None:
            parts += _dot(at, value, y + 5 * (2 * place - len(one.values) + 1), COLOURS[place])
    return parts


def _opening(title: str, height: int) -> list[str]:
    """A white image with its title."""
    return [
        *head(title, WIDTH, height, font_size=12),
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        text(8, 18, title, "start", ' font-weight="bold"'),
    ]


def _share(value: float, low: float, high: float) -> float:
    """How far along a logarithmic axis from `low` to `high` a value stands, in [0, 1]."""
    return math.log(min(max(value, low), high) / low) / math.log(high / low)


def axis_ticks(low: float, high: float) -> list[float]:
    """Round values from `low` to `high`. Worked example: 9 to 45 gives 10, 12, 15, 20, 30 and 40."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [step * 10.0**power for power in powers for step in STEPS]
    return [value for value in found if low <= value <= high]


def _range(values: Sequence[Spread], levels: Sequence[float]) -> tuple[float, float]:
    """All dots with their bars, and a little more."""
    if not values:
        raise ValueError("a figure needs at least one value.")
    low = min([v.mean - (v.deviation or 0.0) for v in values] + list(levels))
    high = max([v.mean + (v.deviation or 0.0) for v in values] + list(levels))
    return max(low, 0.1 * min(v.mean for v in values), 1e-3) * 0.9, high * 1.1


@dataclass(frozen=True)
class Curve:
    """`points` (x, distance, label) by rising x; `joined` by a line where they are of one kind."""

    name: str
    points: Sequence[tuple[float, Spread, str]]
    joined: bool = True


HEIGHT, MARGIN = 380, 64
"""Pixels: of the image over a plane, and left of its plot."""


def plane_figure(title: str, x_label: str, y_label: str, curves: Sequence[Curve]) -> str:
    """An <svg> of distances, on a logarithmic axis, over x from 0 on; the second curve has its labels on the
    left. Raises ValueError without a value."""
    points = [point for curve in curves for point in curve.points]
    low, high = _range([value for _, value, _ in points], [])
    across = ticks(0.0, max(x for x, _, _ in points))
    foot, width = HEIGHT - BOTTOM, WIDTH - MARGIN - RIGHT

    def x_at(x: float) -> float:
        return MARGIN + x / across[-1] * width

    def y_at(value: float) -> float:
        return foot - _share(value, low, high) * (foot - TOP)

    middle = (TOP + foot) / 2
    parts = [
        *_opening(title, HEIGHT),
        *(line(x_at(x), TOP, x_at(x), foot, GRID) for x in across),
        *(text(x_at(x), foot + 16, f"{x:g}", "middle") for x in across),
        *(line(MARGIN, y_at(y), WIDTH - RIGHT, y_at(y), GRID) for y in axis_ticks(low, high)),
        *(text(MARGIN - 8, y_at(y) + 4, f"{y:g}", "end") for y in axis_ticks(low, high)),
        text(MARGIN + width / 2, HEIGHT - 8, x_label, "middle"),
        text(16, middle, y_label, "middle", f' transform="rotate(-90 16 {middle:g})"'),
    ]
    for number, curve in enumerate(curves):
        colour = COLOURS[number]
        parts.append(text(LEFT + 110 * number, 18, curve.name, "start", f' fill="{colour}"'))
        drawn = [(x_at(x), value, label) for x, value, label in curve.points]
        if curve.joined:
            places = pairwise((x, y_at(value.mean)) for x, value, _ in drawn)
            parts += [line(*one, *other, colour) for one, other in places]
        aside, anchor = (-7, "end") if number == 1 else (7, "start")
        for x, value, label in drawn:
            y, spread = y_at(value.mean), value.deviation or 0.0
            parts.append(line(x, y_at(value.mean - spread), x, y_at(value.mean + spread), colour))
            parts += [dot(x, y, 3.5, colour), text(x + aside, y + 4, label, anchor, f' fill="{colour}"')]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _dot(at: Callable[[float], float], value: Spread, y: float, colour: str) -> list[str]:
    bar = []
    if value.deviation:
        bar = [line(at(value.mean - value.deviation), y, at(value.mean + value.deviation), y, colour)]
    return [*bar, dot(at(value.mean), y, 3.5, colour)]
