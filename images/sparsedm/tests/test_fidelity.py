"""KID, precision and recall against a brute force of their formulas, and where their values are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_fidelity import metric_prc

from sparsedm.measure.fidelity import kernel_distance, precision_recall


def normal(count: int, seed: int, shift: float = 0.0, dims: int = 8) -> Tensor:
    return torch.randn(count, dims, generator=torch.Generator().manual_seed(seed)) + shift


# --- KID ---


def discrepancy(x: Tensor, y: Tensor) -> float:
    def kernel(a: Tensor, b: Tensor) -> float:
        return (float(a.double() @ b.double()) / len(a) + 1) ** 3

    def mean_of_pairs(points: Tensor) -> float:
        return float(
            np.mean([kernel(a, b) for i, a in enumerate(points) for j, b in enumerate(points) if i != j])
        )

    return mean_of_pairs(x) + mean_of_pairs(y) - 2 * float(np.mean([kernel(a, b) for a in x for b in y]))


def test_the_worked_example_of_kid() -> None:
    """One dimension: 1 + 27 - 2 * 9.25, where 9.25 is the mean of 1, 1, 8 and 27."""
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [2.0]])
    assert discrepancy(x, y) == pytest.approx(9.5)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_kid_is_the_mean_over_subsets_that_the_seed_draws(shift: float) -> None:
    real, generated = normal(20, 0), normal(24, 1, shift)
    random = np.random.RandomState(3)
    want = [
        discrepancy(*(points[random.choice(len(points), 10, replace=False)] for points in (real, generated)))
        for _ in range(2)
    ]
    kid = kernel_distance(real, generated, seed=3, subsets=2)
    assert (kid.mean, kid.deviation) == pytest.approx((np.mean(want), np.std(want)), rel=1e-9)


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


# --- precision and recall ---


def brute_force_share(points: Tensor, manifold: Tensor, neighbours: int) -> float:
    """Share of `points` in a ball about one of `manifold`, distance by distance."""

    def distance(a: Tensor, b: Tensor) -> float:
        return float((a.double() - b.double()).norm())

    radii = [
        sorted(distance(a, b) for j, b in enumerate(manifold) if j != i)[neighbours - 1]
        for i, a in enumerate(manifold)
    ]
    inside = [
        any(distance(point, centre) <= radius for centre, radius in zip(manifold, radii, strict=True))
        for point in points
    ]
    return sum(inside) / len(points)


def test_the_worked_example_of_precision_and_recall() -> None:
    """One neighbour, on a line: real 0, 1, 10 have radii 1, 1, 9. Of the generated 2 and 30 the first lies in
    the ball about 10. Their own radii are 28: the ball about 2 holds all real points."""
    real, generated = torch.tensor([[0.0], [1.0], [10.0]]), torch.tensor([[2.0], [30.0]])
    assert precision_recall(real, generated, neighbours=1) == (0.5, 1.0)


@pytest.mark.parametrize(
    ("shift", "neighbours", "chunk"), list(itertools.product([0.0, 0.5, 1.0], [1, 3], [7, 1000]))
)
def test_precision_and_recall_equal_the_brute_force(shift: float, neighbours: int, chunk: int) -> None:
    real, generated = normal(40, 0), normal(31, 1, shift)
    want = (
        brute_force_share(generated, real, neighbours),
        brute_force_share(real, generated, neighbours),
    )
    assert 0 < sum(want) < 2
    assert precision_recall(real, generated, neighbours, chunk) == pytest.approx(want, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_equal_sets_have_precision_and_recall_1(scale: float) -> None:
    points = scale * normal(50, 2, shift=5.0)
    assert precision_recall(points, points) == (1.0, 1.0)
    copies = points.repeat(5, 1)  # every point lies on 4 others, so all radii are 0
    assert precision_recall(copies, copies) == (1.0, 1.0)


def test_sets_far_from_each_other_have_neither() -> None:
    assert precision_recall(normal(50, 3), normal(50, 4, shift=1e3)) == (0.0, 0.0)


def test_a_set_that_covers_half_is_precise_and_has_half_of_the_recall() -> None:
    modes = torch.cat([normal(100, 5, shift=-50.0), normal(100, 6, shift=50.0)])
    precision, recall = precision_recall(modes, modes[:100])
    assert (precision, recall) == (1.0, 0.5)


def test_a_matrix_of_distances_never_exists_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    part = metric_prc.calc_cdist_part

    def watched(*arguments: object) -> Tensor:
        distances = part(*arguments)
        sizes.append(distances.shape)
        return distances

    monkeypatch.setattr(metric_prc, "calc_cdist_part", watched)
    precision_recall(normal(300, 7), normal(300, 8), chunk=10)
    assert set(sizes) == {(10, 300)}
