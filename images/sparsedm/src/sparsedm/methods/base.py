"""What a method decides: the masked forward, what is added to the gradient, the teacher's weight in the
loss."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from torch import Tensor, nn


class Method:
    """Base of all methods. `trains` is False for a method that only masks."""

    name: ClassVar[str]
    trains: ClassVar[bool] = True

    def __init__(self, regularization: float = 0.0, distillation: float = 0.0) -> None:
        self.regularization = regularization
        self.distillation = distillation

    def masked_weight(self, weight: Tensor, mask: Tensor) -> Tensor:
        """W~ of the forward pass, and with it dL/dW of the backward pass."""
        raise NotImplementedError

    def add_to_gradients(self, layers: Iterable[tuple[nn.Parameter, Tensor]]) -> None:
        """Called with (weight, mask) of each masked layer after backward and clipping, before the
        optimizer."""

    @property
    def distillation_weight(self) -> float:
        """alpha: 0 means that no teacher is asked."""
        return 0.0
