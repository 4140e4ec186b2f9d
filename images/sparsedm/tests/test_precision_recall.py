"""Precision and recall against a brute force of their definition, and where their values are known."""

import itertools

import pytest
import torch
from torch import Tensor

from sparsedm.measure.precision_recall import CHUNK, NEIGHBOURS, Manifold


def normal(count: int, seed: int, shift: float = 0.0, dims: int = 8) -> Tensor:
    return torch.randn(count, dims, generator=torch.Generator().manual_seed(seed)) + shift


def precision_recall(
    real: Tensor, generated: Tensor, neighbours: int = NEIGHBOURS, chunk: int = CHUNK
) -> tuple[float, float]:
    return (
        Manifold(real, neighbours, chunk).share(generated),
        Manifold(generated, neighbours, chunk).share(real),
    )


def brute_force(points: Tensor, manifold: Tensor, neighbours: int) -> float:
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


def test_the_worked_example() -> None:
    real, generated = torch.tensor([[0.0], [1.0], [10.0]]), torch.tensor([[2.0], [30.0]])
    assert precision_recall(real, generated, neighbours=1) == (0.5, 1.0)


@pytest.mark.parametrize(
    ("shift", "neighbours", "chunk"), list(itertools.product([0.0, 0.5, 1.0], [1, 3], [7, 1000]))
)
def test_it_equals_the_brute_force(shift: float, neighbours: int, chunk: int) -> None:
    real, generated = normal(40, 0), normal(31, 1, shift)
    want = (brute_force(generated, real, neighbours), brute_force(real, generated, neighbours))
    assert 0 < sum(want) < 2
    assert precision_recall(real, generated, neighbours, chunk) == pytest.approx(want, abs=1e-12)


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


def test_a_matrix_of_distances_never_exists_as_a_whole() -> None:
    largest = 0
    whole = torch.Tensor.clamp_

    def watched(tensor: Tensor, **bounds: float) -> Tensor:
        nonlocal largest
        largest = max(largest, tensor.numel())
        return whole(tensor, **bounds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "clamp_", watched)
        precision_recall(normal(300, 7), normal(300, 8), chunk=10)
    assert largest == 10 * 300
