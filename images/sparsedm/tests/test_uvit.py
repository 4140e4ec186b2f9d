"""U-ViT: names, parameter counts, conventions of the published checkpoints."""

import math

import pytest
import torch
from torch.nn import functional as F

from sparsedm.models import CLASSES, PRESETS, UViTConfig, build_model
from sparsedm.models.uvit import timestep_embedding

TINY = UViTConfig(image_size=8, patch_size=2, channels=3, width=16, depth=3, heads=2, num_classes=4)


@pytest.mark.parametrize(
    ("preset", "want_parameters", "want_tokens"),
    [
        ("fashion-mnist-uvit-tiny", 1_069_584, 66),
        ("emoji-uvit-small", 3_368_304, 66),
        ("cifar10-uvit-small", 44_255_328, 257),
        ("celeba64-uvit-small", 44_292_228, 257),
        ("imagenet64-uvit-mid", 130_940_292, 258),
        ("imagenet64-uvit-large", 286_827_652, 258),
        ("imagenet256-uvit-large", 286_763_172, 258),
        ("imagenet256-uvit-huge", 500_832_016, 258),
        ("mscoco256-uvit-small", 44_692_644, 334),
        ("mscoco256-uvit-small-deep", 58_345_636, 334),
        ("emoji-uvit-text", 1_072_272, 33),
    ],
)
def test_a_preset_has_its_size(preset: str, want_parameters: int, want_tokens: int) -> None:
    with torch.device("meta"):
        model = build_model(PRESETS[preset])
    assert sum(p.numel() for p in model.parameters()) == want_parameters
    assert PRESETS[preset].tokens == want_tokens


def test_the_state_dict_has_the_names_of_the_published_checkpoints() -> None:
    with torch.device("meta"):
        names = {k: tuple(v.shape) for k, v in build_model(TINY).state_dict().items()}
    block = {
        "norm1.weight": (16,), "norm1.bias": (16,), "norm2.weight": (16,), "norm2.bias": (16,),
        "attn.qkv.weight": (48, 16), "attn.proj.weight": (16, 16), "attn.proj.bias": (16,),
        "mlp.fc1.weight": (64, 16), "mlp.fc1.bias": (64,), "mlp.fc2.weight": (16, 64), "mlp.fc2.bias": (16,),
    }  # fmt: skip
    want = {
        "pos_embed": (1, 18, 16), "patch_embed.proj.weight": (16, 3, 2, 2), "patch_embed.proj.bias": (16,),
        "label_emb.weight": (5, 16), "norm.weight": (16,), "norm.bias": (16,),
        "decoder_pred.weight": (12, 16), "decoder_pred.bias": (12,),
        "final_layer.weight": (3, 3, 3, 3), "final_layer.bias": (3,),
        "out_blocks.0.skip_linear.weight": (16, 32), "out_blocks.0.skip_linear.bias": (16,),
    }  # fmt: skip
    for place in ("in_blocks.0", "mid_block", "out_blocks.0"):
        want |= {f"{place}.{name}": shape for name, shape in block.items()}
    assert names == want


def test_a_model_of_texts_has_an_embedding_of_them_and_no_labels() -> None:
    with torch.device("meta"):
        shapes = {
            k: tuple(v.shape) for k, v in build_model(PRESETS["mscoco256-uvit-small"]).state_dict().items()
        }
    assert shapes["context_embed.weight"] == (512, 768)
    assert shapes["context_embed.bias"] == (512,)
    assert shapes["pos_embed"] == (1, 334, 512)
    assert "label_emb.weight" not in shapes


def test_the_null_label_is_the_last_row_of_the_table() -> None:
    config = PRESETS["imagenet256-uvit-large"]
    with torch.device("meta"):
        assert build_model(config).label_emb.weight.shape == (1001, 1024)
    assert config.null_label == 1000


def test_a_model_that_is_never_guided_has_a_row_for_each_class_alone() -> None:
    config = PRESETS["imagenet64-uvit-mid"]
    with torch.device("meta"):
        assert build_model(config).label_emb.weight.shape == (1000, 768)
    assert config.null_label is None
    assert not config.guidable


def test_time_is_embedded_as_cosines_then_sines() -> None:
    got = timestep_embedding(torch.tensor([3.0]), 4)[0]
    want = [math.cos(3), math.cos(3 / 100), math.sin(3), math.sin(3 / 100)]
    assert got.tolist() == pytest.approx(want, abs=1e-6)


def test_patches_go_back_to_where_they_came_from() -> None:
    """Unpatchify inverts patches cut out by hand in (row, column, channel) order."""
    image = torch.randn(2, 3, 8, 8)
    cut = image.unfold(2, 2, 2).unfold(3, 2, 2)  # B, C, rows, columns, p1, p2
    patches = cut.permute(0, 2, 3, 4, 5, 1).reshape(2, 16, 12)
    assert torch.equal(build_model(TINY)._unpatchify(patches), image)


