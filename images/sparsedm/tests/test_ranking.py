"""Which weights stay: by the current weights, by the dense ones, or at random."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sparsedm.sparsity.layers import MaskedLayers
from sparsedm.sparsity.masks import group_counts, nm_mask
from sparsedm.sparsity.methods import build_method
from sparsedm.sparsity.pattern import Pattern
from sparsedm.sparsity.ranking import build_ranking


def layers_of(mask_type: str, seed: int = 0) -> tuple[MaskedLayers, dict[str, Tensor]]:
    """Two equal layers of 32 inputs, and their weights as they were."""
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(32, 8), nn.Linear(32, 8))
    model[1].weight.data.copy_(model[0].weight)
    dense = {k: v.clone() for k, v in model.state_dict().items()}
    ranking = build_ranking(mask_type, seed, dense)
    return MaskedLayers(model, ["0", "1"], build_method("ste").masked_weight, ranking), dense


def shuffle_weights(layers: MaskedLayers) -> None:
    for weight, _ in layers.parameters():
        weight.data.copy_(weight.data.flip(1) * 1.5)


@pytest.mark.parametrize(("mask_type", "moves"), [("magnitude", True), ("fixed", False), ("random", False)])
def test_only_magnitude_masks_move_with_the_weights(mask_type: str, moves: bool) -> None:
    layers, _ = layers_of(mask_type)
    layers.refresh(Pattern(2, 4))
    before = layers.digest()
    shuffle_weights(layers)
    flips = layers.refresh(Pattern(2, 4))
    assert (layers.digest() != before) == moves
    assert (flips > 0) == moves
    assert layers.ranking.moves == moves


def test_fixed_masks_are_the_dense_weights_own() -> None:
    layers, dense = layers_of("fixed")
    shuffle_weights(layers)
    layers.refresh(Pattern(2, 4))
    assert torch.equal(layers.masks()["1"], nm_mask(dense["1.weight"], 2, 4))


def test_random_masks_depend_on_the_seed_and_the_layer_alone() -> None:
    masks = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed + 17)
        layers, _ = layers_of("random", seed)
        layers.refresh(Pattern(2, 4))
        masks.append(layers.masks())
    assert torch.equal(masks[0]["0"], masks[1]["0"])
    assert not torch.equal(masks[0]["0"], masks[2]["0"])
    assert not torch.equal(masks[0]["0"], masks[0]["1"]), "equal layers draw their own"
    assert set(group_counts(masks[0]["0"].float(), 4).tolist()) == {2}


@pytest.mark.parametrize("mask_type", ["fixed", "random"])
def test_a_later_stage_masks_what_the_stage_before_it_masked(mask_type: str) -> None:
    layers, _ = layers_of(mask_type)
    masks = []
    for pattern in (Pattern(7, 8), Pattern(6, 8), Pattern(4, 8)):
        layers.refresh(pattern)
        masks.append(layers.masks()["0"])
    assert not (masks[1] & ~masks[0]).any()
    assert not (masks[2] & ~masks[1]).any()
