"""Means over seeds, and differences of two rows seed by seed.

Both rows of a pair are measured with the same noise for each seed, so the difference of a seed is free of
what they share. Its interval is Student's, at 95 %.

The later experiments also ask whether two rows are as good as equal. What counts as equal, and how surely the
seeds can show it, was laid down before their first run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from scipy.special import nctdtr, stdtrit

from sparsedm.study.results import Result

CONFIDENCE = 0.95
MARGIN = 0.3
"""Difference of two distances up to which they count as equal, on Fashion-MNIST."""
RELATIVE_MARGIN = 0.025
"""The same on other data, as a share of the distance of the first row: what MARGIN is of 2:4's 12.1."""
DEVIATION = 0.25
"""Standard deviation, from seed to seed, that the difference of two methods is taken to have. Those of
PLANNED had 0.04 to 0.18 in the first study (test_study_plan.py computes it); three seeds show it roughly."""
PLANNED = (
    ("ste-fixed", "asp"), ("sr-ste-fixed", "asp"), ("sr-ste-fixed", "ste-fixed"), ("s-ste-fixed", "asp"),
    ("cast-fixed", "sparsedm-fixed"), ("dense-trained-on", "asp"),
)  # fmt: skip

Distances = Mapping[str, Mapping[int, float]]
"""Row -> seed -> Frechet distance."""


class Verdict(StrEnum):
    """Of a distance that should be low. `OPEN`: fewer than two seeds have both rows."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "no difference beyond the spread"
    OPEN = "open"


class Finding(StrEnum):
    """What a difference says beside MARGIN. `OPEN`: fewer than two seeds have both rows."""

    EQUIVALENT = "equivalent"
    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"
    OPEN = "open"


@dataclass(frozen=True)
class Spread:
    """`deviation` is the sample's (n - 1), None for one value."""

    mean: float
    deviation: float | None
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.2f}" if self.deviation is None else f"{self.mean:.2f} ± {self.deviation:.2f}"


@dataclass(frozen=True)
class Difference:
    """First row minus second, over `count` seeds; `margin` is half of the interval's width."""

    mean: float | None
    margin: float | None
    count: int

    @property
    def verdict(self) -> Verdict:
        if self.mean is None or self.margin is None:
            return Verdict.OPEN
        if abs(self.mean) <= self.margin:
            return Verdict.SAME
        return Verdict.BETTER if self.mean < 0 else Verdict.WORSE

    def __str__(self) -> str:
        if self.mean is None:
            return "not run"
        return f"{self.mean:+.2f}" if self.margin is None else f"{self.mean:+.2f} ± {self.margin:.2f}"


def distances_of(results: Iterable[Result]) -> Distances:
    found: dict[str, dict[int, float]] = {}
    for result in results:
        found.setdefault(result.row, {})[result.seed] = result.frechet
    return found


def spread(values: Sequence[float]) -> Spread:
    """Worked example (repeated in test_study_report.py): 10, 12 and 14 give 12 ± 2."""
    count, mean = len(values), sum(values) / len(values)
    if count < 2:
        return Spread(mean, None, count)
    return Spread(mean, math.sqrt(sum((v - mean) ** 2 for v in values) / (count - 1)), count)


def difference(first: Mapping[int, float], second: Mapping[int, float]) -> Difference:
    """Over the seeds that both have.

    Worked example (repeated in test_study_report.py): 10, 12, 14 against 11, 14, 17 differ by -1, -2 and -3:
    -2 ± 2.48, for three values have t = 4.303, and 4.303 * 1 / sqrt(3) = 2.48. Beyond the spread is neither.
    """
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return Difference(None, None, 0)
    found = spread([first[seed] - second[seed] for seed in seeds])
    if found.deviation is None:
        return Difference(found.mean, None, 1)
    t = float(stdtrit(found.count - 1, (1 + CONFIDENCE) / 2))
    return Difference(found.mean, t * found.deviation / math.sqrt(found.count), found.count)


def judge(found: Difference, margin: float = MARGIN) -> Finding:
    """Equivalent where the 90 % interval lies within the margin (two one-sided tests at 5 %), else by the
    95 % interval.

    Worked example (repeated in test_study_plan.py): over three seeds -2.00 ± 2.48 has the 90 % interval
    -2.00 ± 1.69, since t falls from 4.303 to 2.920. So it is equivalent within 3.7, and undecided within 3.6.
    """
    if found.mean is None or found.margin is None:
        return Finding.OPEN
    degrees = found.count - 1
    narrower = found.margin * _t(degrees, CONFIDENCE) / _t(degrees, (1 + CONFIDENCE) / 2)
    if abs(found.mean) + narrower <= margin:
        return Finding.EQUIVALENT
    words = {Verdict.BETTER: Finding.BETTER, Verdict.WORSE: Finding.WORSE}
    return words.get(found.verdict, Finding.UNDECIDED)


def power(count: int, effect: float, deviation: float) -> float:
    """Probability that `count` seeds show a difference of `effect`, by a paired t test at 5 %: the mass of
    the noncentral t distribution beyond its bounds.

    Worked example (repeated in test_study_plan.py): 8 seeds, 0.3 and 0.25 give a noncentrality of 3.39,
    bounds of ±2.365, and 0.83.
    """
    degrees, noncentrality = count - 1, effect / deviation * math.sqrt(count)
    bound = _t(degrees, (1 + CONFIDENCE) / 2)
    above = 1.0 - float(nctdtr(degrees, noncentrality, bound))
    return above + float(nctdtr(degrees, noncentrality, -bound))


def equivalence_power(count: int, margin: float, deviation: float) -> float:
    """Least probability that `count` seeds show two rows without a difference to be equivalent: 1 less the
    chances of the two one-sided tests to miss. With the numbers above it is 0.84."""
    degrees, noncentrality = count - 1, margin / deviation * math.sqrt(count)
    return max(0.0, 1.0 - 2.0 * float(nctdtr(degrees, noncentrality, _t(degrees, CONFIDENCE))))


def _t(degrees: int, share: float) -> float:
    return float(stdtrit(degrees, share))
