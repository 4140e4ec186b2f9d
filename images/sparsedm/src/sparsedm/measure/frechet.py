"""Frechet distance between two sets of feature vectors, and the streaming statistics it is computed from.

Source: Heusel et al. (arXiv 1706.08500): with means mu and covariances S of the features,
d² = |mu_a - mu_b|² + tr(S_a + S_b - 2 (S_a S_b)^{1/2}).
It is the FID only over the features of the Inception network of 2015; over any other extractor it is reported
as `fd-<extractor>`.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from sparsedm.errors import InputError


class FrechetStats:
    """Mean and covariance of (n, dims) features, gathered batch by batch in float64; the first sets dims.

    Batches are merged by their means and centred sums (Chan, Golub, LeVeque 1979), so the result does not
    depend on how the samples were split, and large means do not cancel digits.

    Worked example: features [[0], [2]] give mean [1] and covariance [[2]] (unbiased, as numpy.cov).
    """

    def __init__(self) -> None:
        self.n = 0
        self._mean = np.zeros(0)
        self._scatter = np.zeros((0, 0))

    @property
    def dims(self) -> int:
        return len(self._mean)

    def update(self, features: Tensor | np.ndarray) -> None:
        """Adds a batch, (B, dims)."""
        batch = features.detach().cpu().numpy() if isinstance(features, Tensor) else features
        values = np.asarray(batch, dtype=np.float64)
        if values.ndim != 2 or (self.n and values.shape[1] != self.dims):
            raise ValueError(f"Features must have shape (batch, {self.dims or 'dims'}), not {values.shape}.")
        if not np.isfinite(values).all():
            raise InputError(
                "FeaturesNotFinite", "Some features are not finite: the images hold NaN or infinity."
            )
        if not len(values):
            return
        if not self.n:
            self._mean, self._scatter = np.zeros(values.shape[1]), np.zeros([values.shape[1]] * 2)
        mean = values.mean(axis=0)
        centred = values - mean
        total = self.n + len(values)
        delta = mean - self._mean
        self._scatter += centred.T @ centred + np.outer(delta, delta) * (self.n * len(values) / total)
        self._mean += delta * (len(values) / total)
        self.n = total

    @property
    def mean(self) -> np.ndarray:
        """(dims,) float64."""
        self._require_two()
        return self._mean

    @property
    def cov(self) -> np.ndarray:
        """(dims, dims) float64, divided by n - 1."""
        self._require_two()
        return self._scatter / (self.n - 1)

    @property
    def rank_deficient(self) -> bool:
        """Whether the covariance is singular because there are no more samples than dimensions."""
        return self.n <= self.dims

    def _require_two(self) -> None:
        if self.n < 2:
            raise InputError(
                "TooFewSamples",
                f"A covariance needs at least 2 samples, not {self.n}: raise their number.",
            )

    @classmethod
    def of(cls, n: int, mean: np.ndarray, cov: np.ndarray) -> FrechetStats:
        """Of `n` samples, at least 2, that have these moments, (dims,) and (dims, dims) float64."""
        stats = cls()
        stats.n, stats._mean, stats._scatter = n, mean, cov * (n - 1)
        return stats


def frechet_distance(a: FrechetStats, b: FrechetStats) -> float:
    """The (squared) distance d² of the module's formula, never below 0.

    tr (S_a S_b)^{1/2} is the sum of the square roots of the eigenvalues of S_a^{1/2} S_b S_a^{1/2}:
    symmetric, so real and stable where a general matrix square root is neither.

    Worked example: N(0, 1) and N(3, 4) in one dimension: 9 + 1 + 4 - 2·2 = 10.
    """
    if a.dims != b.dims:
        raise ValueError(f"The sets have {a.dims} and {b.dims} features: use one extractor for both.")
    values, vectors = np.linalg.eigh(a.cov)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    product = root @ b.cov @ root
    overlap = np.sqrt(np.clip(np.linalg.eigvalsh((product + product.T) / 2), 0.0, None)).sum()
    difference = a.mean - b.mean
    distance = difference @ difference + np.trace(a.cov) + np.trace(b.cov) - 2.0 * overlap
    return max(0.0, float(distance))
