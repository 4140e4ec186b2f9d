"""Gradient checkpointing changes memory and nothing else."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from sparsedm.models import UViTConfig, build_model
from sparsedm.sparsity.layers import MaskedLayers, select_layers
from sparsedm.sparsity.methods import build_method
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.recompute import recompute_blocks

TINY = UViTConfig(image_size=8, patch_size=4, channels=1, width=16, depth=3, heads=2, num_classes=3)
INPUTS = (torch.randn(2, 1, 8, 8), torch.rand(2), torch.tensor([0, 3]))


def masked_student(method: str) -> nn.Module:
    torch.manual_seed(0)
    model = build_model(TINY)
    names = select_layers(model, Pattern(2, 4)).selected
    MaskedLayers(model, names, build_method(method).masked_weight).refresh(Pattern(2, 4))
    return model


def gradients(model: nn.Module) -> dict[str, torch.Tensor]:
    model(*INPUTS).square().mean().backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("method", ["ste", "s-ste"])
def test_gradients_are_equal_bit_for_bit(method: str) -> None:
    want = gradients(masked_student(method))
    model = masked_student(method)
    assert recompute_blocks(model) == ["in_blocks.0", "mid_block", "out_blocks.0"]
    found = gradients(model)
    assert list(found) == list(want)
    assert [name for name in want if not torch.equal(found[name], want[name])] == []


def test_activations_of_blocks_are_not_kept() -> None:
    def kept(model: nn.Module) -> int:
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
            model(*INPUTS)
        return sum(sizes)

    plain = masked_student("ste")
    recomputing = copy.deepcopy(plain)
    recompute_blocks(recomputing)
    assert kept(recomputing) < 0.5 * kept(plain)


def test_the_state_dict_stays() -> None:
    model = masked_student("ste")
    before = list(model.state_dict())
    recompute_blocks(model)
    assert list(model.state_dict()) == before
