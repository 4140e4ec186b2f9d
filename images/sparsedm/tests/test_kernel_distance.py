"""KID against a brute force of its formula, and where its value is known."""

import numpy as np
import pytest
import torch
from torch import Tensor

from sparsedm.measure.kernel_distance import kernel_distance, squared_discrepancy


def normal(count: int, seed: int, shift: float = 0.0, dims: int = 8) -> Tensor:
    return torch.randn(count, dims, generator=torch.Generator().manual_seed(seed)) + shift


def brute_force(x: Tensor, y: Tensor) -> float:
    def kernel(a: Tensor, b: Tensor) -> float:
        return (float(a.double() @ b.double()) / len(a) + 1) ** 3

    def mean_of_pairs(points: Tensor) -> float:
        return float(
            np.mean([kernel(a, b) for i, a in enumerate(points) for j, b in enumerate(points) if i != j])
        )

    return mean_of_pairs(x) + mean_of_pairs(y) - 2 * float(np.mean([kernel(a, b) for a in x for b in y]))


def test_the_worked_example() -> None:
    x, y = torch.tensor([[0.0], [1.0]]).double(), torch.tensor([[1.0], [2.0]]).double()
    assert squared_discrepancy(x, y) == pytest.approx(9.5, abs=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_it_equals_the_brute_force(shift: float) -> None:
    x, y = normal(20, 0).double(), normal(20, 1, shift).double()
    assert squared_discrepancy(x, y) == pytest.approx(brute_force(x, y), rel=1e-10)


def test_samples_of_one_distribution_are_at_no_distance_within_the_spread() -> None:
    kid = kernel_distance(normal(2000, 2), normal(1500, 3), seed=0, subset_size=200)
    assert abs(kid.mean) < kid.deviation
    assert (kid.subsets, kid.subset_size) == (100, 200)


def test_samples_of_two_distributions_are_far_beyond_the_spread() -> None:
    kid = kernel_distance(normal(1000, 4), normal(1000, 5, shift=0.5), seed=0, subset_size=200)
    assert kid.mean > 5 * kid.deviation > 0


def test_the_seed_decides_everything() -> None:
    real, generated = normal(100, 6), normal(100, 7, shift=0.2)
    first, again, other = (kernel_distance(real, generated, seed) for seed in (1, 1, 2))
    assert first == again
    assert first.mean != other.mean


@pytest.mark.parametrize(("counts", "want"), [((4, 50), 2), ((50, 9), 4), ((5000, 3000), 1000)])
def test_subsets_differ_because_they_have_no_more_than_half(counts: tuple[int, int], want: int) -> None:
    kid = kernel_distance(normal(counts[0], 8), normal(counts[1], 9), seed=0, subsets=5)
    assert kid.subset_size == want
    assert kid.deviation > 0
