"""Improved precision and recall: how real generated images look, and how much of the real ones they cover.

Source: Kynkäänniemi et al. (arXiv 1904.06991). The manifold of a set is the union of balls about its points,
each as large as the distance to its k-th nearest neighbour in the set (k = 3 there and here).

    precision   share of the generated points that lie in the manifold of the real ones
    recall      share of the real points that lie in the manifold of the generated ones

Worked example (repeated in test_precision_recall.py), k = 1 on a line: real 0, 1, 10 have radii 1, 1, 9. Of
the generated 2 and 30 the first lies in the ball about 10, so precision is 1/2. Their own radii are 28: the
ball about 2 holds all real points, and recall is 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

NEIGHBOURS = 3
CHUNK = 1000
"""Rows of a distance matrix held at a time: 1,000 to 10,000 points take 80 MB."""
_ROUNDING = 1e-10
"""Squared distances below this share of the largest squared norm are rounding: copies of a point lie at 0."""


class Manifold:
    """The balls about (n, dims) features, with more than `neighbours` of them."""

    def __init__(self, points: Tensor, neighbours: int = NEIGHBOURS, chunk: int = CHUNK) -> None:
        self._centre = points.double().mean(dim=0)
        self._points = points.double() - self._centre
        self._chunk = chunk
        # A point is its own nearest neighbour, hence one more.
        self._radii = torch.cat(
            [
                _squared(part, self._points).kthvalue(neighbours + 1).values
                for part in self._points.split(chunk)
            ]
        )

    def share(self, points: Tensor) -> float:
        """Share of (m, dims) features that lie in at least one ball."""
        points = points.double() - self._centre
        slack = _ROUNDING * torch.cat([points, self._points]).square().sum(dim=1).max()
        inside = [
            (_squared(part, self._points) <= self._radii + slack).any(dim=1)
            for part in points.split(self._chunk)
        ]
        return torch.cat(inside).double().mean().item()


def _squared(a: Tensor, b: Tensor) -> Tensor:
    """(n, dims), (m, dims) -> (n, m) squared distances."""
    return (a.square().sum(dim=1)[:, None] + b.square().sum(dim=1) - 2 * a @ b.T).clamp_(min=0)
