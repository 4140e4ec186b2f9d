"""Selection by glob, and the masked layer: state dict unchanged, mask once per step, ways in and out."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from torch import nn

from sparsedm.models import UViTConfig, build_model
from sparsedm.sparsity import masks as module
from sparsedm.sparsity.layers import (
    MaskedLayers,
    Selection,
    SkippedLayer,
    bake_masks,
    masks_for,
    select_layers,
)
from sparsedm.sparsity.masks import group_counts, has_negative_zero, nm_mask
from sparsedm.sparsity.methods import build_method
from sparsedm.sparsity.pattern import Pattern

TINY = UViTConfig(image_size=8, patch_size=4, channels=1, width=16, depth=3, heads=2, num_classes=3)


class OwnLinear(nn.Linear):
    """A subclass with a forward of its own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2.0 * nn.functional.linear(x, self.weight, self.bias)


def test_default_selection_takes_block_layers_and_never_the_ends() -> None:
    selection = select_layers(build_model(TINY), Pattern(2, 4))
    assert len(selection.selected) == 3 * 4 + 1
    assert "out_blocks.0.skip_linear" in selection.selected
    want = ["patch_embed.proj", "decoder_pred", "final_layer"]
    assert [s.name for s in selection.skipped] == want
    assert {s.reason for s in selection.skipped} == {"no include glob matches"}
    assert selection.unmatched == ()


def test_exclude_wins_over_include_and_says_so() -> None:
    selection = select_layers(build_model(TINY), Pattern(2, 4), ["*"], ["final*", "*.mlp.*"])
    reasons = {s.name: s.reason for s in selection.skipped}
    assert reasons["final_layer"] == "excluded by final*"
    assert reasons["mid_block.mlp.fc1"] == "excluded by *.mlp.*"
    assert "mid_block.attn.qkv" in selection.selected


def test_a_layer_that_the_pattern_does_not_fit_is_listed_with_the_reason() -> None:
    selection = select_layers(build_model(TINY), Pattern(2, 32), ["*.attn.proj", "*.mlp.fc2"])
    skipped = {s.name: (s.reason, s.wanted) for s in selection.skipped}
    assert skipped["mid_block.attn.proj"] == ("input dimension 16 is not a multiple of 32", True)
    assert skipped["mid_block.mlp.fc1"] == ("no include glob matches", False)
    assert len(selection.selected) == 3


def test_a_glob_that_matches_nothing_is_named() -> None:
    assert select_layers(build_model(TINY), Pattern(2, 4), ["*.fc1", "*.fc9"]).unmatched == ("*.fc9",)


def test_a_subclass_of_linear_is_masked_through_its_own_forward() -> None:
    model = nn.Sequential(OwnLinear(40, 40))
    assert select_layers(model, Pattern(2, 4), ["*"]).selected == ("0",)
    layers = MaskedLayers(model, ["0"], build_method("ste").masked_weight)
    layers.refresh(Pattern(2, 4))
    x = torch.randn(2, 40)
    weight, mask = next(layers.parameters())
    assert torch.allclose(model(x), 2.0 * nn.functional.linear(x, weight * mask, model[0].bias))
    assert isinstance(model[0], OwnLinear)


def test_a_subclass_of_40_inputs_that_the_pattern_does_not_fit_is_listed_with_the_reason() -> None:
    selection = select_layers(nn.Sequential(OwnLinear(40, 40)), Pattern(16, 32), ["*"])
    assert selection.selected == ()
    (skipped,) = selection.skipped
    assert (skipped.name, skipped.reason) == ("0", "input dimension 40 is not a multiple of 32")
    assert skipped.wanted


def test_masks_and_what_belongs_to_them_come_back_as_they_were() -> None:
    def layers_of(seed: int) -> MaskedLayers:
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(16, 4), nn.Linear(12, 4))
        return MaskedLayers(model, ["0", "1"], build_method("s-ste").masked_weight)

    saved, restored = layers_of(0), layers_of(1)
    saved.refresh(Pattern(3, 8))
    for _, weight, masking in saved.weights():
        build_method("s-ste").begin_stage(weight, masking)
    saved.freeze()
    restored.restore(saved.masks(), json.loads(json.dumps(saved.describe())))
    assert restored.digest() == saved.digest()
    assert restored.describe() == saved.describe()
    groups = [masking.group for _, _, masking in restored.weights()]
    assert groups == [8, 1], "3:8 does not fit 12 inputs"
    assert all(masking.frozen for _, _, masking in restored.weights())


def test_a_saved_mask_that_does_not_keep_its_pattern_is_refused() -> None:
    layers = MaskedLayers(nn.Sequential(nn.Linear(8, 2)), ["0"], build_method("ste").masked_weight)
    layers.refresh(Pattern(2, 4))
    masks = {"0": torch.ones(2, 8, dtype=torch.bool)}
    with pytest.raises(ValueError, match="mask of 0 does not keep 2:4 in every group"):
        layers.restore(masks, layers.describe())


