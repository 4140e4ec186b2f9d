"""Multiply-accumulates of one forward pass on one image, by two conventions that are never mixed.

`linear` counts Linear and Conv2d layers: the figures of U-ViT and SparseDM (CIFAR-10 S/2: 11.322 G; 2:4
with skip_linear 5.66 G). `total` adds the two attention products, L * L * D each per attention (S/2: 12.20
G): the figures of DiT. A masked layer counts N/M of its multiply-accumulates.

A layer's multiply-accumulates are its weights times the positions it is applied to. For U-ViT these follow
from the sizes, in closed form; a network of diffusers runs once on the meta device, without memory, and is
watched by hooks and by torch's FlopCounterMode, whose first use takes 4 s unless diffusers has loaded what it
needs. test_macs.py holds both to each other and to published figures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from sparsedm.errors import InputError
from sparsedm.models import DiffusersConfig, ModelConfig, UViT, UViTConfig, build_model
from sparsedm.models.uvit import Attention
from sparsedm.sparsity.layers import prunable_layers
from sparsedm.sparsity.pattern import Pattern


@dataclass(frozen=True)
class LayerMacs:
    name: str
    dense: int
    sparse: int


@dataclass(frozen=True)
class Macs:
    """`dense` and `sparse` are `linear`; `attention` is the same for both."""

    layers: tuple[LayerMacs, ...]
    attention: int

    @property
    def dense(self) -> int:
        return sum(layer.dense for layer in self.layers)

    @property
    def sparse(self) -> int:
        return sum(layer.sparse for layer in self.layers)

    @property
    def total_dense(self) -> int:
        return self.dense + self.attention

    @property
    def total_sparse(self) -> int:
        return self.sparse + self.attention

    @property
    def reduction_percent(self) -> float:
        return 100.0 * (1.0 - self.sparse / self.dense)

    def status(self) -> dict[str, Any]:
        """As in the custom resource's `status.macs`."""
        return {
            "convention": "linear",
            "dense": self.dense,
            "sparse": self.sparse,
            "totalDense": self.total_dense,
            "totalSparse": self.total_sparse,
            "reductionPercent": f"{self.reduction_percent:.1f}",
        }


def count_macs(config: ModelConfig, masked: Collection[str] = (), pattern: Pattern | None = None) -> Macs:
    """`masked` names the layers under `pattern`; without them the sparse figures equal the dense ones."""
    model = bare_model(config)
    if isinstance(config, UViTConfig):
        counted = {name: positions(config, name) for name, _ in prunable_layers(model)}
        attention = config.depth * 2 * config.tokens**2 * config.attention_width
    else:
        counted, total = _watch(model, config)
        linear = sum(module.weight.numel() * counted.get(n, 0) for n, module in prunable_layers(model))
        attention = total - linear
    layers = []
    for name, module in prunable_layers(model):
        dense = module.weight.numel() * counted.get(name, 0)
        sparse = dense * pattern.n // pattern.m if pattern and name in masked else dense
        layers.append(LayerMacs(name, dense, sparse))
    return Macs(tuple(layers), attention)


def bare_model(config: ModelConfig) -> nn.Module:
    """The network's names and shapes without memory, on the meta device.

    U-ViT's label table is put in afterwards: initialising an embedding on that device imports torch's
    compiler, which takes seconds.
    """
    if not isinstance(config, UViTConfig):
        with torch.device("meta"):
            return build_model(config)
    with torch.device("meta"):
        model = UViT(dataclasses.replace(config, num_classes=0))
        if config.num_classes:
            model.config = config
            model.pos_embed = nn.Parameter(torch.empty(1, config.tokens, config.width))
            for module in model.modules():
                if isinstance(module, Attention):
                    module.tokens = config.tokens
            rows = config.label_rows
            model.label_emb = nn.Embedding(rows, config.width, _weight=torch.empty(rows, config.width))
    return model


def _watch(model: nn.Module, config: DiffusersConfig) -> tuple[dict[str, int], int]:
    """Positions of every layer, and MACs of all products, in one pass of one image. Raises InputError."""
    seen: dict[str, int] = {}

    def watch(name: str, module: nn.Module) -> None:
        channels = 1 if isinstance(module, nn.Conv2d) else -1

        def note(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
            seen[name] = seen.get(name, 0) + output.numel() // output.shape[channels]

        module.register_forward_hook(note)

    for name, module in prunable_layers(model):
        watch(name, module)
    try:
        # Attention as two products, which the counter sees.
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
            model.eval()(*_one_image(config))
    except Exception as error:
        raise InputError(
            "ModelUnsupported",
            f"{config.class_name} can't be run with an image, a time and labels or text alone "
            f"({type(error).__name__}: {error}): choose another model.",
        ) from error
    return seen, counter.get_total_flops() // 2


def _one_image(config: DiffusersConfig) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Inputs of the network, on the meta device."""
    x = torch.empty(1, config.channels, config.image_size, config.image_size, device="meta")
    y = None
    if config.context:
        y = torch.empty(1, *config.context, device="meta")
    elif config.num_classes:
        y = torch.zeros(1, dtype=torch.int64, device="meta")
    return x, torch.empty(1, device="meta"), y


def positions(config: UViTConfig, name: str) -> int:
    """How often a layer's weights are applied in one forward pass: per patch, token, pixel or word."""
    if name == "context_embed":
        return config.context_tokens
    if name.startswith("patch_embed."):
        return config.patches
    return config.image_size**2 if name == "final_layer" else config.tokens
