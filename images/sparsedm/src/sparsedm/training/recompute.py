"""Gradient checkpointing: a block's activations are computed again in the backward pass, not kept.

Memory for activations falls from all blocks to one block and the blocks' inputs, for about a third more time
(Chen et al., arXiv 1604.06174). The gradients are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint


def recompute_blocks(model: nn.Module) -> list[str]:
    """Makes every block of the network recompute; returns the blocks' names. State dict and results stay."""
    names = []
    for name, block in blocks(model):
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
        names.append(name)
    return names


def blocks(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The entries of the network's lists of modules, and its middle."""
    for name, child in model.named_children():
        if isinstance(child, nn.ModuleList):
            yield from ((f"{name}.{i}", block) for i, block in enumerate(child))
        elif name.startswith("mid"):
            yield name, child
