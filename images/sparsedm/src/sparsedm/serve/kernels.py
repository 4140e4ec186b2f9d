"""2:4 sparse products of torch, each as a layer that stands in for a dense Linear.

cuSPARSELt's is NVIDIA's library, with algorithms of which the fastest has to be searched for each shape.
CUTLASS's is compiled into torch for some GPUs only, needs no library, and takes other sides of matrices.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROWS = 8
"""Both take numbers of input rows that are multiples of this, in 16 bits."""


class Kernel(Protocol):
    """`sides`: (outputs, inputs) of a weight have to be multiples of these."""

    name: str
    sides: tuple[int, int]

    def build(self, dense: nn.Linear, algorithm: int = 0) -> nn.Module:
        """A layer of the same weights. Raises RuntimeError where it can't run here."""

    def fastest_algorithm(self, dense: nn.Linear, x: Tensor) -> int:
        """The one to build with, for inputs like x (rows, inputs)."""


class CusparseltLinear(nn.Module):
    """A Linear whose 2:4 sparse weight (outputs, inputs) is kept as the half that counts and its places.

    `algorithm` is one of cuSPARSELt's numbers, 0 its default.
    """

    def __init__(self, dense: nn.Linear, algorithm: int = 0) -> None:
        super().__init__()
        self.outputs = dense.out_features
        self.bias = dense.bias
        self.weight = torch._cslt_compress(dense.weight.detach().contiguous())
        self.algorithm = algorithm

    def fastest_algorithm(self, x: Tensor) -> int:
        """Tries all of them on (rows, inputs)."""
        return torch._cslt_sparse_mm_search(
            self.weight, _padded(x).t(), bias=self.bias, transpose_result=True
        )

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        flat = x.reshape(-1, x.shape[-1])
        y = torch._cslt_sparse_mm(
            self.weight, _padded(flat).t(), bias=self.bias, transpose_result=True, alg_id=self.algorithm
        )
        return y[: len(flat)].view(*x.shape[:-1], self.outputs)


def _padded(x: Tensor) -> Tensor:
    """To the number of rows that cuSPARSELt needs: for networks that do not fill up their tokens."""
    missing = -len(x) % ROWS
    return F.pad(x, (0, 0, 0, missing)) if missing else x


class Cusparselt:
    name = "cusparselt"
    sides = (16, 16)

    def build(self, dense: nn.Linear, algorithm: int = 0) -> nn.Module:
        return CusparseltLinear(dense, algorithm)

    def fastest_algorithm(self, dense: nn.Linear, x: Tensor) -> int:
        return CusparseltLinear(dense).fastest_algorithm(x)


class CutlassLinear(nn.Module):
    """A Linear on torch's own semi-structured tensor, which pads its inputs itself."""

    def __init__(self, dense: nn.Linear) -> None:
        super().__init__()
        self.bias = dense.bias
        self.weight = torch.sparse.SparseSemiStructuredTensorCUTLASS.from_dense(
            dense.weight.detach().contiguous()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        return F.linear(x, self.weight, self.bias)


class Cutlass:
    name = "cutlass"
    sides = (32, 64)

    def build(self, dense: nn.Linear, algorithm: int = 0) -> nn.Module:
        return CutlassLinear(dense)

    def fastest_algorithm(self, dense: nn.Linear, x: Tensor) -> int:
        return 0


KERNELS: tuple[Kernel, ...] = (Cusparselt(), Cutlass())
