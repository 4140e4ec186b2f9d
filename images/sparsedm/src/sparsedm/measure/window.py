"""The features of served images: as many of each class as an evaluation draws, for an equal bias."""

from __future__ import annotations

from collections import deque

import numpy as np

from sparsedm.measure.evaluator import SAMPLE_BATCH
from sparsedm.measure.frechet import FrechetStats


class FeatureWindow:
    """The newest features, of `samples` images in all, in the numbers of classes that `Plan.labels` has.

    A Frechet distance over few samples is too large, by an amount that falls as their number grows, and
    depends on the mix of classes. So only this number of images, in this mix, has a distance that can be
    compared with that of an evaluation with as many samples.

    Worked example: 5 samples of 2 classes are the newest 3 of class 0 and the newest 2 of class 1.
    """

    def __init__(self, samples: int, classes: int) -> None:
        """classes: 0 for a model without them, whose images are all of one kind."""
        self.samples = samples
        kinds = max(1, classes)
        self._newest: list[deque[np.ndarray]] = [
            deque(maxlen=samples // kinds + (kind < samples % kinds)) for kind in range(kinds)
        ]

    def add(self, label: int | None, features: np.ndarray) -> None:
        """Of one image, (dims,). Replaces the oldest of its class where that has enough."""
        self._newest[label or 0].append(features)

    @property
    def filled(self) -> int:
        """Images whose features are there."""
        return sum(len(kind) for kind in self._newest)

    @property
    def full(self) -> bool:
        return self.filled == self.samples

    @property
    def rarest(self) -> tuple[int, int, int]:
        """The class that lacks most: its label, its images that are there, and those it should have."""
        have = [(len(kind), kind.maxlen or 0) for kind in self._newest]
        label = max(range(len(have)), key=lambda kind: have[kind][1] - have[kind][0])
        return (label, *have[label])

    def stats(self) -> FrechetStats:
        """Of a full window, summed in an evaluation's order, so that equal images have an equal distance to
        the last bit."""
        kinds = [list(kind) for kind in self._newest]
        rows = np.stack([kinds[i % len(kinds)][i // len(kinds)] for i in range(self.samples)])
        stats = FrechetStats()
        for start in range(0, self.samples, SAMPLE_BATCH):
            stats.update(rows[start : start + SAMPLE_BATCH])
        return stats
