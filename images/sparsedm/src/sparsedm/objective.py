"""The loss of SparseDM: L = |target - out_S|^2 + alpha * |out_T - out_S|^2.

`target` and both outputs are in the model's own prediction space: the noise (the paper's case), or v for a
model with v-prediction. T is the frozen dense model. Means are over all elements of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparsedm.diffusion import VPSDE
from sparsedm.diffusion.sde import stratified_times
from sparsedm.errors import InputError
from sparsedm.models import UViTConfig

LABEL_DROP = 0.1
"""Part of the labels replaced by "none" in training, so that the model can still be guided (arXiv
2207.12598)."""

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Precisions with another type for the matrix products; fp32 has none."""


@dataclass(frozen=True)
class Batch:
    """Noisy images x_t (B, C, H, W), times t (B,), labels (B,) or None, and what the network should say."""

    x_t: Tensor
    t: Tensor
    labels: Tensor | None
    target: Tensor

    def parts(self, count: int) -> Iterator[Batch]:
        """The batch in `count` equal parts, one after the other."""
        size = len(self.x_t) // count
        for start in range(0, size * count, size):
            part = slice(start, start + size)
            labels = None if self.labels is None else self.labels[part]
            yield Batch(self.x_t[part], self.t[part], labels, self.target[part])


def noisy_batch(
    x0: Tensor, labels: Tensor | None, config: UViTConfig, sde: VPSDE, generator: torch.Generator
) -> Batch:
    """Draws times, noise and dropped labels from `generator` alone, always in this order.

    labels: (B,), or text (B, L, D) with `nothing` (L, D), the text that stands for none.
    """
    t = stratified_times(len(x0), generator)
    eps = torch.randn(x0.shape, generator=generator, device=x0.device)
    kept = None
    if config.num_classes:
        if labels is None:
            raise InputError("DatasetMismatch", "The model has classes and the data set has no labels.")
        dropped = torch.rand(len(x0), generator=generator, device=x0.device) < LABEL_DROP
        kept = labels.to(x0.device).masked_fill(dropped, config.null_label)
    return Batch(sde.q_sample(x0, t, eps), t, kept, sde.target(x0, eps, t, config.prediction))


class Objective:
    """`alpha` 0 asks no teacher. `precision` bf16 or fp16 runs both networks under autocast; losses are
    float32."""

    def __init__(self, student: nn.Module, teacher: nn.Module, alpha: float, precision: str) -> None:
        self.student = student
        self.teacher = teacher
        self.alpha = alpha
        self.precision = precision

    def __call__(self, batch: Batch) -> Tensor:
        out = self._run(self.student, batch)
        loss = F.mse_loss(out, batch.target)
        if not self.alpha:
            return loss
        with torch.no_grad():
            taught = self._run(self.teacher, batch)
        return loss + self.alpha * F.mse_loss(out, taught)

    def _run(self, network: nn.Module, batch: Batch) -> Tensor:
        device, dtype = batch.x_t.device.type, AUTOCAST.get(self.precision)
        with torch.autocast(device, dtype, enabled=dtype is not None):
            return network(batch.x_t, batch.t, batch.labels).float()

    @torch.no_grad()
    def check_start(self, batch: Batch) -> None:
        """Before the first step, masks open: the student must compute exactly the dense model's loss.

        Catches a student that never got the pre-trained weights, which trains without any other sign of it.
        """
        student = F.mse_loss(self._run(self.student, batch), batch.target).item()
        teacher = F.mse_loss(self._run(self.teacher, batch), batch.target).item()
        if abs(student - teacher) > 1e-6 * abs(teacher):
            raise RuntimeError(
                f"the student's loss at step 0 is {student:.6f} and the dense model's {teacher:.6f}: "
                "the pre-trained weights did not get into the student."
            )
