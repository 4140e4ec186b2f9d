"""N:M sparse inputs in place of sparse weights, simulated: what such a model draws, not how fast.

Of each token's inputs to a layer the N of largest magnitude in each group of M stay, and its weights stay
dense. RT-Lynx (arXiv 2605.26632) holds that the activations of diffusion transformers stand this better than
their weights do; only its pattern is here, chosen anew for every token, and nothing else that it may do.
Worked example (repeated in test_criteria.py): 2:4 of the token [1, -4, 2, 3] is [0, -4, 0, 3].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from sparsedm.sparsity.masks import apply_mask, magnitude_mask
from sparsedm.sparsity.pattern import Pattern


def mask_inputs(network: nn.Module, names: Sequence[str], pattern: Pattern) -> None:
    """In place, for drawing alone: no gradient passes. `names` are Linear layers of (..., I) inputs."""

    def masked(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Tensor]:
        tokens = inputs[0].reshape(-1, inputs[0].shape[-1]).contiguous()
        kept = apply_mask(tokens, magnitude_mask(tokens, pattern.n, pattern.m))
        return (kept.reshape(inputs[0].shape),)

    for name in names:
        network.get_submodule(name).register_forward_pre_hook(masked)
