"""What only a CUDA device can show: its masks are the CPU's, each precision learns, compiled too, a resumed
run ends where an undisturbed one does, and images come from the same noise as on a CPU."""

from __future__ import annotations

import copy
import itertools
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from sparsedm.artifact.artifact import load_artifact
from sparsedm.diffusion.samplers import sample
from sparsedm.models import build_model
from sparsedm.report.curve import Curve
from sparsedm.runtime.compiling import compiler_missing
from sparsedm.sparsity.layers import MaskedLayers, select_layers
from sparsedm.sparsity.masks import add_outside, apply_mask, count_moved, multiplied, nm_mask
from sparsedm.sparsity.methods import METHODS, build_method
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.checkpoint import CheckpointStore
from sparsedm.training.config import parse_config
from sparsedm.training.learner import begin
from tiny_run import CONFIG, Workplace

pytestmark = pytest.mark.gpu

GPU = torch.device("cuda")
PATTERNS = [(n, m) for m in (*range(2, 10), 16, 20, 32) for n in {1, m // 2, m - 1}]


@pytest.mark.parametrize(("n", "m"), PATTERNS)
def test_masks_are_those_of_a_cpu_with_ties_subnormals_and_infinities(n: int, m: int) -> None:
    generator = torch.Generator().manual_seed(m)
    values = torch.tensor([0.0, -0.0, 1e-45, -1e-45, 3e-45, 1.0, -1.0, 2.0, float("inf"), float("-inf")])
    tied = values[torch.randint(len(values), (301, 3 * m), generator=generator)]
    drawn = torch.randn(301, 3 * m, generator=generator)
    conv = values[torch.randint(len(values), (5, 2 * m, 3, 2), generator=generator)]
    for weight in (tied, drawn, conv):
        mask = nm_mask(weight.to(GPU), n, m)
        assert mask.is_contiguous()
        assert torch.equal(mask.cpu(), nm_mask(weight, n, m))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_float_types_have_masks_too(dtype: torch.dtype) -> None:
    weight = torch.randn(64, 96, generator=torch.Generator().manual_seed(0)).round(decimals=1).to(dtype)
    assert torch.equal(nm_mask(weight.to(GPU), 2, 4).cpu(), nm_mask(weight, 2, 4))


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"dense"}))
def test_each_method_computes_what_it_computes_on_a_cpu(method: str) -> None:
    """Forward, gradient, and what happens around the optimizer."""
    torch.manual_seed(0)
    here = nn.Sequential(nn.Linear(32, 48), nn.GELU(), nn.Linear(48, 8))
    there = copy.deepcopy(here).to(GPU)
    x = torch.randn(16, 32)
    chosen = build_method(method, 0.5, 0.1)
    for model in (here, there):
        layers = MaskedLayers(model, ["0", "2"], chosen.masked_weight, scaling=chosen.scaling)
        assert layers.refresh(Pattern(2, 4)) == 0
        for _, weight, masking in layers.weights():
            chosen.begin_stage(weight, masking)
        model(x.to(next(model.parameters()).device)).square().sum().backward()
        optimizer = chosen.optimizer(model.parameters(), lr=0.1)
        chosen.before_optimizer(layers.parameters(), 0.1, 0.5)
        optimizer.step()
        chosen.after_optimizer(layers.parameters())
        layers.refresh(Pattern(2, 4))
    for (name, ours), (_, theirs) in zip(here.named_parameters(), there.named_parameters(), strict=True):
        torch.testing.assert_close(theirs.cpu(), ours, msg=lambda text, name=name: f"{name}: {text}")
        torch.testing.assert_close(theirs.grad.cpu(), ours.grad, rtol=1e-4, atol=1e-4)


SHAPES = [(1, 4), (300, 2048), (7, 12), (64, 32, 3, 3), (2048, 8192)]


