"""Diff-Pruning: scores by hand, the smaller network against the larger one with zeros, MACs, the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from sparsedm.cli import main
from sparsedm.commands import diff_prune as command
from sparsedm.data import ArrayDataset
from sparsedm.diffusion import DiscreteBetas, RectifiedFlow, VPLinear
from sparsedm.errors import InputError
from sparsedm.files import file_sha256
from sparsedm.measure.macs import bare_model, count_macs
from sparsedm.models import CLASSES, PRESETS, UViTConfig, build_model
from sparsedm.sparsity.layers import select_layers
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.config import parse_config
from sparsedm.training.diff_prune import (
    Kept,
    add_up_gradients,
    batch_loss,
    blocks_of,
    channel_scores,
    choose,
    head_scores,
    shrink,
    shrunk_config,
)

TINY = UViTConfig(8, 4, 1, width=32, depth=3, heads=4, num_classes=2, final_conv=False, prediction="v")


@pytest.fixture
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    made = build_model(TINY)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(3, 1, 8, 8, generator=generator),
        torch.tensor([0.1, 0.5, 0.9]),
        torch.tensor([0, 1, 2]),
    )


@pytest.mark.parametrize(
    ("losses", "threshold", "want"),
    [
        ([4.0, 3.0, 2.0, 1.9, 9.0], 0.5, 3),
        ([1.0, 2.0, 4.0, 2.0, 2.0], 0.5, 5),
        ([1.0, 4.0, 1.0, 4.0, 4.0], 0.5, 2),
        ([4.0, 0.1, 0.1, 0.1, 0.1], 0.0, 5),
    ],
)
def test_timesteps_count_while_the_loss_is_a_share_of_the_largest(
    model: torch.nn.Module, losses: list[float], threshold: float, want: int
) -> None:
    asked: list[float] = []

    def loss_at(t: torch.Tensor) -> torch.Tensor:
        asked.append(round(t.item(), 3))
        return model.norm.weight.sum() * 0 + model.norm.bias.sum() * 0 + _value(losses[len(asked) - 1])

    def _value(loss: float) -> torch.Tensor:
        return loss * (1 + model.norm.weight[0] - model.norm.weight[0].detach())

    assert add_up_gradients(model, loss_at, threshold, len(losses)) == want
    assert asked == [0.1, 0.3, 0.5, 0.7, 0.9][: want + (want < 5)]
    assert model.norm.weight.grad[0].item() == pytest.approx(sum(losses[:want]))


def test_scores_are_the_sums_of_squared_weight_times_gradient(model: torch.nn.Module) -> None:
    model(*inputs()).square().mean().backward()
    block = model.mid_block
    qkv, proj, fc1, fc2 = block.attn.qkv, block.attn.proj, block.mlp.fc1, block.mlp.fc2
    heads = head_scores(block)
    for head in range(4):
        rows = [part * 32 + head * 8 + i for part in range(3) for i in range(8)]
        columns = [head * 8 + i for i in range(8)]
        want = (qkv.weight * qkv.weight.grad)[rows].square().sum()
        want = want + (proj.weight * proj.weight.grad)[:, columns].square().sum()
        assert heads[head].item() == pytest.approx(want.item(), rel=1e-5)
    channels = channel_scores(block)
    assert channels.shape == (128,)
    want = (fc1.weight * fc1.weight.grad)[5].square().sum() + (fc1.bias * fc1.bias.grad)[5].square()
    want = want + (fc2.weight * fc2.weight.grad)[:, 5].square().sum()
    assert channels[5].item() == pytest.approx(want.item(), rel=1e-5)


def test_the_smaller_network_computes_what_the_larger_one_does_with_zeros(model: torch.nn.Module) -> None:
    model(*inputs()).square().mean().backward()
    config = shrunk_config(TINY, Pattern(2, 4))
    kept = choose(model, config)
    smaller = shrink(model, config, kept)
    with torch.no_grad():
        for name, block in blocks_of(model):
            lost_heads = [h for h in range(4) if h not in kept[name].heads.tolist()]
            block.attn.proj.weight.view(32, 4, 8)[:, lost_heads] = 0.0
            lost = torch.ones(128, dtype=torch.bool).index_fill(0, kept[name].channels, False)
            block.mlp.fc2.weight[:, lost] = 0.0
        assert torch.allclose(smaller(*inputs()), model(*inputs()), rtol=1e-5, atol=1e-6)
    assert sum(p.numel() for p in smaller.parameters()) < 0.7 * sum(p.numel() for p in model.parameters())


def test_the_best_are_kept(model: torch.nn.Module) -> None:
    model(*inputs()).square().mean().backward()
    config = shrunk_config(TINY, Pattern(2, 4))
    kept: Kept = choose(model, config)["mid_block"]
    for scores, indices in (
        (head_scores(model.mid_block), kept.heads), (channel_scores(model.mid_block), kept.channels)
    ):  # fmt: skip
        lost = torch.ones(len(scores), dtype=torch.bool).index_fill(0, indices, False)
        assert scores[indices].min() >= scores[lost].max()
        assert indices.tolist() == sorted(set(indices.tolist()))


@pytest.mark.parametrize("preset", ["fashion-mnist-uvit-tiny", "cifar10-uvit-small"])
@pytest.mark.parametrize("pattern", [Pattern(2, 4), Pattern(3, 4)])
def test_macs_come_up_to_those_of_the_sparse_model(preset: str, pattern: Pattern) -> None:
    config = PRESETS[preset]
    target = count_macs(config, select_layers(bare_model(config), pattern).selected, pattern)
    found = count_macs(shrunk_config(config, pattern))
    assert 0.98 * target.total_sparse < found.total_dense <= target.total_sparse
    assert found.attention < target.attention, "heads are gone"
    assert found.dense > target.sparse - target.attention, "what they save of attention, channels get"


def test_worked_example_of_matching_macs() -> None:
    config = PRESETS["fashion-mnist-uvit-tiny"]
    two_heads = [replace(config, heads=2, head_width=32, mlp_width=width) for width in (512, 511, 256)]
    whole, one_less, matched = (count_macs(sizes).total_dense for sizes in two_heads)
    assert (whole, whole - one_less, matched) == (61_446_656, 84_480, 39_819_776)
    assert shrunk_config(config, Pattern(2, 4)) == two_heads[-1]


class Silent(torch.nn.Module):
    """Says 0, whatever it gets."""

    def __init__(self, config: UViTConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, x: torch.Tensor, t: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        return torch.zeros_like(x)


def loss_of_silence(config: UViTConfig, t: float) -> tuple[float, torch.Tensor, torch.Tensor]:
    """The loss at t of a network that says 0, with the images and the noise behind it."""
    x0 = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(5))
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(6))
    loss_at = batch_loss(Silent(config), x0, None, torch.Generator().manual_seed(6))
    return loss_at(torch.tensor(t)).item(), x0, eps


@pytest.mark.parametrize("t", [0.01, 0.3, 0.5, 0.99])
def test_the_loss_is_that_of_the_noise_whatever_the_network_predicts(t: float) -> None:
    """A v of 0 is off by v, which counts alpha² times, and a velocity of 0 by eps - x_0, (1 - t)² times."""
    process, times = TINY.process, torch.tensor([t])
    alpha, sigma = process.alpha(times).item(), process.sigma(times).item()
    found, x0, eps = loss_of_silence(TINY, t)
    assert found == pytest.approx(alpha**2 * (alpha * eps - sigma * x0).square().mean().item(), rel=1e-3)
    found, *_ = loss_of_silence(replace(TINY, prediction="noise"), t)
    assert found == pytest.approx(eps.square().mean().item(), rel=1e-4)
    found, *_ = loss_of_silence(replace(TINY, prediction="velocity", process=RectifiedFlow()), t)
    assert found == pytest.approx((1 - t) ** 2 * (eps - x0).square().mean().item(), rel=1e-3)


def test_worked_example_of_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    process = DiscreteBetas("given", steps=2, betas=(0.64, 0.5))
    monkeypatch.setattr(torch, "randn", lambda shape, generator: torch.full(shape, 2.0))
    silent = Silent(replace(TINY, process=process))
    loss_at = batch_loss(silent, torch.ones(1, 1, 8, 8), None, torch.Generator())
    assert loss_at(torch.tensor(0.5)).item() == pytest.approx(0.0576, rel=1e-4)


def test_the_threshold_ends_the_sum_for_a_network_that_predicts_v(model: torch.nn.Module) -> None:
    """At the end alpha² is 0.00004: the loss of v itself would never fall to a twentieth."""
    x0, _, labels = inputs()
    loss_at = batch_loss(model, x0, labels, torch.Generator().manual_seed(0))
    assert 0 < add_up_gradients(model, loss_at, 0.05, 50) < 50


def test_a_pattern_that_leaves_no_channel_is_refused() -> None:
    with pytest.raises(InputError, match="At 1:32 no hidden channels are left"):
        shrunk_config(TINY, Pattern(1, 32))


@pytest.mark.parametrize(
    "preset",
    [
        TINY,
        replace(TINY, label_dropout=0.15, process=DiscreteBetas("linear", 1e-4, 0.02, 500)),
        replace(TINY, null_class=False, process=DiscreteBetas("cosine")),
        replace(TINY, prediction="velocity", process=RectifiedFlow(shift=3.0)),
        replace(TINY, process=VPLinear(0.05, 12.0)),
    ],
    ids=lambda preset: f"{preset.process.kind}-{preset.prediction}-{preset.null_class}",
)
def test_the_command_writes_a_model_that_the_trainer_takes(
    preset: UViTConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(PRESETS, "tiny", preset)
    monkeypatch.setitem(CLASSES, "tiny", ["first", "second"])
    images = np.random.default_rng(0).integers(0, 255, (20, 1, 8, 8), dtype=np.uint8)
    data = ArrayDataset(images, np.arange(20) % 2)
    monkeypatch.setattr(command, "open_dataset", lambda *args, class_column: data)
    weights, out = tmp_path / "dense.safetensors", tmp_path / "small.safetensors"
    torch.manual_seed(0)
    save_file(build_model(preset).state_dict(), weights)
    arguments = ["--preset", "tiny", "--weights", str(weights), "--dataset", "fashion-mnist", "--data", "x"]
    lengths = ["--timesteps", "4", "--batch-size", "8", "--out", str(out)]
    assert main(["diff-prune", *arguments, *lengths]) == 0
    manifest = json.loads(out.with_suffix(".json").read_text())
    assert manifest["macs"]["pruned"] < manifest["macs"]["dense"]
    assert manifest["weights"] == {
        "file": out.name, "sha256": file_sha256(out), "sizeBytes": out.stat().st_size,
    }  # fmt: skip
    assert (manifest["classes"], manifest["prediction"]) == (["first", "second"], preset.prediction)
    _, _, spec = capsys.readouterr().out.partition("\n")
    value = yaml.safe_load(spec)
    value["model"]["pretrained"] = {"uri": f"file://{out}"}
    value |= {"dataset": {"format": "fashion-mnist", "uri": "file:///x"}, "output": {"uri": "pvc://c/d"}}
    config = parse_config(value)
    assert config.sparsity.method == "dense"
    assert UViTConfig(**config.model.config).to_dict() == manifest["config"]
    grid = tmp_path / "grid.png"
    draw = ["generate", "--model", str(out), "--classes", "second", "--steps", "2", "--count", "1"]
    guided = [] if preset.guidable else ["--guidance", "0"]
    assert main([*draw, *guided, "--out", str(grid)]) == 0
    assert grid.exists()


def test_the_spec_of_a_model_with_text_has_its_context() -> None:
    config = replace(TINY, num_classes=0, context_tokens=7, context_width=12)
    fields = command.spec_fields(config)
    assert (fields["contextTokens"], fields["contextWidth"]) == (7, 12)
    value = {
        "model": {"config": fields, "pretrained": {"uri": "file:///w.safetensors"}},
        "dataset": {"format": "fashion-mnist", "uri": "file:///x"}, "output": {"uri": "pvc://c/d"},
    }  # fmt: skip
    assert UViTConfig(**parse_config(value).model.config).to_dict() == config.to_dict()


def test_weights_that_are_not_finite_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    images = np.zeros((2, 1, 8, 8), dtype=np.uint8)
    data = ArrayDataset(images, np.arange(2) % 2)
    monkeypatch.setattr(command, "open_dataset", lambda *args, class_column: data)
    tensors, weights = build_model(TINY).state_dict(), tmp_path / "dense.safetensors"
    tensors["norm.bias"][0] = float("nan")
    save_file(tensors, weights)
    arguments = ["--preset", "tiny", "--weights", str(weights), "--dataset", "fashion-mnist", "--data", "x"]
    assert main(["diff-prune", *arguments, "--out", str(tmp_path / "small.safetensors")]) == 3
    assert f"{weights} hold NaN or infinity in norm.bias:" in capsys.readouterr().err
    assert not (tmp_path / "small.safetensors").exists()
