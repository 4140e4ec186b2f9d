"""KID, precision and recall of given features, as torch-fidelity computes them, in float64.

KID (Bińkowski et al., arXiv 1801.01401) is the squared maximum mean discrepancy of two sets of features under
the cubic kernel k(x, y) = (x·y / dims + 1)³. It is unbiased, so it may be negative, and needs few samples. It
is computed for random subsets; its mean and deviation over them are reported.

Precision and recall (Kynkäänniemi et al., arXiv 1904.06991) are the shares of the generated features among
the real ones, and of the real ones among the generated. The manifold of a set is the union of balls about its
points, each as large as the distance to its k-th nearest neighbour in the set.

The library is imported by the first call: with torchvision, which it brings, that takes 4 s and 160 MB.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

SUBSETS = 100
SUBSET_SIZE = 1000
NEIGHBOURS = 3
CHUNK = 1000
"""Rows of a distance matrix held at a time: 1,000 to 10,000 points take 80 MB."""


@dataclass(frozen=True)
class KernelDistance:
    """Mean and standard deviation of KID over `subsets` pairs of subsets of `subset_size` points each."""

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
    from torch_fidelity import metric_kid

    size = min(subset_size, len(real) // 2, len(generated) // 2)
    found = metric_kid.kid_features_to_metric(
        real.double(),
        generated.double(),
        kid_subsets=subsets,
        kid_subset_size=size,
        rng_seed=seed,
        verbose=False,
    )
    mean, deviation = (found[key] for key in (metric_kid.KEY_METRIC_KID_MEAN, metric_kid.KEY_METRIC_KID_STD))
    return KernelDistance(mean, deviation, subsets, size)


def precision_recall(
    real: Tensor, generated: Tensor, neighbours: int = NEIGHBOURS, chunk: int = CHUNK
) -> tuple[float, float]:
    """Of (n, dims) and (m, dims) features, more than `neighbours` each. A manifold grows with the points that
    span it, so compare equal numbers."""
    from torch_fidelity import metric_prc

    found = metric_prc.prc_features_to_metric(
        generated.double(),
        real.double(),
        prc_neighborhood=neighbours,
        prc_batch_size=chunk,
        save_cpu_ram=True,
        verbose=False,
    )
    return found[metric_prc.KEY_METRIC_PRECISION], found[metric_prc.KEY_METRIC_RECALL]
