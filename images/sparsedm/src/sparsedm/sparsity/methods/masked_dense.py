"""`masked-dense`: the dense model masked once, without training: the zero-shot lower bound."""

from __future__ import annotations

from sparsedm.sparsity.methods.ste import Ste


class MaskedDense(Ste):
    name = "masked-dense"
    trains = False
