"""`sparsedm`: sr-ste, by default with the dense model as its teacher and the progressive schedule.

With another method and the same teacher the loss is the same: what is left of the method is SR-STE's pull.
"""

from __future__ import annotations

from sparsedm.sparsity.methods.sr_ste import SrSte


class SparseDM(SrSte):
    name = "sparsedm"
    default_distillation = 0.1