def test_attention_is_the_textbook_formula() -> None:
    torch.manual_seed(0)
    attention = build_model(TINY).mid_block.attn
    x = torch.randn(2, 5, 16)
    q, k, v = (part.reshape(2, 5, 2, 8).transpose(1, 2) for part in attention.qkv(x).split(16, dim=-1))
    weights = (q @ k.transpose(-1, -2) / math.sqrt(8)).softmax(dim=-1)
    want = attention.proj((weights @ v).transpose(1, 2).reshape(2, 5, 16))
    torch.testing.assert_close(attention(x), want, rtol=1e-5, atol=1e-6)


def test_output_depends_on_time_label_and_every_pixel() -> None:
    torch.manual_seed(0)
    model = build_model(TINY)
    x, t, y = torch.randn(2, 3, 8, 8), torch.tensor([0.2, 0.7]), torch.tensor([1, 4])
    out = model(x, t, y)
    assert out.shape == x.shape
    assert not torch.allclose(out, model(x, t + 0.1, y))
    assert not torch.allclose(out, model(x, t, torch.tensor([2, 3])))
    x.requires_grad_(True)
    model(x, t, y).square().sum().backward()
    assert (x.grad != 0).all()


TEXT = UViTConfig(8, 2, 4, width=16, depth=3, heads=2, context_tokens=5, context_width=6)


def test_a_model_with_text_puts_it_between_time_and_patches() -> None:
    torch.manual_seed(0)
    model = build_model(TEXT)
    assert (TEXT.tokens, model.context_embed.weight.shape) == (1 + 5 + 16, (16, 6))
    x, t, y = torch.randn(2, 4, 8, 8), torch.tensor([0.2, 0.7]), torch.randn(2, 5, 6)
    tokens = model._tokens(x, t, y) - model.pos_embed
    torch.testing.assert_close(tokens[:, 1:6], model.context_embed(y))
    torch.testing.assert_close(tokens[:, 6:], model.patch_embed(x))
    assert model(x, t, y).shape == x.shape
    assert not torch.allclose(model(x, t, y), model(x, t, 2 * y))
    with pytest.raises(ValueError, match="text-conditional"):
        model(x, t)


@pytest.mark.parametrize("config", [TINY, TEXT], ids=["classes", "text"])
@pytest.mark.parametrize("images", [1, 2, 3, 4])
def test_tokens_are_filled_up_once_and_change_no_image(config: UViTConfig, images: int) -> None:
    """Of a network whose own tokens, 18 and 22, are no multiple of 8 unless there are four images."""
    torch.manual_seed(0)
    model = build_model(config).double()
    model.norm.bias.data.normal_()
    x, t = torch.randn(images, config.channels, 8, 8).double(), torch.rand(images).double()
    y = torch.randn(images, 5, 6).double() if config.context else torch.randint(4, (images,))
    want, rows = model(x, t, y), []
    for block in (*model.in_blocks, model.mid_block, *model.out_blocks):
        for layer in block.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.register_forward_pre_hook(lambda _, given: rows.append(given[0][..., 0].numel()))
    model.row_multiple = 8
    torch.testing.assert_close(model(x, t, y), want, rtol=0, atol=1e-6)
    missing = {1: {18: 24, 22: 24}, 2: {18: 40, 22: 48}, 3: {18: 72, 22: 72}, 4: {18: 72, 22: 88}}
    assert set(rows) == {missing[images][config.tokens]}


def normed(x: torch.Tensor, state: dict, name: str) -> torch.Tensor:
    x = x - x.mean(dim=-1, keepdim=True)
    x = x / torch.sqrt(x.square().mean(dim=-1, keepdim=True) + 1e-5)
    return x * state[f"{name}.weight"] + state[f"{name}.bias"]


def linear(x: torch.Tensor, state: dict, name: str) -> torch.Tensor:
    return x @ state[f"{name}.weight"].T + state.get(f"{name}.bias", 0.0)


def block_by_hand(x: torch.Tensor, state: dict, name: str, heads: int) -> torch.Tensor:
    q, k, v = linear(normed(x, state, f"{name}.norm1"), state, f"{name}.attn.qkv").chunk(3, dim=-1)
    mixed = []
    for query, key, value in zip(*(part.chunk(heads, dim=-1) for part in (q, k, v)), strict=True):
        weights = (query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])).softmax(dim=-1)
        mixed.append(weights @ value)
    x = x + linear(torch.cat(mixed, dim=-1), state, f"{name}.attn.proj")
    hidden = linear(normed(x, state, f"{name}.norm2"), state, f"{name}.mlp.fc1")
    gelu = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    return x + linear(gelu, state, f"{name}.mlp.fc2")


