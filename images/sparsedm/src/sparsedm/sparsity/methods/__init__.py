"""Sparse training methods, one file each, under the names of the papers and of the API."""

from __future__ import annotations

from sparsedm.sparsity.methods.asp import Asp
from sparsedm.sparsity.methods.base import Method
from sparsedm.sparsity.methods.cast import Cast
from sparsedm.sparsity.methods.dense import Dense
from sparsedm.sparsity.methods.masked_dense import MaskedDense
from sparsedm.sparsity.methods.s_ste import SSte
from sparsedm.sparsity.methods.sparsedm import SparseDM
from sparsedm.sparsity.methods.sr_ste import SrSte
from sparsedm.sparsity.methods.sr_ste_decoupled import SrSteDecoupled
from sparsedm.sparsity.methods.ste import Ste

METHODS: dict[str, type[Method]] = {
    m.name: m for m in (SparseDM, SrSte, SrSteDecoupled, Ste, SSte, Cast, Asp, Dense, MaskedDense)
}


def build_method(name: str, regularization: float = 0.0, l1_decay: float = 0.0) -> Method:
    """The method by name; it takes what it needs of the two."""
    return METHODS[name](regularization=regularization, l1_decay=l1_decay)


__all__ = [
    "METHODS",
    "Asp",
    "Cast",
    "Dense",
    "MaskedDense",
    "Method",
    "SSte",
    "SparseDM",
    "SrSte",
    "SrSteDecoupled",
    "Ste",
    "build_method",
]
