"""How long the engine takes for batches of each size, from measurements."""

from __future__ import annotations

from collections.abc import Mapping

MEMORY = 0.8
"""Weight of the past in a running mean."""


class Pace:
    """Running means of seconds, one for each number of rows that was measured."""

    def __init__(self, seconds: Mapping[int, float]) -> None:
        self._seconds = dict(seconds)

    def add(self, rows: int, seconds: float) -> None:
        before = self._seconds.get(rows, seconds)
        self._seconds[rows] = MEMORY * before + (1 - MEMORY) * seconds

    def seconds(self, rows: int) -> float:
        """Of the smallest measured number that holds `rows`; beyond all of them, in proportion."""
        known = min((size for size in self._seconds if size >= rows), default=None)
        if known is not None:
            return self._seconds[known]
        largest = max(self._seconds)
        return self._seconds[largest] * rows / largest
