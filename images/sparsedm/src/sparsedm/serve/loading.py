"""How far a server has come before it is ready: what it does, in percent, and how long each part took."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

Phase = Literal["Fetching", "Reading", "Checking", "Measuring", "WarmingUp"]
"""Of what lies elsewhere; of the weights' file; of digests, patterns and values; of products, dense and
sparse; of batches in each size, and the canary."""


class Loading:
    """`tell` gets each phase and each whole percent of it, on the thread that loads."""

    def __init__(
        self,
        tell: Callable[[Phase, int], None] = lambda phase, percent: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds: dict[Phase, float] = {}
        """Of the phases that are over."""
        self._tell = tell
        self._clock = clock
        self._phase: Phase | None = None
        self._percent = 0
        self._since = clock()

    def enter(self, phase: Phase) -> None:
        self.end()
        self._phase, self._percent, self._since = phase, 0, self._clock()
        self._tell(phase, 0)

    def part(self, done: int, total: int) -> None:
        """Of the present phase."""
        percent = 100 * done // max(1, total)
        if self._phase is not None and percent > self._percent:
            self._percent = percent
            self._tell(self._phase, percent)

    def read(self, done: int, total: int) -> None:
        """Bytes of the weights; after the last one they are checked."""
        self.part(done, total)
        if done == total:
            self.enter("Checking")

    def end(self) -> None:
        """The present phase is over."""
        if self._phase is not None:
            self.seconds[self._phase] = self.seconds.get(self._phase, 0.0) + self._clock() - self._since
        self._phase = None
