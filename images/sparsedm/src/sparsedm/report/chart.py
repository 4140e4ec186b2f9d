"""Curves as SVG, for a page that needs nothing else: the same values give the same bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from sparsedm.report.svg import COLOURS, DASHED, GRID, dot, head, line, number, text

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 76, 16, 34, 44
"""Margins about the plot in pixels; the labels of the axes stand in them."""
_MARKED = 30
"""Curves with at most that many points show them."""


@dataclass(frozen=True)
class Series:
    """`points` (x, y) by rising x; a level is drawn from end to end, dashed."""

    name: str
    points: Sequence[tuple[float, float]]
    level: bool = False


def chart(title: str, x_label: str, y_label: str, series: Sequence[Series], x_end: float) -> str:
    """An <svg> with axes, ticks, legend and one line for each series; x runs from 0 to `x_end`."""
    values = [y for one in series for _, y in one.points]
    across, up = ticks(0.0, x_end), ticks(min(values), max(values))
    x_high, y_low, y_high = max(x_end, across[-1]), up[0], up[-1]

    def at(x: float, y: float) -> tuple[float, float]:
        inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        right, above = x / x_high * inner_width, (y - y_low) / (y_high - y_low) * inner_height
        return LEFT + right, HEIGHT - BOTTOM - above

    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts = [
        *head(title, WIDTH, HEIGHT, font_size=11),
        text(LEFT, 14, title, "start", ' font-weight="bold"'),
        *(_tick(*at(x, y_low), written(x), below=True) for x in across),
        *(_tick(*at(0.0, y), written(y), below=False) for y in up),
        text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_label, "middle", ' class="x-label"'),
        text(14, middle, y_label, "middle", f' class="y-label" transform="rotate(-90 14 {number(middle)})"'),
    ]
    for place, one in enumerate(series):
        drawn = [at(x, y) for x, y in _from_end_to_end(one, x_high)]
        parts += _line(one, drawn, COLOURS[place % len(COLOURS)], place)
    return "\n".join([*parts, "</svg>"])


def ticks(low: float, high: float) -> list[float]:
    """Round values from at or below `low` to at or above `high`, 3 to 7 of them.

    Worked example: 0.12 to 0.47 gives 0.1, 0.2, 0.3, 0.4, 0.5.
    """
    if high <= low:
        margin = abs(low) / 2 or 1.0
        low, high = low - margin, high + margin
    rough = (high - low) / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * i for i in range(first, last + 1)]


def written(value: float) -> str:
    """At most 6 digits: 0.30000000000000004 is 0.3, 100000 is 100000, 2e-05 stays so."""
    return f"{value + 0.0:.6g}"


def _from_end_to_end(series: Series, x_high: float) -> Sequence[tuple[float, float]]:
    if not series.level:
        return series.points
    y = series.points[0][1]
    return [(0.0, y), (x_high, y)]


def _line(series: Series, drawn: Sequence[tuple[float, float]], colour: str, place: int) -> list[str]:
    """The curve and its entry in the legend."""
    places = " ".join(f"{number(x)},{number(y)}" for x, y in drawn)
    dashes = DASHED if series.level else ""
    name = escape(series.name, quote=True)
    lines = [
        f'<polyline data-series="{name}" points="{places}" fill="none" stroke="{colour}" '
        f'stroke-width="1.5"{dashes}/>'
    ]
    if len(drawn) <= _MARKED and not series.level:
        lines += [dot(x, y, 2.5, colour) for x, y in drawn]
    return [*lines, text(WIDTH - RIGHT - 130 * place, 14, series.name, "end", f' fill="{colour}"')]


def _tick(x: float, y: float, label: str, below: bool) -> str:
    """A line of the grid with its value."""
    if below:
        return line(x, TOP, x, y, GRID) + text(x, y + 15, label, "middle", ' class="x-tick"')
    return line(x, y, WIDTH - RIGHT, y, GRID) + text(x - 6, y + 4, label, "end", ' class="y-tick"')
