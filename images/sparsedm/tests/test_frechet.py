"""The Frechet distance against closed forms, and its statistics against numpy on all samples at once."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import linalg

from sparsedm.errors import InputError
from sparsedm.measure.frechet import FrechetStats, frechet_distance


def stats_of(features: np.ndarray, batch: int | None = None) -> FrechetStats:
    stats = FrechetStats()
    for start in range(0, len(features), batch or len(features)):
        stats.update(features[start : start + (batch or len(features))])
    return stats


def with_moments(mean: np.ndarray, cov: np.ndarray, n: int = 4096) -> FrechetStats:
    """A set of samples that has exactly these moments."""
    raw = np.random.default_rng(0).standard_normal((n, len(mean)))
    raw -= raw.mean(axis=0)
    whitened = raw @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(raw, rowvar=False)))).T
    return stats_of(whitened @ np.linalg.cholesky(cov).T + mean)


def test_one_dimension_by_hand() -> None:
    a, b = with_moments(np.array([0.0]), np.eye(1)), with_moments(np.array([3.0]), 4 * np.eye(1))
    assert frechet_distance(a, b) == pytest.approx(10.0, abs=1e-9)


def test_commuting_covariances_have_a_closed_form() -> None:
    """Same eigenvectors: d² = |difference|² + sum (sqrt(p) - sqrt(q))²."""
    rotation, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((6, 6)))
    p, q = np.array([9, 4, 1, 1, 0.25, 4.0]), np.array([4, 4, 4, 0.01, 0.25, 1.0])
    shift = np.arange(6) / 10
    a = with_moments(np.zeros(6), rotation @ np.diag(p) @ rotation.T)
    b = with_moments(shift, rotation @ np.diag(q) @ rotation.T)
    want = (shift**2).sum() + ((np.sqrt(p) - np.sqrt(q)) ** 2).sum()
    assert frechet_distance(a, b) == pytest.approx(want, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(want, rel=1e-9)


def test_two_by_two_that_do_not_commute() -> None:
    """tr (AB)^{1/2} = sqrt(tr AB + 2 sqrt(det AB)) in two dimensions."""
    a, b = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[1.0, -0.7], [-0.7, 3.0]])
    overlap = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    want = np.trace(a) + np.trace(b) - 2 * overlap
    zero = np.zeros(2)
    assert frechet_distance(with_moments(zero, a), with_moments(zero, b)) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("count", [2, 30, 3000])
def test_a_set_is_at_no_distance_from_itself(count: int) -> None:
    stats = stats_of(np.random.default_rng(2).standard_normal((count, 64)) * 3 + 5)
    assert frechet_distance(stats, stats) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("count", [2, 100])
def test_few_samples_give_a_finite_distance_that_is_marked(count: int) -> None:
    random = np.random.default_rng(7)
    few, many = stats_of(random.standard_normal((count, 256))), stats_of(random.standard_normal((3000, 256)))
    assert few.rank_deficient
    assert not many.rank_deficient
    assert np.isfinite(frechet_distance(few, many))
    assert frechet_distance(few, many) == pytest.approx(frechet_distance(many, few), rel=1e-6)
    assert frechet_distance(few, few) == pytest.approx(0.0, abs=1e-3)


def published(
    a: FrechetStats, b: FrechetStats, root: Callable[[np.ndarray], np.ndarray] = linalg.sqrtm
) -> float:
    """The arithmetic of pytorch-fid's calculate_frechet_distance, over a general matrix square root."""
    product = root(a.cov @ b.cov)
    if not np.isfinite(product).all():
        ridge = 1e-6 * np.eye(a.dims)
        product = root((a.cov + ridge) @ (b.cov + ridge))
    assert np.allclose(np.diagonal(product).imag, 0, atol=1e-3)
    difference = a.mean - b.mean
    return float(difference @ difference + np.trace(a.cov) + np.trace(b.cov) - 2 * np.trace(product.real))


@pytest.mark.parametrize("dims", [3, 64, 200])
@pytest.mark.parametrize("kind", ["normal", "positive and correlated, as Inception's"])
def test_it_equals_the_published_formula(dims: int, kind: str) -> None:
    random = np.random.default_rng(dims)
    mixing = random.standard_normal((dims, dims)) / np.sqrt(dims)
    a, b = random.standard_normal((600, dims)), random.standard_normal((500, dims)) * 1.3 + 0.2
    if kind != "normal":
        a, b = np.maximum(a @ mixing, 0), np.maximum(b @ mixing + 0.1, 0)
    want = published(stats_of(a), stats_of(b))
    assert want > 0.1
    assert frechet_distance(stats_of(a, 77), stats_of(b, 33)) == pytest.approx(want, abs=1e-3)


