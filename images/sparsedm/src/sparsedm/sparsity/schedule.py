"""Which pattern is in force at which step: pure functions of (configuration, number of steps).

SparseDM (arXiv 2404.10445): sparsity rises in stages, the mask is recomputed in each; then the mask is
frozen and the model is fine-tuned with it. Optimizer, EMA and teacher carry over a stage boundary: a stage
is nothing but a pattern with a range of steps.

Worked example (repeated in test_schedule.py): `progressive`, target 2:4, 300 steps; sparsity rises in the
first 20 % of the steps, and the mask is frozen in the last 50 %

    7:8 [0, 15)   6:8 [15, 30)    5:8 [30, 45)     4:8 [45, 60)     2:4 [60, 300), frozen from step 150

and with five equal parts, as in the paper: sparsity rises in 80 % of the steps, 15 % are frozen

    7:8 [0, 60)   6:8 [60, 120)   5:8 [120, 180)   4:8 [180, 240)   2:4 [240, 300), frozen from step 255
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sparsedm.sparsity.pattern import Pattern

FAMILIES = {
    "linear": (Pattern(7, 8), Pattern(6, 8), Pattern(5, 8), Pattern(4, 8)),
    "doubling": (Pattern(31, 32), Pattern(15, 16), Pattern(7, 8), Pattern(3, 4), Pattern(2, 4)),
}
"""The two lists of the paper: sparsity rises by eighths, or doubles from 1/32 on."""


@dataclass(frozen=True)
class Stage:
    """Steps `start` (inclusive) to `end` (exclusive) under one pattern. `number` counts from 1."""

    number: int
    pattern: Pattern
    start: int
    end: int

    @property
    def steps(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Schedule:
    """Stages without gaps from step 0 to the last step; from `freeze_from` on the mask no longer moves.

    Until then it is recomputed every `mask_update_steps` steps, counted from the beginning of the stage.
    """

    stages: tuple[Stage, ...]
    freeze_from: int
    mask_update_steps: int = 1

    @property
    def total_steps(self) -> int:
        return self.stages[-1].end

    def stage_at(self, step: int) -> Stage:
        """The stage in force while step `step` (from 0) is computed; the last one after the end."""
        for stage in self.stages:
            if step < stage.end:
                return stage
        return self.stages[-1]

    def is_frozen(self, step: int) -> bool:
        return step >= self.freeze_from

    def recomputes(self, step: int) -> bool:
        """Whether the masks are recomputed before `step`: at the start of a stage, every `mask_update_steps`
        steps after that, and a last time where they freeze."""
        since = step - self.stage_at(step).start
        return step == self.freeze_from or (not self.is_frozen(step) and since % self.mask_update_steps == 0)

    def moved(self, step: int) -> float:
        """Share of the steps with a moving mask that are done before `step`, in [0, 1]."""
        return min(1.0, step / max(1, self.freeze_from))


def progressive_patterns(target: Pattern, family: str = "linear") -> list[Pattern]:
    """The patterns of the family (7:8, 6:8, 5:8, 4:8 for `linear`) above the target, then the target.

    A member of the target's own density comes before it where its groups are wider (4:8 before 2:4): every
    2:4 mask is a 4:8 mask, so it is the looser of the two.
    """
    looser = [p for p in FAMILIES[family] if (p.density, p.m) > (target.density, target.m)]
    return [*looser, target]


def ramped_stages(patterns: Sequence[Pattern], total_steps: int, ramp_percent: int) -> list[Stage]:
    """All patterns but the last share the first `ramp_percent` of the steps equally, a remainder going to the
    later ones; the last has the rest. With fewer steps than patterns the first ones drop out."""
    ramp, looser = total_steps * ramp_percent // 100, len(patterns) - 1
    bounds = [*(i * ramp // looser for i in range(looser)), ramp if looser else 0, total_steps]
    ranges = [(p, a, b) for p, a, b in zip(patterns, bounds, bounds[1:], strict=False) if a < b]
    return [Stage(number, p, a, b) for number, (p, a, b) in enumerate(ranges, start=1)]


def custom_stages(stages: Sequence[tuple[Pattern, int]]) -> list[Stage]:
    """The user's own list of (pattern, steps)."""
    made: list[Stage] = []
    start = 0
    for number, (pattern, steps) in enumerate(stages, start=1):
        made.append(Stage(number, pattern, start, start + steps))
        start += steps
    return made


def build_schedule(
    kind: str,
    target: Pattern,
    total_steps: int,
    freeze_mask_percent: int,
    stages: Sequence[tuple[Pattern, int]] = (),
    ramp_percent: int = 0,
    family: str = "linear",
    mask_update_steps: int = 1,
) -> Schedule:
    """`kind` is progressive, fixed or custom; `stages` belong to custom, `family` and `ramp_percent` to
    progressive.

    The mask that is frozen is one of the target pattern: a freeze longer than the last stage begins with that
    stage. A freeze of 0 % never freezes.
    """
    if total_steps < 1:
        raise ValueError("a schedule needs at least one step.")
    if kind == "custom":
        made = custom_stages(stages)
    else:
        patterns = [target] if kind == "fixed" else progressive_patterns(target, family)
        made = ramped_stages(patterns, total_steps, ramp_percent)
    freeze_from = made[-1].end - made[-1].end * freeze_mask_percent // 100
    freeze_from = max(freeze_from, made[-1].start) if freeze_mask_percent else made[-1].end
    return Schedule(tuple(made), freeze_from, mask_update_steps)
