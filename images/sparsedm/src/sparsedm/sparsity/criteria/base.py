"""What a criterion makes of a layer's inputs.

A layer is seen as its groups' matrices: G groups of outputs with inputs of their own (1 but for grouped
convolutions), each with a weight W (O, d) and inputs X (tokens, d). d runs over the inputs of an output;
those of a convolution are (kh, kw, C), so that M neighbours are a group of the pattern (masks.py).
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from sparsedm.sparsity.pattern import Pattern


class Criterion:
    """`correlates` says that the moments are the whole matrix E[x x^T] (G, d, d), and not its diagonal (G, d)
    alone; `weighted` that the tokens of early denoising steps count more (calibration.step_weights)."""

    name: ClassVar[str]
    correlates: ClassVar[bool] = False
    weighted: ClassVar[bool] = False

    def factors(self, moments: Tensor) -> Tensor:
        """(G, d), not negative: a weight's score is its magnitude times its input's factor, now and whenever
        the mask is made again."""
        raise NotImplementedError

    def start(self, weight: Tensor, moments: Tensor, pattern: Pattern) -> Tensor | None:
        """(G, O, d), the weights to begin with, pruned ones 0; None where they stay as they are."""
        return None
