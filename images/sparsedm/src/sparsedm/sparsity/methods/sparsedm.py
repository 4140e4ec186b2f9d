"""`sparsedm`: sr-ste with a frozen dense teacher in the loss, and the progressive schedule by default.

L = |target - out_S|^2 + alpha * |out_T - out_S|^2, in the model's own prediction space: eps for noise
prediction (the paper's), v for v-prediction.
"""

from __future__ import annotations

from sparsedm.sparsity.methods.sr_ste import SrSte


class SparseDM(SrSte):
    name = "sparsedm"

    @property
    def distillation_weight(self) -> float:
        return self.distillation
