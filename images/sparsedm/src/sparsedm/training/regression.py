"""Where a stage of the schedule ends: whether its model is still good, and what a run does where it is not.

The first stage is good by definition, and each later one against the last that was. The distances are those
of evaluations on the way, on other seeds than the final figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparsedm.decimals import decimal
from sparsedm.sparsity.pattern import Pattern
from sparsedm.sparsity.schedule import Stage


@dataclass(frozen=True)
class StageEnd:
    """The model after the last step of a stage: `step` steps are done."""

    stage: int
    pattern: str
    step: int
    distance: float

    @classmethod
    def of(cls, stage: Stage, distance: float) -> StageEnd:
        return cls(stage.number, str(stage.pattern), stage.end, distance)

    def __str__(self) -> str:
        return f"stage {self.stage} ({self.pattern})"


@dataclass(frozen=True)
class Regression:
    """A stage that ended worse than `max_percent` allows against the last good one."""

    ended: StageEnd
    good: StageEnd
    max_percent: int

    @property
    def pattern(self) -> Pattern:
        """Of the last good stage."""
        return Pattern.parse(self.good.pattern)

    def sentence(self) -> str:
        """Worked example: "The distance rose from 20 after stage 2 (6:8) to 25 after stage 3 (5:8), by 25 %,
        and sparsity.schedule.maxRegressionPercent is 10"."""
        before, after = self.good.distance, self.ended.distance
        by = f", by {100 * (after - before) / before:.3g} %" if before > 0 else ""
        return (
            f"The distance rose from {decimal(before, 2)} after {self.good} to {decimal(after, 2)} after "
            f"{self.ended}{by}, and sparsity.schedule.maxRegressionPercent is {self.max_percent}"
        )

    def status(self) -> dict[str, Any]:
        """`status.rollback`."""
        return {
            "stage": self.good.stage,
            "pattern": self.good.pattern,
            "step": self.good.step,
            "regressedStep": self.ended.step,
            "message": f"{self.sentence()}: the model is that of stage {self.good.stage}.",
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Regression:
        """From what asdict made of it, in a checkpoint's state.json."""
        return cls(StageEnd(**state["ended"]), StageEnd(**state["good"]), state["max_percent"])


def judge(ended: StageEnd, good: StageEnd | None, max_percent: int) -> Regression | None:
    """Worked example: after a good stage of distance 20 and with 10 per cent, 22 is good and 22.1 is not."""
    if good is None or ended.distance <= good.distance * (1 + max_percent / 100):
        return None
    return Regression(ended, good, max_percent)
