"""How long denoising steps take, from measurements, and when images will be ready."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping

MEMORY = 0.99
"""Weight of the past in a running mean, for each step."""


class Pace:
    """Running means of the seconds of a step, one for each number of rows that was measured."""

    def __init__(self, seconds: Mapping[int, float]) -> None:
        self._seconds = dict(seconds)

    def add(self, rows: int, seconds: float, steps: int = 1) -> None:
        """`steps` steps, each in `seconds`: many say more than one."""
        past = MEMORY**steps
        self._seconds[rows] = past * self._seconds.get(rows, seconds) + (1 - past) * seconds

    def seconds(self, rows: int) -> float:
        """Of the smallest measured number that holds `rows`; beyond all of them, in proportion."""
        known = min((size for size in self._seconds if size >= rows), default=None)
        if known is not None:
            return self._seconds[known]
        largest = max(self._seconds)
        return self._seconds[largest] * rows / largest


def ends(drawing: Collection[int], waiting: Iterable[int], places: int) -> Iterator[int]:
    """After how many steps each of `waiting` is ready, if it takes the first of `places` to become free.

    drawing: steps left of the images that have places; waiting: steps of the others, in their order.
    Worked example: with two places, one of which is taken for 3 steps, images of 4, 1 and 1 steps are ready
    after 4, 4 and 5.
    """
    free = [*drawing, *[0] * (places - len(drawing))]
    heapq.heapify(free)
    for steps in waiting:
        end = free[0] + steps
        heapq.heapreplace(free, end)
        yield end
