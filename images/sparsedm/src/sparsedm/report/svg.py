"""The pieces of which the figures are made, as SVG text: the same values give the same bytes."""

from __future__ import annotations

from html import escape

COLOURS = ("#1f6fb2", "#c2502e", "#4b8b3b")
"""Of the series of a figure, in order."""
GRID = "#e4e4e4"
DASHED = ' stroke-dasharray="5 4"'


def head(title: str, width: int, height: int, font_size: int) -> list[str]:
    """The opening tag, to be closed with </svg>, and the image's name; sizes in pixels."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" font-family="sans-serif" font-size="{font_size}">',
        f"<title>{escape(title)}</title>",
    ]


def text(x: float, y: float, words: str, anchor: str, more: str = "") -> str:
    """`more` are further attributes, with a space before each."""
    return f'<text x="{number(x)}" y="{number(y)}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str, more: str = "") -> str:
    """`more` are further attributes, with a space before each."""
    ends = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
    return f'<line {ends} stroke="{colour}"{more}/>'


def dot(x: float, y: float, radius: float, colour: str) -> str:
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="{radius:g}" fill="{colour}"/>'


def number(value: float) -> str:
    """At most two decimals: a hundredth of a pixel cannot be seen."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
