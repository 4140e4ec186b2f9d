"""`dense`: no pruning. The dense model is trained on for the same steps: the control of every comparison.

A rise or fall of the distance under `dense` is what training alone does, and no merit or fault of sparsity.
"""

from __future__ import annotations

from sparsedm.sparsity.methods.ste import Ste


class Dense(Ste):
    name = "dense"
    masks = False
