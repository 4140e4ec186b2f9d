"""The loss of SparseDM: L = |target - out_S|^2 + alpha * |out_T - out_S|^2.

`target` and both outputs are in the model's own prediction space: the noise (the paper's case), or v for a
model with v-prediction. T is the teacher: the frozen dense model, or another network that predicts in the
same space. Means are over all elements of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparsedm.diffusion.network import NetworkConfig
from sparsedm.diffusion.process import stratified_timesteps
from sparsedm.errors import InputError
from sparsedm.runtime.compiling import compiled

START_TOLERANCE = {"cpu": 1e-6, "cuda": 1e-3}
"""Largest relative difference between the student's first loss and the dense model's."""

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Precisions with another type for the matrix products; fp32 has none."""


@dataclass(frozen=True)
class Batch:
    """Noisy images x_t (B, C, H, W), timesteps t (B,), labels (B,) or None, and the network's
    target."""

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
    x0: Tensor,
    labels: Tensor | None,
    config: NetworkConfig,
    generator: torch.Generator,
    nothing: Tensor | None = None,
    whole: int | None = None,
    first: int = 0,
) -> Batch:
    """Draws timesteps, noise and dropped labels from `generator` alone, always in this order.

    labels: (B,), or text (B, L, D) with `nothing` (L, D), the text that stands for none. Where x0 is a share
    of a batch of `whole` images, from its image `first` on, the draws are the share's of the whole
    batch's.
    """
    count, own = whole or len(x0), slice(first, first + len(x0))
    process = config.process
    t = process.training_time(stratified_timesteps(count, generator))[own]
    eps = torch.randn((count, *x0.shape[1:]), generator=generator, device=x0.device)[own]
    kept = None
    if config.num_classes or config.context:
        if labels is None:
            raise InputError("DatasetMismatch", "The model has classes and the data set has no labels.")
        dropped = torch.rand(count, generator=generator, device=x0.device)[own] < config.label_dropout
        kept = _dropped(labels.to(x0.device), dropped, config, nothing)
    return Batch(process.q_sample(x0, t, eps), t, kept, process.target(x0, eps, t, config.prediction))


def _dropped(labels: Tensor, dropped: Tensor, config: NetworkConfig, nothing: Tensor | None) -> Tensor:
    """Labels or text with "none" in the places of `dropped` (B,); all are kept where there is no "none"."""
    if config.context:
        return labels if nothing is None else torch.where(dropped[:, None, None], nothing.to(labels), labels)
    return labels if config.null_label is None else labels.masked_fill(dropped, config.null_label)


class Objective:
    """`alpha` 0 runs no teacher, and needs none. `precision` bf16 or fp16 runs both networks under autocast;
    losses are float32.

    `compile` compiles both (compiling.py). Raises ConfigError where that can't be done here.
    """

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module | None,
        alpha: float,
        precision: str,
        compile: bool = False,
    ) -> None:
        self.student = student
        self.alpha = alpha
        self.precision = precision
        device = next(student.parameters()).device

        def ready(network: nn.Module) -> nn.Module:
            return compiled(network, device) if compile else network

        self.learning = ready(student)
        self.teaching = ready(teacher) if alpha and teacher is not None else None

    def __call__(self, batch: Batch) -> Tensor:
        out = self._run(self.learning, batch)
        loss = _error(out, batch)
        if self.teaching is None:
            return loss
        with torch.no_grad():
            taught = self._run(self.teaching, batch)
        return loss + self.alpha * F.mse_loss(out, taught)

    def _run(self, network: nn.Module, batch: Batch) -> Tensor:
        device, dtype = batch.x_t.device.type, AUTOCAST.get(self.precision)
        # A cached copy of each weight, used once, would outlive the block that was gathered for it.
        with torch.autocast(device, dtype, enabled=dtype is not None, cache_enabled=False):
            return network(batch.x_t, batch.t, batch.labels).float()

    @torch.no_grad()
    def check_start(self, batch: Batch, dense: nn.Module) -> None:
        """Before the first step, masks open: the student must compute exactly the dense model's loss.

        Catches a student that never got the pre-trained weights, which trains without any other sign of it.
        A GPU may take another kernel, which rounds to TF32, for a convolution whose weights lie in another
        order.
        """
        device = batch.x_t.device.type
        self.student.eval()  # without dropout, which a model may have
        student = _error(self._run(self.student, batch), batch).item()
        wanted = _error(self._run(dense, batch), batch).item()
        self.student.train()
        if abs(student - wanted) > START_TOLERANCE[device] * abs(wanted):
            raise RuntimeError(
                f"the student's loss at step 0 is {student:.6f} and the dense model's {wanted:.6f}: "
                "the pre-trained weights did not get into the student."
            )


def _error(out: Tensor, batch: Batch) -> Tensor:
    """A variance that the network also predicts (DiT) follows the teacher alone."""
    return F.mse_loss(out[:, : batch.target.shape[1]], batch.target)
