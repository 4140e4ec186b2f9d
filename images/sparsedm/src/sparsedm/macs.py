"""Multiply-accumulates of one forward pass on one image, by two conventions that are never mixed.

`linear` counts Linear and Conv2d layers: the figures of U-ViT and SparseDM (CIFAR-10 S/2: 11.322 G; 2:4
with skip_linear 5.66 G). `total` adds the two attention products, L * L * D each per attention (S/2: 12.20
G): the figures of DiT. A masked layer counts N/M of its multiply-accumulates.

A layer's multiply-accumulates are its weights times the positions it is applied to; test_macs.py checks
them against a run of the network that is watched from outside.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sparsedm.layers import prunable_layers
from sparsedm.models import UViT, UViTConfig, build_model
from sparsedm.pattern import Pattern


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


def count_macs(config: UViTConfig, masked: Collection[str] = (), pattern: Pattern | None = None) -> Macs:
    """`masked` names the layers under `pattern`; without them the sparse figures equal the dense ones."""
    layers = []
    for name, module in prunable_layers(bare_model(config)):
        dense = module.weight.numel() * positions(config, name)
        sparse = dense * pattern.n // pattern.m if pattern and name in masked else dense
        layers.append(LayerMacs(name, dense, sparse))
    return Macs(tuple(layers), attention=config.depth * 2 * config.tokens**2 * config.width)


def bare_model(config: UViTConfig) -> UViT:
    """The network's names and shapes without memory, on the meta device.

    The label table is put in afterwards: initialising an embedding on that device imports torch's compiler,
    which takes seconds.
    """
    with torch.device("meta"):
        model = build_model(dataclasses.replace(config, num_classes=0))
        if config.num_classes:
            model.config = config
            model.pos_embed = nn.Parameter(torch.empty(1, config.tokens, config.width))
            rows = config.num_classes + 1
            model.label_emb = nn.Embedding(rows, config.width, _weight=torch.empty(rows, config.width))
    return model


def positions(config: UViTConfig, name: str) -> int:
    """How often a layer's weights are applied in one forward pass: per patch, per token or per pixel."""
    if name.startswith("patch_embed."):
        return config.patches
    return config.image_size**2 if name == "final_layer" else config.tokens
