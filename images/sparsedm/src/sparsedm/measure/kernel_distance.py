"""KID: the squared maximum mean discrepancy between two sets of features under a cubic kernel.

Source: Bińkowski et al. (arXiv 1801.01401). With k(x, y) = (x·y / dims + 1)³ and sets of m points each,

    MMD² = mean of k(x, x') + mean of k(y, y') over pairs of different points - 2 · mean of k(x, y)

It is unbiased, so it may be negative, and needs few samples. It is computed for random subsets; its mean
and deviation over them are reported.

Worked example (repeated in test_kernel_distance.py), one dimension: x = 0, 1 and y = 1, 2 give
1 + 27 - 2 · 9.25 = 9.5, where 9.25 is the mean of 1, 1, 8 and 27.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SUBSETS = 100
SUBSET_SIZE = 1000


@dataclass(frozen=True)
class KernelDistance:
    """Mean and standard deviation of MMD² over `subsets` pairs of subsets of `subset_size` points each."""

    mean: float
    deviation: float
    subsets: int
    subset_size: int


def kernel_distance(
    real: Tensor, generated: Tensor, seed: int, subsets: int = SUBSETS, subset_size: int = SUBSET_SIZE
) -> KernelDistance:
    """Of (n, dims) and (m, dims) features, at least 4 each.

    Subsets have no more than half of the points, so that they differ; the seed chooses them.
    """
    size = min(subset_size, len(real) // 2, len(generated) // 2)
    random = np.random.default_rng(seed)

    def chosen(features: Tensor) -> Tensor:
        return features[random.choice(len(features), size, replace=False)].double()

    values = [squared_discrepancy(chosen(real), chosen(generated)) for _ in range(subsets)]
    return KernelDistance(float(np.mean(values)), float(np.std(values)), subsets, size)


def squared_discrepancy(x: Tensor, y: Tensor) -> float:
    """MMD² of two sets, (m, dims) float64 each, m at least 2."""
    return (_mean_of_pairs(x) + _mean_of_pairs(y) - 2 * _kernel(x, y).mean()).item()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _mean_of_pairs(x: Tensor) -> Tensor:
    """Over pairs of different points."""
    kernel = _kernel(x, x)
    return (kernel.sum() - torch.trace(kernel)) / (len(x) * (len(x) - 1))
