"""SIGTERM and SIGINT as a flag that is checked between two steps."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from sparsedm.errors import Interrupted


class StopSignal:
    """While entered, a first SIGTERM or SIGINT only sets `requested`; a second one ends the process as
    usual."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        return self.number is not None

    def request(self) -> None:
        """As if SIGTERM had arrived, because another process received it."""
        self.number = self.number or signal.SIGTERM

    def check(self, state: str) -> None:
        """Raises Interrupted after a signal; `state` says what is saved."""
        if self.number is not None:
            raise Interrupted(f"Stopped by {signal.Signals(self.number).name}: {state}", self.number)

    def __enter__(self) -> StopSignal:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        signal.signal(number, self._before[number])
