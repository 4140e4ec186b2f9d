"""Means over seeds, and differences of two rows seed by seed.

Both rows of a pair are measured with the same noise for each seed, so the difference of a seed is free of
what they share. Its interval is Student's, at 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from scipy.special import stdtrit

from sparsedm.study.results import Result

CONFIDENCE = 0.95

Distances = Mapping[str, Mapping[int, float]]
"""Row -> seed -> Frechet distance."""


class Verdict(StrEnum):
    """Of a distance that should be low. `OPEN`: fewer than two seeds have both rows."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "no difference beyond the spread"
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
