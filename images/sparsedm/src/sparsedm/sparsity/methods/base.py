"""What a method decides: the masked forward, the gradient, what happens to the weights around the optimizer,
and the weights that come out.

A step calls, in this order: the forward and backward pass with `masked_weight`; clipping; `before_optimizer`;
the optimizer; `after_optimizer`. The hooks work in place and on the masked layers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sparsedm.sparsity.masks import Masking, apply_mask

Layers = Iterable[tuple[nn.Parameter, Tensor]]
"""(dense weight, mask) of each masked layer."""


class Method:
    """Base of all methods. `trains` is False for a method that only masks, `masks` for one that only trains.

    `moves_mask` is False where the mask is made once, before the first step. Where the configuration is
    silent, `mask_update_steps` is the number of steps between two masks, `default_regularization` lambda, and
    `default_distillation` alpha, the teacher's weight in the loss.
    """

    name: ClassVar[str]
    trains: ClassVar[bool] = True
    masks: ClassVar[bool] = True
    moves_mask: ClassVar[bool] = True
    mask_update_steps: ClassVar[int] = 1
    default_regularization: ClassVar[float] = 0.0
    default_distillation: ClassVar[float] = 0.0

    def __init__(self, regularization: float = 0.0, l1_decay: float = 0.0) -> None:
        self.regularization = regularization
        self.l1_decay = l1_decay
        self.total: Callable[[Tensor], Tensor] = lambda own: own
        """Sums over the processes what each counted in its rows of a weight."""

    def masked_weight(self, weight: Tensor, masking: Masking) -> Tensor:
        """W~ of the forward pass, and with it dL/dW of the backward pass."""
        raise NotImplementedError

    def scaling(self, weight: Tensor) -> Tensor | None:
        """The factors that are learned beside a layer's weight, as they begin; None without any."""
        return None

    def begin_stage(self, weight: Tensor, masking: Masking) -> None:
        """Called for each layer when a stage has made its first mask."""

    def freeze(self, weight: Tensor, masking: Masking) -> None:
        """Called for each layer's weight, and for its average, when the mask freezes; from then on every
        method computes W * m."""

    def optimizer(self, parameters: Iterable[nn.Parameter], **settings: Any) -> torch.optim.Optimizer:
        """Called once, before the first step, with AdamW's settings; one group with all parameters."""
        return torch.optim.AdamW(parameters, **settings)

    def before_optimizer(self, layers: Layers, learning_rate: float, moved: float) -> None:
        """The gradients are complete, clipped and finite; the optimizer has not stepped yet. `moved` is the
        share of the steps with a moving mask that are done: it rises from 0 to 1, where the mask freezes."""

    def after_optimizer(self, layers: Layers) -> None:
        """The optimizer has stepped."""

    @torch.no_grad()
    def sparse_weight(self, weight: Tensor, masking: Masking) -> Tensor:
        """The weight that is measured and exported: N:M sparse, zeros without a sign."""
        return apply_mask(weight, masking.mask)
