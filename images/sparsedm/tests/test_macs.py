"""MACs against the table of published and counted figures, by both conventions."""

from __future__ import annotations

import pytest
import torch

from sparsedm.layers import prunable_layers, select_layers
from sparsedm.macs import bare_model, count_macs
from sparsedm.models import PRESETS, UViTConfig, build_model
from sparsedm.pattern import Pattern

TABLE = [
    ("cifar10-uvit-small", 11.322, 0.879),
    ("celeba64-uvit-small", 11.331, 0.879),
    ("imagenet64-uvit-mid", 33.50, 1.74),
    ("imagenet64-uvit-large", 73.61, 2.86),
    ("imagenet256-uvit-large", 73.59, 2.86),
    ("imagenet256-uvit-huge", 128.7, 4.45),
]


def masked_layers(preset: str, exclude: tuple[str, ...] = ()) -> tuple[str, ...]:
    return select_layers(bare_model(PRESETS[preset]), Pattern(2, 4), exclude=exclude).selected


@pytest.mark.parametrize(("preset", "linear", "attention"), TABLE)
def test_dense_figures_are_the_tables(preset: str, linear: float, attention: float) -> None:
    macs = count_macs(PRESETS[preset])
    assert macs.dense / 1e9 == pytest.approx(linear, rel=1e-3)
    assert macs.attention / 1e9 == pytest.approx(attention, rel=3e-3)
    assert macs.sparse == macs.dense


@pytest.mark.parametrize(("exclude", "want"), [((), 5.66), (("*.skip_linear",), 6.07)])
def test_two_of_four_on_cifar10_small(exclude: tuple[str, ...], want: float) -> None:
    macs = count_macs(
        PRESETS["cifar10-uvit-small"], masked_layers("cifar10-uvit-small", exclude), Pattern(2, 4)
    )
    assert macs.sparse / 1e9 == pytest.approx(want, rel=1e-3)


def test_both_conventions_of_cifar10_small() -> None:
    preset = "cifar10-uvit-small"
    macs = count_macs(PRESETS[preset], masked_layers(preset), Pattern(2, 4))
    assert macs.total_dense / 1e9 == pytest.approx(12.20, rel=1e-3)
    assert macs.total_sparse / 1e9 == pytest.approx(6.54, rel=1e-3)
    assert macs.status()["reductionPercent"] == "50.0"
    assert macs.status()["convention"] == "linear"


def test_per_layer_figures_add_up_and_follow_the_closed_form() -> None:
    config = PRESETS["fashion-mnist-uvit-tiny"]
    name = "mid_block.mlp.fc1"
    macs = count_macs(config, [name], Pattern(1, 4))
    by_name = {layer.name: layer for layer in macs.layers}
    want = config.tokens * config.width * 4 * config.width
    assert (by_name[name].dense, by_name[name].sparse) == (want, want // 4)
    assert macs.dense - macs.sparse == want - want // 4
    assert (
        by_name["patch_embed.proj"].dense
        == config.patches * config.width * config.channels * config.patch_size**2
    )


@pytest.mark.parametrize(
    ("preset", "millions"),
    [("cifar10-uvit-small", 44.26), ("imagenet64-uvit-mid", 130.9), ("imagenet256-uvit-huge", 500.8)],
)
def test_a_bare_model_has_all_parameters_and_no_memory(preset: str, millions: float) -> None:
    parameters = list(bare_model(PRESETS[preset]).parameters())
    assert sum(p.numel() for p in parameters) / 1e6 == pytest.approx(millions, rel=1e-3)
    assert all(p.is_meta for p in parameters)


@pytest.mark.parametrize("final_conv", [True, False])
def test_counts_equal_those_of_a_run_seen_from_outside(final_conv: bool) -> None:
    config = UViTConfig(8, 2, 3, width=16, depth=3, heads=2, num_classes=4, final_conv=final_conv)
    model, seen = build_model(config), {}

    def watch(name: str) -> None:
        def hook(module: torch.nn.Module, _: object, output: torch.Tensor) -> None:
            outputs = output.shape[1 if isinstance(module, torch.nn.Conv2d) else -1]
            seen[name] = output.numel() // outputs * module.weight.numel()

        dict(model.named_modules())[name].register_forward_hook(hook)

    for name, _ in prunable_layers(model):
        watch(name)
    model(torch.zeros(1, 3, 8, 8), torch.zeros(1), torch.zeros(1, dtype=torch.int64))
    assert {layer.name: layer.dense for layer in count_macs(config).layers} == seen
