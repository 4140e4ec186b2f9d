"""MACs against the table of published and counted figures, by both conventions."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from sparsedm.errors import InputError
from sparsedm.measure.macs import bare_model, count_macs
from sparsedm.models import PRESETS, DiffusersConfig, ModelConfig, UViTConfig, build_model
from sparsedm.sparsity.layers import prunable_layers, select_layers
from sparsedm.sparsity.pattern import Pattern
from test_denoisers import SETTINGS, condition

TABLE = [
    ("cifar10-uvit-small", 11.322, 0.879),
    ("celeba64-uvit-small", 11.331, 0.879),
    ("imagenet64-uvit-mid", 33.50, 1.74),
    ("imagenet64-uvit-large", 73.61, 2.86),
    ("imagenet256-uvit-large", 73.59, 2.86),
    ("imagenet256-uvit-huge", 128.7, 4.45),
    ("mscoco256-uvit-small", 14.75, 1.49),
    ("mscoco256-uvit-small-deep", 19.30, 1.94),
]


def masked_layers(preset: str, exclude: tuple[str, ...] = ()) -> tuple[str, ...]:
    return select_layers(bare_model(PRESETS[preset]), Pattern(2, 4), exclude=exclude).selected


@pytest.mark.parametrize(("preset", "linear", "attention"), TABLE)
def test_dense_figures_are_the_tables(preset: str, linear: float, attention: float) -> None:
    macs = count_macs(PRESETS[preset])
    assert macs.dense / 1e9 == pytest.approx(linear, rel=1e-3)
    assert macs.attention / 1e9 == pytest.approx(attention, abs=0.005)
    assert macs.sparse == macs.dense


@pytest.mark.parametrize(
    ("preset", "blocks", "tokens", "width", "values", "rest"),
    [
        ("cifar10-uvit-small", 13, 257, 512, 2 * 2 * 3, 3 * 3 * 9 * 32 * 32),
        ("celeba64-uvit-small", 13, 257, 512, 4 * 4 * 3, 3 * 3 * 9 * 64 * 64),
        ("imagenet64-uvit-mid", 17, 258, 768, 4 * 4 * 3, 3 * 3 * 9 * 64 * 64),
        ("imagenet64-uvit-large", 21, 258, 1024, 4 * 4 * 3, 3 * 3 * 9 * 64 * 64),
        ("imagenet256-uvit-large", 21, 258, 1024, 2 * 2 * 4, 4 * 4 * 9 * 32 * 32),
        ("imagenet256-uvit-huge", 29, 258, 1152, 2 * 2 * 4, 0),
        ("mscoco256-uvit-small", 13, 334, 512, 2 * 2 * 4, 4 * 4 * 9 * 32 * 32 + 77 * 768 * 512),
        ("mscoco256-uvit-small-deep", 17, 334, 512, 2 * 2 * 4, 4 * 4 * 9 * 32 * 32 + 77 * 768 * 512),
    ],
)
def test_figures_of_a_published_model_are_its_closed_forms(
    preset: str, blocks: int, tokens: int, width: int, values: int, rest: int
) -> None:
    """A block has 12 width² weights (3 qkv, 1 proj, 8 MLP), one of the second half 2 more in its skip. 256
    patches are embedded and all tokens decoded; the rest are the final convolution and the text."""
    macs = count_macs(PRESETS[preset], masked_layers(preset), Pattern(2, 4))
    masked = (12 * blocks + 2 * (blocks // 2)) * width**2 * tokens
    linear = masked + (256 + tokens) * values * width + rest
    attention = 2 * blocks * tokens * tokens * width
    assert (macs.dense, macs.attention, macs.total_dense) == (linear, attention, linear + attention)
    assert (macs.sparse, macs.total_sparse) == (linear - masked // 2, linear - masked // 2 + attention)


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


@pytest.mark.parametrize("null_class", [True, False])
def test_a_bare_model_has_the_shapes_of_the_real_one(null_class: bool) -> None:
    """Without a class for none the label table has one row less."""
    config = UViTConfig(8, 4, 1, width=16, depth=3, heads=2, num_classes=3, null_class=null_class)
    bare, real = (
        {k: v.shape for k, v in m.state_dict().items()} for m in (bare_model(config), build_model(config))
    )
    assert bare == real


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


# --- networks of diffusers -------------------------------------------------------------------------------

DIT_XL = DiffusersConfig(
    "dit",
    {
        "_class_name": "DiTTransformer2DModel", "sample_size": 32, "in_channels": 4, "out_channels": 8,
        "patch_size": 2, "num_attention_heads": 16, "attention_head_dim": 72, "num_layers": 28,
        "num_embeds_ada_norm": 1000,
    },
)  # fmt: skip
DDPM_CIFAR10 = DiffusersConfig(
    "unet",
    {
        "_class_name": "UNet2DModel", "sample_size": 32, "in_channels": 3, "out_channels": 3,
        "block_out_channels": [128, 256, 256, 256], "layers_per_block": 2, "attention_head_dim": None,
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
    },
)  # fmt: skip


def counted(model: torch.nn.Module, config: ModelConfig) -> int:
    """MACs of a run, by torch's own counter, which sees the products of unfused attention."""
    x = torch.zeros(1, config.channels, config.image_size, config.image_size)
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        model.eval()(x, torch.full((1,), 0.5), condition(config, 1))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("architecture", SETTINGS)
def test_the_total_is_what_torch_counts(architecture: str) -> None:
    config = DiffusersConfig(architecture, SETTINGS[architecture])
    macs = count_macs(config)
    assert macs.total_dense == counted(build_model(config), config)
    assert 0 < macs.attention < macs.dense