def layers_of(seed: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Weights of layers that differ in size a million times, and their masks."""
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(shape, generator=generator) for shape in SHAPES]
    return weights, [nm_mask(weight, 2, 4) for weight in weights]


def test_masks_that_moved_are_counted_over_all_layers() -> None:
    (_, before), (_, after) = layers_of(0), layers_of(1)
    want = sum(int((one != other).sum()) for one, other in zip(before, after, strict=True))
    found = count_moved([mask.to(GPU) for mask in before], [mask.to(GPU) for mask in after])
    assert found.tolist() == [want]
    assert count_moved(before, after).tolist() == [want]


def test_what_is_outside_of_the_masks_is_added() -> None:
    weights, masks = layers_of(0)
    sums, _ = layers_of(1)
    there = [[tensor.to(GPU) for tensor in tensors] for tensors in (sums, weights, masks)]
    add_outside(zip(sums, weights, masks, strict=True), -0.25)
    add_outside(zip(*there, strict=True), -0.25)
    for want, found in zip(sums, there[0], strict=True):
        torch.testing.assert_close(found.cpu(), want)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_masked_weights_are_rounded_as_autocast_rounds_them(dtype: torch.dtype) -> None:
    weight = torch.randn(512, 1024, device=GPU) * torch.logspace(-12, 4, 1024, device=GPU)
    weight[0, :8] = torch.tensor([-0.0, 0.0, 1e-45, -1e-45, 65504.0, 1e30, float("inf"), float("nan")])
    mask = torch.rand(weight.shape, device=GPU) < 0.5
    mask[0, :8] = True
    with torch.autocast("cuda", dtype, enabled=dtype != torch.float32):
        found = multiplied(weight, mask)
    want = apply_mask(weight, mask).to(dtype)
    assert found.dtype == dtype
    torch.testing.assert_close(found, want, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(torch.signbit(found), torch.signbit(want))


@pytest.mark.parametrize(
    ("precision", "compiled"), [("fp32", False), ("bf16", False), ("fp16", False), ("bf16", True)]
)
def test_a_run_learns_and_its_artifact_holds(place: Workplace, precision: str, compiled: bool) -> None:
    if compiled and (missing := compiler_missing(GPU)):
        pytest.skip(f"torch.compile needs {missing}")
    name = f"{precision}{'-compiled' if compiled else ''}"
    spec = place.spec(name, training__precision=precision, training__compile=compiled, training__steps=60)
    torch.compiler.reset()
    manifest = place.train(spec)
    assert manifest["sparsity"]["achieved"] == "0.5"
    load_artifact(place.directory / name)
    losses = losses_of(place.directory / name)
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])


def losses_of(output: Path) -> list[float]:
    checkpoint, _ = CheckpointStore(output / "checkpoints", 3).resume()
    assert checkpoint is not None
    curve = Curve()
    curve.restore(checkpoint.state["curve"])
    return [point.loss for point in curve.points()]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_resumed_run_ends_where_an_undisturbed_one_does(place: Workplace, precision: str) -> None:
    settings = {"training__precision": precision, "checkpoint": {"everySteps": 1, "keep": 100}}
    whole = place.train(place.spec(f"whole-{precision}", **settings))
    cut = place.directory / f"cut-{precision}"
    shutil.copytree(place.directory / f"whole-{precision}", cut)
    for path in cut.iterdir():
        if path.is_file():
            path.unlink()
    for step in range(8, 21):
        shutil.rmtree(cut / f"checkpoints/step-{step:08d}")
    resumed = place.train(place.spec(f"cut-{precision}", **settings))
    assert resumed["weights"]["sha256"] == whole["weights"]["sha256"]
    assert resumed["fid"] == whole["fid"]


def test_the_optimizer_is_the_fused_one(place: Workplace) -> None:
    dense = build_model(CONFIG).to(GPU)
    training = parse_config(place.spec()).training
    state = begin(dense, select_layers(dense, Pattern(2, 4)), build_method("ste"), training, "magnitude")
    assert all(group["fused"] for group in state.optimizer.param_groups)


@pytest.mark.parametrize("sampler", ["dpm-solver++", "euler-maruyama"])
def test_images_come_from_the_same_noise_as_on_a_cpu(sampler: str) -> None:
    torch.manual_seed(0)
    model = build_model(CONFIG).eval()
    labels = torch.tensor([0, 1, 0])
    here, there = (
        sample(model.to(device), CONFIG, labels, [3, 4, 5], steps=4, sampler=sampler, device=device)
        for device in ("cpu", GPU)
    )
    torch.testing.assert_close(there, here, rtol=1e-3, atol=1e-3)
    for one, other in itertools.combinations(there, 2):
        assert not torch.allclose(one, other, atol=0.05)
