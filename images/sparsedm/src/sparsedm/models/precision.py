"""Networks in 16 bits, as they are served: weights and activations in it, the solver around them in fp32."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sparsedm.diffusion.network import Network

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def in_precision(model: nn.Module, precision: str) -> Network:
    """The network as a function of float32 images to float32 predictions. `model` itself stays as it is."""
    if precision == "fp32":
        return model
    dtype = DTYPES[precision]
    network = copy.deepcopy(model).to(dtype)

    def call(x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        condition = y.to(dtype) if y is not None and y.is_floating_point() else y
        return network(x.to(dtype), t, condition).float()

    return call


def first_too_large(weights: Mapping[str, Tensor], precision: str) -> str | None:
    """Name of the first tensor with a value that the precision can't hold."""
    dtype = DTYPES[precision]
    floats = ((name, weight) for name, weight in weights.items() if weight.is_floating_point())
    return next((name for name, weight in floats if not torch.isfinite(weight.to(dtype)).all()), None)
