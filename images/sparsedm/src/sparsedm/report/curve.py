"""The course of a training in a few hundred points, whatever its length: what the report draws.

Each point stands for a span of steps. When there are too many points, neighbours are joined and spans double.
So the record needs no total, takes a bounded place in a checkpoint, and is the same after an interruption.

Worked example (repeated in test_curve.py): with a limit of 4 the losses 1, 2, 3, 4, 5 become the points
1.5 up to step 2, 3.5 up to step 4, and 5 at step 5, whose span is not full yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Any

LIMIT = 400


@dataclass(frozen=True)
class Point:
    """After `step` steps: the span's mean loss, its last learning rate, its mean of mask moves in a step."""

    step: int
    loss: float
    rate: float
    flips: float


@dataclass
class _Span:
    """Sums over `steps` steps; `rate` is the last step's."""

    steps: int = 0
    loss: float = 0.0
    rate: float = 0.0
    flips: int = 0

    def joined(self, later: _Span) -> _Span:
        return _Span(self.steps + later.steps, self.loss + later.loss, later.rate, self.flips + later.flips)


class Curve:
    """Fed step by step, in order; `limit` is even, and there are at most that many points."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._length = 1
        self._spans: list[_Span] = []

    def add(self, loss: float, rate: float, flips: int) -> None:
        """One step: its loss, its learning rate, and the weights that its mask let in or out."""
        step = _Span(1, loss, rate, flips)
        if self._spans and self._spans[-1].steps < self._length:
            self._spans[-1] = self._spans[-1].joined(step)
            return
        if len(self._spans) == self._limit:
            pairs = zip(self._spans[::2], self._spans[1::2], strict=True)
            self._spans = [one.joined(other) for one, other in pairs]
            self._length *= 2
        self._spans.append(step)

    def points(self) -> Iterator[Point]:
        step = 0
        for span in self._spans:
            step += span.steps
            yield Point(step, span.loss / span.steps, span.rate, span.flips / span.steps)

    def state(self) -> dict[str, Any]:
        """As JSON takes it; floats survive JSON to the last bit."""
        return {"length": self._length, "spans": [list(astuple(span)) for span in self._spans]}

    def restore(self, state: dict[str, Any]) -> None:
        self._length = state["length"]
        self._spans = [_Span(*values) for values in state["spans"]]
