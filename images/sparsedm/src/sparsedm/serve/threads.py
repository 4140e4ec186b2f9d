"""How many threads take a step on a CPU: for a few small images fewer than all cores can be quicker, since
threads that share little work wait for each other longer than they compute."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

GAIN = 0.9
"""Fewer threads are taken where a step takes at most this part of the time."""
SHORT_SECONDS = 0.1
"""Longer steps have work for every core, and are not measured."""
REPEATS = 6
"""Measurements of which the least counts."""


class Threads:
    """By the number of a batch's images. Only of the thread that calls: torch keeps one number for each."""

    def __init__(self, *, fixed: bool) -> None:
        """fixed: all cores at every size."""
        self._fixed = fixed or "OMP_NUM_THREADS" in os.environ
        self._of: dict[int, int] = {}

    def choose(self, images: int, step: Callable[[], float]) -> float:
        """Seconds of a step with the quickest number of threads, from all cores downwards by halves.

        step: takes a few, and returns the seconds of one.
        """
        seconds = step()
        if self._fixed or seconds > SHORT_SECONDS:
            return seconds
        threads = self._of[images] = torch.get_num_threads()
        seconds = min(step() for _ in range(REPEATS))
        while threads > 1:
            self._of[images] = threads // 2
            fewer = min(step() for _ in range(REPEATS))
            if fewer > GAIN * seconds:
                break
            threads, seconds = threads // 2, fewer
        self._of[images] = threads
        return seconds

    @contextmanager
    def of(self, images: int) -> Iterator[None]:
        """The number for so many images, or for the next measured one above, inside."""
        measured = min((size for size in self._of if size >= images), default=None)
        if measured is None:
            yield
            return
        before = torch.get_num_threads()
        torch.set_num_threads(self._of[measured])
        try:
            yield
        finally:
            torch.set_num_threads(before)
