"""How far a run is, for people and for the operator: one number over training and evaluation together.

Work is counted in forward passes of one image (a backward pass counts two), so that `percent` grows evenly
from loading to the finished artifact and the time left can be estimated from the first steps on. Training,
evaluation and the reference's features have their own measured speed; until a phase has run, that of another
one is used.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

from tqdm import tqdm

from sparsedm.runtime.device import Usage
from sparsedm.runtime.report_client import ReportClient

HISTORY_LIMIT = 20

RECENT = 0.95
"""Decay of a measurement's weight: the speed is that of about the last twenty."""


def format_duration(seconds: float) -> str:
    """Worked example: 80 seconds are "1m20s", 45 "45s", 7,260 "2h01m"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


@dataclass
class Pace:
    """Work of one phase: units planned, units done, and those measured lately, with the seconds they took.

    Worked example: 100 units in 10 s, then 100 in 1 s, are 195 units in 10.5 s.
    """

    planned: float
    done: float = 0.0
    measured: float = 0.0
    seconds: float = 0.0

    @property
    def rate(self) -> float | None:
        return self.measured / self.seconds if self.seconds > 0 and self.measured > 0 else None

    def skip(self, units: float) -> None:
        """Work that is not measured: that of an earlier attempt, or a first step, which starts threads, fills
        caches and compiles."""
        self.done = min(self.planned, self.done + units)

    def add(self, units: float, seconds: float) -> None:
        self.done = min(self.planned, self.done + units)
        self.measured = RECENT * self.measured + units
        self.seconds = RECENT * self.seconds + seconds


class Console:
    """A bar on a terminal; elsewhere a plain line at most every `interval` seconds."""

    def __init__(self, stream: TextIO | None = None, interval: float = 5.0) -> None:
        self.stream = stream or sys.stdout
        self.interval = interval
        self._bar = None
        self._next = 0.0
        if self.stream.isatty():
            self._bar = tqdm(
                total=100, file=self.stream, bar_format="{desc:<11}{percentage:3.0f}%|{bar}| {postfix}"
            )

    def show(self, progress: dict[str, Any], force: bool = False) -> None:
        line = _line(progress)
        if self._bar is not None:
            self._bar.n = progress["percent"]
            self._bar.set_description_str(progress["phase"], refresh=False)
            self._bar.set_postfix_str(line)
            return
        if force or time.monotonic() >= self._next:
            self._next = time.monotonic() + self.interval
            print(f"{progress['display']:>4} {progress['phase']} {line}", file=self.stream, flush=True)

    def show_fetching(self, progress: dict[str, Any], force: bool = False) -> None:
        """As `show`, before there is a run: the bar is that of the run alone."""
        if force or time.monotonic() >= self._next:
            self._next = time.monotonic() + self.interval
            left = f", {progress['eta']} left" if "eta" in progress else ""
            self.say(f"{progress['display']}{left}")

    def say(self, message: str) -> None:
        """A sentence of its own, above the bar where there is one."""
        if self._bar is not None:
            self._bar.write(message, file=self.stream)
        else:
            print(message, file=self.stream, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _line(progress: dict[str, Any]) -> str:
    parts = [f"step {progress['step']}/{progress['totalSteps']}"]
    if "stage" in progress:
        parts.append(f"stage {progress['stage']}/{progress['stages']} ({progress['stagePattern']})")
    training = progress["phase"] == "training"
    wanted = [("loss", "loss {}"), ("maskFlips", "{} mask flips"), ("samplesPerSecond", "{} images/s")]
    wanted = wanted if training else []
    parts += [text.format(progress[key]) for key, text in [*wanted, ("eta", "{} left")] if key in progress]
    return ", ".join(parts)


@dataclass
class RunProgress:
    """Builds `status.progress`, shows it and hands it to the report client."""

    client: ReportClient
    console: Console
    total_steps: int
    stages: int
    training: Pace
    evaluation: Pace
    usage: Usage
    reference: Pace = field(default_factory=lambda: Pace(0.0))
    history: list[dict[str, Any]] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    phase: str = "loading"

    def enter(self, phase: str) -> None:
        """A transition: reported at once. `done` is the last."""
        self.phase = phase
        self._emit(urgent=True)

    def update(self, transition: bool = False, **fields: Any) -> None:
        """New values of fields of `status.progress` (step, stage, loss, ...)."""
        self.state.update(fields)
        self._emit(urgent=transition)

    @property
    def percent(self) -> int:
        """100 only when everything is written, never by rounding."""
        if self.phase == "done":
            return 100
        planned = sum(pace.planned for pace in self._paces)
        done = sum(pace.done for pace in self._paces)
        return min(99, int(100 * done / planned)) if planned else 0

    @property
    def remaining_seconds(self) -> float | None:
        if self.phase == "done":
            return 0.0
        known = [pace.rate for pace in self._paces if pace.rate is not None]
        if not known:
            return None
        return sum((pace.planned - pace.done) / (pace.rate or known[0]) for pace in self._paces)

    @property
    def _paces(self) -> tuple[Pace, ...]:
        return self.training, self.evaluation, self.reference

    def _emit(self, urgent: bool) -> None:
        percent, remaining = self.percent, self.remaining_seconds
        progress: dict[str, Any] = {
            "totalSteps": self.total_steps,
            "stages": self.stages,
            **self.state,
            "percent": percent,
            "display": f"{percent}%",
            "phase": self.phase,
            "reportedAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        progress.setdefault("step", 0)
        if remaining is not None:
            progress |= {"remainingSeconds": round(remaining), "eta": format_duration(remaining)}
        if self.history:
            progress["history"] = self.history[-HISTORY_LIMIT:]
        self.console.show(progress, force=urgent)
        self.client.update(urgent=urgent, progress=progress, trainer=self.usage.status())
