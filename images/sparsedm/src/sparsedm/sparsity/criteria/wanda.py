"""`wanda`: pruning by weights and activations (Sun et al., arXiv 2306.11695).

    S_ij = |W_ij| * ||X_j||_2         W (O, d), X (tokens, d), S (O, d)

compared within an output's row, here within its groups of M. The norm is taken as the root of the mean
square, which ranks alike for any number of tokens.
Worked example (repeated in test_criteria.py): W = [1, -4, 2, 3] with norms [9, 1, 2, 1] scores [9, 4, 4, 3],
and 2:4 keeps the first two; by magnitude it would keep -4 and 3.
"""

from __future__ import annotations

from torch import Tensor

from sparsedm.sparsity.criteria.base import Criterion


class Wanda(Criterion):
    name = "wanda"

    def factors(self, moments: Tensor) -> Tensor:
        return moments.sqrt()
