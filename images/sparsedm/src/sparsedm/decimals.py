"""Decimals as the custom resource writes them: texts."""

from __future__ import annotations


def decimal(value: float, digits: int = 4) -> str:
    """A decimal as the custom resource writes it: 0.5 is "0.5", 12.0 "12"."""
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
