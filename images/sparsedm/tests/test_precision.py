"""Precisions in which models are measured: the one of the evaluation, and those in which they are served."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from sparsedm.cli import main
from sparsedm.data import open_dataset
from sparsedm.errors import ConfigError, InputError
from sparsedm.measure import evaluator as evaluator_module
from sparsedm.measure.evaluator import Evaluator, Plan
from sparsedm.models import build_model
from sparsedm.models.precision import DTYPES, first_too_large, in_precision
from sparsedm.serve.config import EngineSpec
from sparsedm.serve.engine import Engine
from sparsedm.training.config import parse_config
from sparsedm.training.describe import describe
from test_denoisers import condition, config_for
from tiny_run import CONFIG, Workplace

SHORT = {"training__steps": 2, "training__warmupSteps": 0, "checkpoint__everySteps": 2}


@pytest.fixture(scope="module")
def measured(place: Workplace) -> dict[str, Any]:
    spec = place.spec("served", evaluation__servedPrecisions=["bf16", "fp16"], **SHORT)
    return place.train(spec)


def evaluated(place: Workplace, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    arguments = [
        "evaluate", "--model", str(place.directory / "served"), "--dense", str(place.weights), "--json",
        "--format", "image-folder", "--data", str(place.images), "--extractor", str(place.extractor),
        "--samples", "6", "--steps", "2",
    ]  # fmt: skip
    assert main([*arguments, *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_each_precision_that_is_served_has_its_distance(
    place: Workplace, measured: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    fid = measured["fid"]
    assert fid["precision"] == "fp32"
    assert [served["precision"] for served in fid["served"]] == ["bf16", "fp16"]
    for served in fid["served"]:
        own = evaluated(place, capsys, "--precision", served["precision"])
        assert (own["sparse"], own["precision"]) == (served["sparse"], served["precision"])
        increase = float(served["sparse"]) - float(fid["dense"])
        assert float(served["increase"]) == pytest.approx(increase, abs=0.011)
    report = (place.directory / "served/report.html").read_text()
    assert "<td>Frechet distance of the sparse model in bf16</td>" in report
    assert main(["inspect", str(place.directory / "served")]) == 0
    line = f"  sparse in fp16 +{fid['served'][1]['sparse']}\n"
    assert re.search(line, capsys.readouterr().out)


def test_other_figures_are_what_they_are_without(
    place: Workplace, measured: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    plain = place.train(place.spec("plain", **SHORT))["fid"]
    assert "served" not in plain
    assert {name: value for name, value in measured["fid"].items() if name != "served"} == plain
    again = evaluated(place, capsys, "--served-precision", "bf16", "--served-precision", "fp16")
    assert {name: value for name, value in again.items() if name != "quality"} == measured["fid"]


def test_a_run_draws_dense_and_sparse_in_its_precision_and_sparse_in_those_served(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def watched(model: nn.Module, precision: str) -> Any:
        drawn.append(precision)
        return in_precision(model, precision)

    monkeypatch.setattr(evaluator_module, "in_precision", watched)
    spec = place.spec("in-bf16", evaluation__precision="bf16", evaluation__servedPrecisions=["fp32"], **SHORT)
    fid = place.train(spec)["fid"]
    assert drawn == ["bf16", "bf16", "fp32", "bf16"]  # the last one to be timed
    assert (fid["precision"], fid["served"][0]["precision"]) == ("bf16", "fp32")
    assert "seed 0, bf16 (the sparse one also in fp32). The distance to" in describe(parse_config(spec))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_16_bits_change_the_distance_a_little(place: Workplace, precision: str) -> None:
    evaluator = Evaluator(CONFIG, Plan(6, 2, 0.0, "dpm-solver++", 0), place.extractor, torch.device("cpu"))
    evaluator.set_reference(open_dataset("image-folder", place.images, 32, 1))
    torch.manual_seed(5)
    model = build_model(CONFIG)
    exact = evaluator.measure(model, lambda passes: None).distance
    rounded = evaluator.measure(model, lambda passes: None, precision=precision).distance
    assert exact != rounded
    assert rounded == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_it_is_the_arithmetic_of_the_server(
    place: Workplace, measured: dict[str, Any], precision: str
) -> None:
    spec = EngineSpec(precision=precision, backend="dense", max_batch_size=3)
    engine = Engine.load(place.directory / "served", spec, device=torch.device("cpu"))
    model = build_model(CONFIG)
    model.load_state_dict(load_file(place.directory / "served/model.safetensors"))
    x, t, y = torch.randn(3, 1, 32, 32), torch.tensor([0.1, 0.5, 0.9]), torch.tensor([0, 1, 2])
    with torch.no_grad():
        assert torch.equal(in_precision(model.eval(), precision)(x, t, y), engine._network(x, t, y))
    assert {p.dtype for p in model.parameters()} == {torch.float32}, "the model itself is not converted"


@pytest.mark.parametrize("architecture", ["unet", "dit", "diffusers"])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_networks_of_diffusers_compute_in_16_bits_too(architecture: str, precision: str) -> None:
    torch.manual_seed(0)
    model = build_model(config_for(architecture)).eval()
    config, t = config_for(architecture), torch.tensor([0.3, 0.9])
    x = torch.randn(2, config.channels, config.image_size, config.image_size)
    with torch.no_grad():
        y = condition(config, 2)
        exact, rounded = model(x, t, y), in_precision(model, precision)(x, t, y)
    assert rounded.dtype == torch.float32
    assert (rounded - exact).norm() <= 0.05 * exact.norm()


def spoil(place: Workplace, file: Path) -> Path:
    """Dense weights of which one is fine in fp32 and bf16, and infinite in fp16."""
    weights = load_file(place.weights)
    weights["decoder_pred.bias"][0] = 1e6
    save_file(weights, file)
    return file


def test_dense_weights_that_the_precision_cannot_hold_end_before_the_training(
    place: Workplace, tmp_path: Path
) -> None:
    file = spoil(place, tmp_path / "large.safetensors")
    spec = place.spec(
        output__uri=f"file://{tmp_path}/out", model__pretrained={"uri": f"file://{file}"},
        evaluation__precision="fp16",
    )  # fmt: skip
    with pytest.raises(
        ConfigError, match=r"evaluation\.precision must be bf16 or fp32: decoder_pred\.bias of"
    ):
        place.train(spec)
    assert not (tmp_path / "out/checkpoints").exists()


def test_a_served_precision_without_figures_does_not_end_the_run(place: Workplace, tmp_path: Path) -> None:
    file = spoil(place, tmp_path / "large.safetensors")
    spec = place.spec(
        output__uri=f"file://{tmp_path}/out", model__pretrained={"uri": f"file://{file}"},
        evaluation__servedPrecisions=["fp16", "bf16"], **SHORT,
    )  # fmt: skip
    fp16, bf16 = place.train(spec)["fid"]["served"]
    assert fp16 == {"precision": "fp16", "problem": "Some images in fp16 hold NaN or infinity."}
    assert set(bf16) == {"precision", "sparse", "increase"}
    assert "Some images in fp16 hold NaN or infinity." in (tmp_path / "out/report.html").read_text()


class Broken(nn.Module):
    """Predicts NaN for every image of class 1."""

    def forward(self, x: torch.Tensor, t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.where((y == 1)[:, None, None, None], torch.nan, torch.zeros_like(x))


def test_images_that_are_not_finite_are_counted_and_no_black_ones(place: Workplace) -> None:
    evaluator = Evaluator(CONFIG, Plan(6, 2, 0.0, "dpm-solver++", 0), place.extractor, torch.device("cpu"))
    evaluator.set_reference(open_dataset("image-folder", place.images, 32, 1))
    with pytest.raises(InputError, match="3 of 6 images that are drawn in fp32 hold NaN") as caught:
        evaluator.measure(Broken(), lambda passes: None)
    assert caught.value.reason == "FeaturesNotFinite"
    distance = evaluator.measure(Broken(), lambda passes: None, precision="bf16").distance
    assert distance != distance


def test_too_large_is_what_becomes_infinite() -> None:
    weights = {"a": torch.tensor([65504.0]), "n": torch.tensor([3]), "b": torch.tensor([1.0, 70000.0])}
    assert first_too_large(weights, "fp16") == "b"
    assert first_too_large(weights, "bf16") is None
    assert set(DTYPES) == {"fp32", "bf16", "fp16"}


def test_a_served_precision_is_named_once(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", "--model", str(place.directory / "served"), "--data", str(place.images)]
    assert main([*arguments, "--precision", "bf16", "--served-precision", "bf16"]) == 2
    assert "--served-precision must name each once, and not bf16" in capsys.readouterr().err
