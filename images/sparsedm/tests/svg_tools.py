"""Reads charts back: what a person would read off, by the numbers at the axes."""

from __future__ import annotations

import re
from html import unescape
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"


def charts_of(report: str) -> dict[str, str]:
    """The <svg> elements of a page by their titles."""
    found = re.findall(r"<svg .*?</svg>", report, flags=re.DOTALL)
    return {unescape(re.search("<title>(.*?)</title>", svg)[1]): svg for svg in found}


def points_of(svg: str, series: str) -> list[tuple[float, float]]:
    """The values of a curve, from the places of its points and two ticks of each axis."""
    root = ElementTree.fromstring(svg)
    lines = [line for line in root.iter(f"{SVG}polyline") if line.get("data-series") == series]
    assert len(lines) == 1, f"one curve is named {series}"
    x_of, y_of = _axis(root, "x-tick", "x", 0.0), _axis(root, "y-tick", "y", -4.0)
    pairs = (pair.split(",") for pair in lines[0].get("points", "").split())
    return [(x_of(float(x)), y_of(float(y))) for x, y in pairs]


def _axis(root: ElementTree.Element, kind: str, attribute: str, shift: float):
    """From a place in pixels to a value; labels stand `shift` pixels beside their tick."""
    labels = [text for text in root.iter(f"{SVG}text") if text.get("class") == kind]
    (low, low_value), (high, high_value) = (
        (float(label.get(attribute, "")) + shift, float(label.text or ""))
        for label in (labels[0], labels[-1])
    )
    return lambda place: low_value + (place - low) / (high - low) * (high_value - low_value)
