"""The order in which training visits samples: a pure function of a seed and a position.

The only state is one integer, the number of samples consumed, so a run that resumes at any point goes on
exactly as an uninterrupted one, even several times within an epoch.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=4)
def _permutation(length: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(length)


class SampleOrder:
    """An endless sequence of indices below `length`: every epoch is its own permutation of all of them."""

    def __init__(self, length: int, seed: int) -> None:
        if length < 1:
            raise ValueError("A data set needs at least one sample.")
        if seed < 0:
            raise ValueError(f"The seed must not be negative, and is {seed}.")
        self.length = length
        self.seed = seed

    def indices(self, start: int, count: int) -> np.ndarray:
        """(count,) int64 indices of the samples number start, start + 1, ...; crosses epochs seamlessly."""
        parts = []
        while count > 0:
            epoch, offset = divmod(start, self.length)
            part = _permutation(self.length, self.seed, epoch)[offset : offset + count]
            parts.append(part)
            start, count = start + len(part), count - len(part)
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def flips(self, start: int, count: int) -> np.ndarray:
        """(count,) bool: whether sample number start + i is mirrored."""
        return (self.hashes(start, count) & np.uint64(1)).astype(bool)

    def hashes(self, start: int, count: int) -> np.ndarray:
        """(count,) uint64: the random number of sample start + i, a function of (seed, number)."""
        with np.errstate(over="ignore"):
            z = np.arange(start, start + count, dtype=np.uint64) + np.uint64(self.seed) * np.uint64(
                0xD1342543DE82EF95
            )
            # Finaliser of SplitMix64 (Steele, Lea, Flood 2014).
            z = (z + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            return z ^ (z >> np.uint64(31))
