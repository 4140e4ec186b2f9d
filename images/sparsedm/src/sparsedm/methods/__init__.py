"""Sparse training methods, one file each, under the names of the paper (arXiv 2404.10445) and of the API."""

from __future__ import annotations

from sparsedm.methods.base import Method
from sparsedm.methods.masked_dense import MaskedDense
from sparsedm.methods.sparsedm import SparseDM
from sparsedm.methods.sr_ste import SrSte
from sparsedm.methods.ste import Ste

METHODS: dict[str, type[Method]] = {m.name: m for m in (SparseDM, SrSte, Ste, MaskedDense)}


def build_method(name: str, regularization: float = 0.0, distillation: float = 0.0) -> Method:
    """The method by name; it takes what it needs of lambda (regularization) and alpha (distillation)."""
    return METHODS[name](regularization=regularization, distillation=distillation)


__all__ = ["METHODS", "MaskedDense", "Method", "SparseDM", "SrSte", "Ste", "build_method"]