def test_a_mask_that_has_lost_its_pattern_is_found() -> None:
    layers = MaskedLayers(nn.Sequential(nn.Linear(8, 2)), ["0"], build_method("ste").masked_weight)
    layers.check()
    layers.refresh(Pattern(2, 4))
    layers.check()
    _, _, masking = next(layers.weights())
    masking.mask[0, 0] = ~masking.mask[0, 0]
    with pytest.raises(ValueError, match="mask of 0 does not keep 2:4 in every group"):
        layers.check()


def test_masked_model_keeps_its_state_dict_and_parameters() -> None:
    model = build_model(TINY)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    names = [n for n, _ in model.named_parameters()]
    layers = MaskedLayers(
        model, select_layers(model, Pattern(2, 4)).selected, build_method("ste").masked_weight
    )
    layers.refresh(Pattern(2, 4))
    assert [n for n, _ in model.named_parameters()] == names
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[k], before[k]) for k in before)
    model.load_state_dict(before)


def test_open_masks_compute_what_the_dense_model_does() -> None:
    torch.manual_seed(0)
    dense = build_model(TINY)
    student = copy.deepcopy(dense)
    layers = MaskedLayers(
        student, select_layers(dense, Pattern(2, 4)).selected, build_method("ste").masked_weight
    )
    inputs = (torch.randn(2, 1, 8, 8), torch.rand(2), torch.tensor([0, 3]))
    layers.open()
    assert torch.equal(student(*inputs), dense(*inputs))
    layers.refresh(Pattern(2, 4))
    assert not torch.equal(student(*inputs), dense(*inputs))


def test_masks_move_only_when_refreshed() -> None:
    model = nn.Sequential(nn.Linear(8, 2))
    layers = MaskedLayers(model, ["0"], build_method("ste").masked_weight)
    layers.refresh(Pattern(2, 4))
    before = layers.digest()
    with torch.no_grad():
        model[0]._parameters["weight"].copy_(torch.randn(2, 8) * 10)
    assert layers.digest() == before
    layers.refresh(Pattern(2, 4))
    assert layers.digest() != before


@pytest.mark.parametrize("pattern", [Pattern(2, 4), Pattern(3, 8), Pattern(3, 4), Pattern(5, 6)], ids=str)
@pytest.mark.parametrize("bucket", [1, 100, 400, 1 << 21])
def test_masks_made_together_are_those_made_alone(
    pattern: Pattern, bucket: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUCKET", bucket)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(24, 4), nn.Linear(48, 3), nn.Conv2d(24, 5, 3), nn.Linear(20, 7), nn.Linear(24, 2)
    )
    layers = MaskedLayers(model, [str(i) for i in range(5)], build_method("ste").masked_weight)

    def alone() -> dict[str, torch.Tensor]:
        return {
            name: torch.ones_like(weight, dtype=torch.bool)
            if weight.shape[1] % pattern.m
            else nm_mask(weight, pattern.n, pattern.m)
            for name, weight, _ in layers.weights()
        }

    assert layers.refresh(pattern) == 0
    before = layers.masks()
    with torch.no_grad():
        for weight, _ in layers.parameters():
            weight.copy_(torch.randn_like(weight))
    want = alone()
    assert layers.refresh(pattern) == sum(int((want[name] != before[name]).sum()) for name in want) > 0
    assert all(torch.equal(mask, want[name]) for name, mask in layers.masks().items())


def test_a_stage_pattern_that_does_not_fit_leaves_the_layer_dense() -> None:
    model = nn.Sequential(nn.Linear(12, 2))
    layers = MaskedLayers(model, ["0"], build_method("ste").masked_weight)
    assert layers.left_dense(Pattern(7, 8)) == ["0"]
    assert layers.left_dense(Pattern(2, 4)) == []
    selection = Selection(("0",), (), ())
    assert layers.fitting(selection, Pattern(2, 4)) == selection
    reason = "input dimension 12 is not a multiple of 8"
    assert layers.fitting(selection, Pattern(7, 8)) == Selection((), (SkippedLayer("0", reason, True),), ())
    layers.refresh(Pattern(7, 8))
    assert layers.masks()["0"].all()
    layers.refresh(Pattern(2, 4))
    assert layers.masks()["0"].float().mean() == 0.5


def test_baked_weights_are_sparse_and_equal_the_masked_model() -> None:
    torch.manual_seed(0)
    model = build_model(TINY)
    names = select_layers(model, Pattern(2, 4)).selected
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    baked = bake_masks(weights, masks_for(weights, names, Pattern(2, 4)))
    for name in names:
        assert int(group_counts(baked[f"{name}.weight"], 4).max()) <= 2
        assert not has_negative_zero(baked[f"{name}.weight"])
    plain = build_model(TINY)
    plain.load_state_dict(baked)
    layers = MaskedLayers(model, names, build_method("ste").masked_weight)
    layers.refresh(Pattern(2, 4))
    inputs = (torch.randn(2, 1, 8, 8), torch.rand(2), torch.tensor([0, 1]))
    assert torch.equal(plain(*inputs), model(*inputs))
    assert torch.equal(weights[f"{names[0]}.weight"], model.state_dict()[f"{names[0]}.weight"]), (
        "input untouched"
    )