def spread(random: np.random.Generator, dims: int, decades: float, least: float) -> np.ndarray:
    """A covariance of full rank whose eigenvalues fall over `decades` powers of ten, down to `least`."""
    mixing = random.standard_normal((dims, dims)) / np.sqrt(dims)
    return mixing * np.logspace(0, -decades, dims) @ mixing.T + least * np.eye(dims)


@pytest.mark.parametrize(("dims", "root"), [(64, "searched for"), (64, "known"), (2048, "known")])
def test_it_equals_the_published_formula_on_as_many_features_as_inception_has(dims: int, root: str) -> None:
    """scipy takes 20 s for the root at 2,048. With B = T A T, where T is symmetric and positive definite as A
    is, A B is (A T)² and A T the root."""
    random = np.random.default_rng(8)
    a, t = spread(random, dims, 6, 1e-6), spread(random, dims, 1, 0.2)
    means = random.random((2, dims))
    sets = [FrechetStats.of(50_000, *of) for of in zip(means, (a, t @ a @ t), strict=True)]
    want = published(*sets, (lambda product: a @ t) if root == "known" else linalg.sqrtm)
    assert want > 10
    assert frechet_distance(*sets) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("other", [100, 3000])
def test_few_samples_are_as_far_as_in_the_published_formula(other: int) -> None:
    """100 samples leave 157 of 256 directions without variance. Where scipy finds no root of the product, as
    some versions do not, the ridge moves the distance by 1.4e-3 of it."""
    random = np.random.default_rng(9)
    a, b = stats_of(random.standard_normal((100, 256))), stats_of(random.standard_normal((other, 256)) * 1.2)
    assert np.linalg.matrix_rank(a.cov) == 99
    assert frechet_distance(a, b) == pytest.approx(published(a, b), rel=2e-3)


def test_no_general_matrix_square_root_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """scipy's has changed its arguments and its values between versions."""
    monkeypatch.delattr(linalg, "sqrtm")
    test_two_by_two_that_do_not_commute()


@pytest.mark.parametrize("batch", [1, 5, 25, 33])
def test_statistics_do_not_depend_on_the_batches(batch: int) -> None:
    features = np.random.default_rng(3).standard_normal((100, 7)) + 1e4
    stats = stats_of(features, batch)
    assert stats.n == 100
    np.testing.assert_allclose(stats.mean, features.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(stats.cov, np.cov(features, rowvar=False), rtol=1e-7, atol=1e-9)


def test_batches_of_5_and_25_measure_the_same() -> None:
    random = np.random.default_rng(4)
    features = torch.from_numpy(random.standard_normal((50, 8)).astype(np.float32))
    reference = stats_of(random.standard_normal((60, 8)))
    distances = [frechet_distance(stats_of(features, size), reference) for size in (5, 25)]
    assert distances[0] == pytest.approx(distances[1], rel=1e-10)


def test_fewer_than_two_samples_are_refused() -> None:
    stats = FrechetStats()
    with pytest.raises(InputError, match="at least 2 samples, not 0"):
        _ = stats.mean
    stats.update(np.zeros((1, 3)))
    with pytest.raises(InputError, match="at least 2 samples, not 1"):
        frechet_distance(stats, stats)


def test_few_samples_are_flagged() -> None:
    """With 4 samples of 4 features the covariance has rank 3."""
    few, enough = (stats_of(np.random.default_rng(5).standard_normal((n, 4))) for n in (4, 5))
    assert few.rank_deficient
    assert np.linalg.matrix_rank(few.cov) == 3
    assert not enough.rank_deficient
    assert np.linalg.matrix_rank(enough.cov) == 4


def test_wrong_shapes_and_numbers_are_refused() -> None:
    stats = stats_of(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"shape \(batch, 3\)"):
        stats.update(np.zeros((2, 4)))
    with pytest.raises(InputError, match="not finite"):
        stats.update(np.array([[0.0, np.nan, 0.0]]))
    with pytest.raises(ValueError, match="3 and 4 features"):
        frechet_distance(stats, stats_of(np.zeros((2, 4))))
