"""The N:M pattern: of each M consecutive weights along the input dimension, N survive."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_GROUP = 32
_PATTERN = re.compile(r"([1-9]\d?):([1-9]\d?)")


@dataclass(frozen=True)
class Pattern:
    """`Pattern(2, 4)` keeps 2 of each 4: density 0.5."""

    n: int
    m: int

    def __post_init__(self) -> None:
        if not 1 <= self.n < self.m <= MAX_GROUP:
            raise ValueError(
                f'the pattern "{self.n}:{self.m}" is not N:M with 1 <= N < M <= {MAX_GROUP}, as in "2:4".'
            )

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Raises ValueError with a sentence."""
        found = _PATTERN.fullmatch(text)
        if not found:
            raise ValueError(f'"{text}" is not a pattern N:M with 1 <= N < M <= {MAX_GROUP}, as in "2:4".')
        return cls(int(found[1]), int(found[2]))

    @property
    def density(self) -> float:
        """The fraction of weights that survive."""
        return self.n / self.m

    @property
    def sparsity(self) -> float:
        """The fraction of weights that are zero."""
        return (self.m - self.n) / self.m

    def __str__(self) -> str:
        return f"{self.n}:{self.m}"
