"""`energy`: the magnitude of a weight times the energy of its input.

    S_ij = |W_ij| * ||X_j||_2^2       W (O, d), X (tokens, d), S (O, d)

compared within an output's groups of M. The error that a pruned weight leaves is W_ij^2 ||X_j||^2, whose root
is wanda's score. That ranks every input as if its neighbours said nothing of it, and so follows the weights
more than what is lost; here the energy of the input counts as much as the weight, to the first power both.

DiT-Pruning (arXiv 2607.00927) also has a criterion that balances weights and activations "from an
energy-based perspective". Its abstract is all that was at hand: this formula is this module's own, and no
figure of it says anything of that paper, whose clustered granularity is not here either.
Worked example (repeated in test_criteria.py): W = [1, -4, 2, 3] with norms [2, 1, 2, 1] scores [4, 4, 8, 3]:
2:4 keeps the third and the first, where wanda's [2, 4, 4, 3] keeps -4 and 2.
"""

from __future__ import annotations

from torch import Tensor

from sparsedm.sparsity.criteria.base import Criterion


class Energy(Criterion):
    name = "energy"

    def factors(self, moments: Tensor) -> Tensor:
        return moments
