"""Which images a window of features holds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sparsedm.measure.evaluator import Plan
from sparsedm.measure.frechet import FrechetStats, frechet_distance
from sparsedm.measure.window import FeatureWindow


def row(value: float) -> np.ndarray:
    return np.array([value, -value], np.float32)


@pytest.mark.parametrize(("samples", "classes"), [(5, 2), (7, 3), (4, 0), (2, 5), (1000, 10)])
def test_each_class_counts_as_often_as_in_an_evaluation(samples: int, classes: int) -> None:
    config: Any = SimpleNamespace(num_classes=classes)
    labels = Plan(samples, 2, 0.5, "dpm-solver++", 0).labels(config)
    want = [samples] if labels is None else torch.bincount(labels, minlength=classes).tolist()
    window = FeatureWindow(samples, classes)
    for label, count in enumerate(want):
        for _ in range(count):
            assert not window.full
            window.add(label if classes else None, row(0))
    assert window.full
    for label in range(len(want)):  # of each class no more than that
        window.add(label, row(1))
    assert window.filled == samples


def test_the_newest_of_a_class_replaces_its_oldest_and_none_of_another() -> None:
    window = FeatureWindow(4, 2)
    for label, value in [(0, 1), (0, 2), (0, 3), (1, 10), (0, 4), (1, 20), (0, 5)]:
        window.add(label, row(value))
    want = FrechetStats()
    want.update(np.stack([row(value) for value in (4, 5, 10, 20)]))
    assert window.full
    assert window.stats().n == 4
    assert np.allclose(window.stats().mean, want.mean)
    assert frechet_distance(window.stats(), want) == pytest.approx(0, abs=1e-6)


def test_the_class_that_lacks_most_is_named() -> None:
    window = FeatureWindow(6, 3)
    for _ in range(50):
        window.add(2, row(0))
    window.add(0, row(0))
    assert (window.filled, window.full) == (3, False), "fifty of one class are no more than its two"
    assert window.rarest == (1, 0, 2)