@pytest.mark.parametrize("preset", PRESETS)
def test_the_closed_form_of_a_preset_is_what_torch_counts(preset: str) -> None:
    config = PRESETS[preset]
    y = None
    if config.context:
        y = torch.empty(1, *config.context, device="meta")
    elif config.num_classes:
        y = torch.zeros(1, dtype=torch.int64, device="meta")
    x = torch.empty(1, config.channels, config.image_size, config.image_size, device="meta")
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        bare_model(config).eval()(x, torch.empty(1, device="meta"), y)
    assert counter.get_total_flops() == 2 * count_macs(config).total_dense


def test_the_total_of_a_uvit_is_what_torch_counts() -> None:
    config = UViTConfig(8, 2, 4, width=16, depth=3, heads=2, context_tokens=5, context_width=6)
    assert count_macs(config).total_dense == counted(build_model(config), config)


def test_dit_xl_has_the_published_figures() -> None:
    """arXiv 2212.09748, table 4: 675 M parameters and 118.64 G, which counts attention."""
    parameters = dict(bare_model(DIT_XL).named_parameters())
    # diffusers keeps a copy of the embeddings of time and label in each block.
    once = [p for name, p in parameters.items() if ".norm1.emb." not in name or "blocks.0." in name]
    assert sum(p.numel() for p in once) / 1e6 == pytest.approx(675, rel=1e-3)
    macs = count_macs(DIT_XL)
    assert macs.total_dense / 1e9 == pytest.approx(118.64, rel=1e-3)
    # 28 blocks, 16 heads of 72, 256 tokens: two products of 256 * 256 * 1152 each.
    assert macs.attention == 28 * 2 * 256 * 256 * 1152


def test_ddpm_of_cifar10_has_the_published_figures() -> None:
    """Diff-Pruning (arXiv 2305.10924), table 1: 35.7 M parameters and 6.1 G without attention."""
    parameters = sum(p.numel() for p in bare_model(DDPM_CIFAR10).parameters())
    assert parameters / 1e6 == pytest.approx(35.7, rel=2e-3)
    assert count_macs(DDPM_CIFAR10).dense / 1e9 == pytest.approx(6.1, rel=1e-2)


def test_a_layer_of_a_unet_counts_by_its_own_resolution() -> None:
    config = DiffusersConfig("unet", SETTINGS["unet"])
    name = "down_blocks.1.resnets.0.conv1"
    macs = count_macs(config, [name], Pattern(2, 4))
    layer = next(layer for layer in macs.layers if layer.name == name)
    # 8 to 16 channels with 3x3 weights on 16x16 pixels; half of them under 2:4.
    assert (layer.dense, layer.sparse) == (16 * 8 * 9 * 16 * 16, 16 * 8 * 9 * 16 * 16 // 2)


def test_a_network_that_can_not_run_is_told() -> None:
    """Flux gives every argument a default and needs most of them."""
    settings = {
        "_class_name": "FluxTransformer2DModel", "sample_size": 8, "in_channels": 4, "num_layers": 1,
        "num_single_layers": 1, "attention_head_dim": 8, "num_attention_heads": 2, "joint_attention_dim": 8,
        "pooled_projection_dim": 8, "axes_dims_rope": [2, 2, 4],
    }  # fmt: skip
    with pytest.raises(InputError, match="can't be run with an image, a time and labels or text") as error:
        count_macs(DiffusersConfig("diffusers", settings))
    assert error.value.reason == "ModelUnsupported"
