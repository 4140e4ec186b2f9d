"""Which layers of a denoiser are masked, by its structure and by one call of it.

Masked are the Linear and Conv2d layers of repeated blocks: entries of a list of modules of which two or more
have one class, and in a UNet all of its blocks. Embedders, first and last projections lie outside of them.
Within a block a layer that is applied no more than once to an image makes modulation of a timestep or of a
pooled text, and stays dense: a call tells which these are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from sparsedm.measure.macs import LayerMacs, Macs
from sparsedm.pipelines.record import Call
from sparsedm.sparsity.layers import Selection, prunable_layers, select_wanted
from sparsedm.sparsity.pattern import Pattern

LEAST = 4
"""Layers of a repeated block that is no mere embedder: attention alone has as many projections."""
UNET_PARTS = ("down_blocks", "mid_block", "up_blocks")


def repeated_blocks(network: nn.Module) -> list[str]:
    """Names of the outermost ones, in the network's order."""
    return list(_blocks(network, "", isinstance(getattr(network, "down_blocks", None), nn.ModuleList)))


def _blocks(module: nn.Module, prefix: str, is_unet: bool) -> Iterator[str]:
    for name, child in module.named_children():
        place = f"{prefix}{name}"
        if is_unet and not prefix and name in UNET_PARTS:
            yield from [f"{place}.{i}" for i in range(len(child))] if name != "mid_block" else [place]
        elif isinstance(child, nn.ModuleList):
            classes = Counter(type(entry) for entry in child)
            for i, entry in enumerate(child):
                size = sum(1 for _ in prunable_layers(entry))
                if classes[type(entry)] > 1 and size >= LEAST:
                    yield f"{place}.{i}"
                else:
                    yield from _blocks(entry, f"{place}.{i}.", is_unet)
        else:
            yield from _blocks(child, f"{place}.", is_unet)


def select_of_call(
    network: nn.Module,
    positions: Mapping[str, int],
    rows: int,
    pattern: Pattern,
    include: Sequence[str],
    exclude: Sequence[str],
) -> Selection:
    """`include` and `exclude` are the user's globs; without `include` the structure decides. `positions` and
    `rows` as `watch` and Call give them."""
    blocks = repeated_blocks(network)

    def unwanted(name: str) -> str | None:
        return _reason(name, positions.get(name, 0), rows, blocks, include, exclude)

    return select_wanted(network, pattern, unwanted, include)


def _reason(
    name: str,
    positions: int,
    rows: int,
    blocks: Sequence[str],
    include: Sequence[str],
    exclude: Sequence[str],
) -> str | None:
    """Why a layer is not masked."""
    excluded_by = next((glob for glob in exclude if fnmatchcase(name, glob)), None)
    if excluded_by is not None:
        return f"excluded by {excluded_by}"
    if include:
        return None if any(fnmatchcase(name, glob) for glob in include) else "no include glob matches"
    if not any(name.startswith(f"{block}.") for block in blocks):
        return "outside of the repeated blocks"
    if not positions:
        return "not applied"
    return "applied once to an image, as modulation is" if positions <= rows else None


@torch.no_grad()
def watch(network: nn.Module, call: Call) -> tuple[dict[str, int], int]:
    """Of one call, on the device of its tensors: how often each layer is applied (tokens, or pixels of its
    output, of all rows), and the multiply-accumulates of all products, attention's included."""
    seen: dict[str, int] = {}

    def note(name: str, channels: int) -> Any:
        def noted(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
            seen[name] = seen.get(name, 0) + output.numel() // output.shape[channels]

        return noted

    hooks = [
        module.register_forward_hook(note(name, 1 if isinstance(module, nn.Conv2d) else -1))
        for name, module in prunable_layers(network)
    ]
    try:
        # Attention as two products, which the counter sees.
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            network(**call.arguments)
    finally:
        for hook in hooks:
            hook.remove()
    return seen, counter.get_total_flops() // 2


def macs_of_call(
    network: nn.Module, positions: Mapping[str, int], total: int, masked: Sequence[str], pattern: Pattern
) -> Macs:
    """Of one call as it was recorded: with guidance most pipelines put two predictions of an image in it."""
    layers, names = [], set(masked)
    for name, module in prunable_layers(network):
        dense = module.weight.numel() * positions.get(name, 0)
        sparse = dense * pattern.n // pattern.m if name in names else dense
        layers.append(LayerMacs(name, dense, sparse))
    return Macs(tuple(layers), max(0, total - sum(layer.dense for layer in layers)))