def uvit_by_hand(
    state: dict, config: UViTConfig, x: torch.Tensor, t: torch.Tensor, y: torch.Tensor | None
) -> torch.Tensor:
    """The published network, written without the modules."""
    p, channels, width = config.patch_size, x.shape[1], state["pos_embed"].shape[-1]
    side = x.shape[2] // p
    corners = [(p * row, p * column) for row in range(side) for column in range(side)]
    kernel = state["patch_embed.proj.weight"].reshape(width, -1)
    patches = torch.stack([x[:, :, i : i + p, j : j + p].flatten(1) @ kernel.T for i, j in corners], dim=1)
    angles = 999 * t[:, None] * 10_000 ** (-torch.arange(width // 2, dtype=t.dtype) / (width // 2))
    time = torch.cat([angles.cos(), angles.sin()], dim=1)[:, None]
    tokens = [time, patches + state["patch_embed.proj.bias"]]
    if "label_emb.weight" in state:
        tokens = [state["label_emb.weight"][y][:, None], *tokens]
    if "context_embed.weight" in state:
        tokens = [time, linear(y, state, "context_embed"), tokens[-1]]
    x = torch.cat(tokens, dim=1) + state["pos_embed"]
    skips, half = [], config.depth // 2
    for i in range(half):
        x = block_by_hand(x, state, f"in_blocks.{i}", config.heads)
        skips.append(x)
    x = block_by_hand(x, state, "mid_block", config.heads)
    for i in range(half):
        merged = torch.cat([x, skips[half - 1 - i]], dim=2)
        x = block_by_hand(
            linear(merged, state, f"out_blocks.{i}.skip_linear"), state, f"out_blocks.{i}", config.heads
        )
    values = linear(normed(x, state, "norm"), state, "decoder_pred")[:, -len(corners) :]
    image = torch.empty(len(x), channels, p * side, p * side, dtype=x.dtype)
    for patch, (i, j) in enumerate(corners):
        image[:, :, i : i + p, j : j + p] = values[:, patch].reshape(-1, p, p, channels).permute(0, 3, 1, 2)
    if "final_layer.weight" not in state:
        return image
    return F.conv2d(image, state["final_layer.weight"], state["final_layer.bias"], padding=1)


@pytest.mark.parametrize("final_conv", [True, False])
@pytest.mark.parametrize(
    "condition",
    [{}, {"num_classes": 4}, {"context_tokens": 5, "context_width": 6}],
    ids=["alone", "classes", "text"],
)
def test_the_forward_pass_is_the_published_network(condition: dict, final_conv: bool) -> None:
    """In small numbers, where the norms' eps counts. The tolerance is for attention, always in float32."""
    config = UViTConfig(8, 2, 3, width=16, depth=7, heads=2, final_conv=final_conv, **condition)
    torch.manual_seed(0)
    model = build_model(config).double().eval()
    with torch.no_grad():
        for name, values in model.named_parameters():
            large = any(part in name for part in ("qkv", "fc1", "decoder_pred", "final_layer"))
            values.normal_(std=0.5 if large else 0.03)
            if "norm" in name and name.endswith("weight"):
                values.add_(1.0)
    x, t = torch.randn(3, 3, 8, 8).double(), torch.tensor([0, 1 / 256, 1 / 64]).double()
    y = torch.tensor([1, 4, 0]) if config.num_classes else None
    y = torch.randn(3, 5, 6).double() if config.context else y
    got, want = model(x, t, y), uvit_by_hand(model.state_dict(), config, x, t, y)
    assert want.std() > 0.3
    torch.testing.assert_close(got, want, rtol=0, atol=5e-5)


def test_a_model_with_classes_asks_for_labels() -> None:
    with pytest.raises(ValueError, match="class-conditional"):
        build_model(TINY)(torch.randn(1, 3, 8, 8), torch.tensor([0.5]))


def test_bf16_autocast_stays_close_to_fp32() -> None:
    torch.manual_seed(0)
    model = build_model(TINY)
    x, t, y = torch.randn(2, 3, 8, 8), torch.tensor([0.2, 0.7]), torch.tensor([1, 4])
    want = model(x, t, y)
    with torch.autocast("cpu", torch.bfloat16):
        got = model(x, t, y)
    torch.testing.assert_close(got.float(), want, rtol=0.05, atol=0.02)


@pytest.mark.parametrize(
    ("change", "want"),
    [
        ({"depth": 4}, "depth 4 is even"),
        ({"heads": 3}, "not a multiple of heads 3"),
        ({"patch_size": 3}, "not a multiple of patch_size 3"),
        ({"channels": 0}, "channels must be at least 1"),
        ({"num_classes": -1}, "num_classes must be at least 0"),
        ({"prediction": "x0"}, "prediction must be noise or v"),
        ({"context_tokens": 77}, "both 0, or both at least 1"),
        ({"context_tokens": 77, "context_width": 768}, "classes or text, not both"),
    ],
)
def test_an_impossible_architecture_is_refused_with_a_sentence(change: dict, want: str) -> None:
    with pytest.raises(ValueError, match=want):
        UViTConfig(**{**TINY.to_dict(), **change})


def test_class_names_match_the_number_of_classes() -> None:
    for preset, names in CLASSES.items():
        assert len(names) == PRESETS[preset].num_classes
