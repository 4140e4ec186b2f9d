"""Training from random weights: a dense model that learns, resumes and stands alone in its figures, and is
what a sparse run starts from."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from sparsedm.cli import main
from sparsedm.commands.generate import open_model
from sparsedm.files import file_sha256
from sparsedm.models import UViTConfig, build_model
from sparsedm.training import learner as learner_module
from sparsedm.training.config import parse_config
from sparsedm.training.describe import describe
from svg_tools import charts_of, points_of
from tiny_run import CONFIG, MODEL, Workplace

STEPS = 100


def scratch(place: Workplace, output: str, **changes: Any) -> dict[str, Any]:
    settings = {
        "model": {"config": MODEL, "initialization": "random"},
        "sparsity": {"method": "dense"},
        "training__emaDecay": "0.9995",
        **changes,
    }
    return place.spec(output, **settings)


def learning(place: Workplace, output: str) -> dict[str, Any]:
    rate = {"training__learningRate": "0.003", "training__learningRateSchedule": "cosine"}
    return scratch(place, output, training__steps=STEPS, checkpoint__everySteps=50, **rate)


@pytest.fixture(scope="module")
def learned(place: Workplace) -> tuple[dict[str, Any], Path]:
    return place.train(learning(place, "learned")), place.directory / "learned"


def tensors_of(output: Path, step: int) -> dict[str, torch.Tensor]:
    return load_file(output / f"checkpoints/step-{step:08d}/tensors.safetensors")


def test_it_learns(learned: tuple[dict[str, Any], Path]) -> None:
    page = (learned[1] / "report.html").read_text()
    losses = [loss for _, loss in points_of(charts_of(page)["Loss"], "loss")]
    count = len(losses) // 5
    first, last = sum(losses[:count]) / count, sum(losses[-count:]) / count
    assert last < 0.8 * first, f"mean loss of the first fifth {first:.3f}, of the last {last:.3f}"


def test_the_first_weights_are_those_of_the_seed(place: Workplace) -> None:
    """A learning rate too small to change float32 leaves them as they were drawn."""
    changes = {"training__steps": 1, "training__warmupSteps": 0, "checkpoint__everySteps": 1}
    changes |= {"training__learningRate": "1e-12", "training__weightDecay": "0"}
    for seed in (0, 7):
        place.train(scratch(place, f"seed-{seed}", training__seed=seed, **changes))
        torch.manual_seed(seed)
        want = build_model(CONFIG).state_dict()
        found = tensors_of(place.directory / f"seed-{seed}", 1)
        for name, weight in want.items():
            assert torch.allclose(found[f"student/{name}"], weight, atol=1e-9), name


def test_the_average_forgets_where_it_began(place: Workplace) -> None:
    """After one step with a decay of 0.9995 it has moved by 9/10, not by 1/2000."""
    place.train(scratch(place, "average", training__steps=4, checkpoint={"everySteps": 1, "keep": 9}))
    torch.manual_seed(0)
    start = build_model(CONFIG).state_dict()["norm.weight"]
    found = tensors_of(place.directory / "average", 1)
    moved = found["student/norm.weight"] - start
    assert torch.allclose(found["ema/norm.weight"] - start, 0.9 * moved, atol=1e-7)
    assert moved.abs().max() > 1e-4


def test_a_resumed_run_equals_an_undisturbed_one(
    place: Workplace, learned: tuple[dict[str, Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = learner_module.Learner.step

    def stopped(self: Any, number: int, *rest: Any) -> Any:
        if number == 36:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, number, *rest)

    spec = learning(place, "parts")
    with monkeypatch.context() as context:
        context.setattr(learner_module.Learner, "step", stopped)
        code, told = place.command(spec, monkeypatch)
    assert (code, told["error"]["reason"]) == (143, "Interrupted")
    assert place.command(spec, monkeypatch)[0] == 0
    whole, parts = (tensors_of(out, STEPS) for out in (learned[1], place.directory / "parts"))
    assert all(torch.equal(parts[name], tensor) for name, tensor in whole.items())


def test_it_stands_alone(learned: tuple[dict[str, Any], Path]) -> None:
    manifest, directory = learned
    fid, provenance = manifest["fid"], manifest["provenance"]
    assert not {"dense", "increase"} & fid.keys()
    assert float(fid["sparse"]) > 0
    assert "dense" not in manifest["quality"]
    assert (provenance["initialization"], provenance["method"]) == ("random", "dense")
    assert "pretrainedSha256" not in provenance
    assert manifest["macs"]["dense"] == manifest["macs"]["sparse"]
    page = (directory / "report.html").read_text()
    assert "<h1>uvit, trained from random weights</h1>" in page
    assert f"<td>{fid['sparse']}</td>" in page
    assert f"<td>{manifest['quality']['sparse']['recall']}</td>" in page
    assert "fd-test-cnn of the trained model" in charts_of(page)
    assert not re.search("dense above|dense samples|the two figures", page, re.IGNORECASE)
    both = Image.open(directory / "samples.png")
    assert both.size == (2 * 68 + 4, 18 + 18 + 3 * 68 + 4)


def test_the_operator_is_told_the_one_figure(
    place: Workplace, learned: tuple[dict[str, Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, told = place.command(learning(place, "learned"), monkeypatch)
    assert code == 0
    assert told["fid"] == learned[0]["fid"]
    assert told["sparsity"]["maskedLayers"] == 0


def test_the_manifest_holds_the_configuration(
    place: Workplace, learned: tuple[dict[str, Any], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Which reads again as the same run."""
    given = learned[0]["provenance"]["configuration"]
    assert given == learning(place, "learned")
    assert parse_config(given).digest() == learned[0]["provenance"]["configDigest"]
    assert "learningRate: &#x27;0.003&#x27;" in (learned[1] / "report.html").read_text()
    assert main(["inspect", str(learned[1])]) == 0
    assert "configuration:\n  model:\n    config:\n" in capsys.readouterr().out


def test_a_dry_run_says_that_it_starts_from_random_weights(place: Workplace) -> None:
    said = describe(parse_config(scratch(place, "none", training__seed=3)))
    assert "Training from random weights, of seed 3, for 20 steps." in said
    assert "Then it draws 6 images: dpm-solver++, 2 steps" in said


def test_its_export_is_what_a_sparse_run_starts_from(
    place: Workplace, learned: tuple[dict[str, Any], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, directory = learned
    file = place.directory / "exported" / "dense.safetensors"
    assert main(["export", str(directory), "--out", str(file)]) == 0
    described = json.loads(file.with_suffix(".json").read_text())
    assert described["weights"] == {**manifest["weights"], "file": "dense.safetensors"}
    assert described["figures"] == manifest["fid"]
    assert described["training"]["configuration"] == manifest["provenance"]["configuration"]
    assert (described["training"]["steps"], described["training"]["seed"]) == (STEPS, 0)
    assert open_model(file).classes == ["left", "right"]
    assert main(["generate", "--model", str(file), "--count", "1", "--steps", "2",
                 "--out", str(place.directory / "drawn.png")]) == 0  # fmt: skip

    pretrained = {"uri": f"file://{file}", "sha256": file_sha256(file)}
    spec = place.spec("sparse", model={"config": MODEL, "pretrained": pretrained})
    assert place.train(spec)["fid"]["dense"] == manifest["fid"]["sparse"]


def test_an_export_counts_the_images_whose_class_is_recognised(
    place: Workplace, learned: tuple[dict[str, Any], Path]
) -> None:
    file = place.directory / "measured.safetensors"
    command = ["export", str(learned[1]), "--out", str(file), "--samples-per-class", "3"]
    assert main([*command, "--extractor", str(place.extractor)]) == 0
    figures = json.loads(file.with_suffix(".json").read_text())["figures"]
    assert (figures["metric"], figures["samples"], figures["referenceSamples"]) == ("fd-test-cnn", 6, 44)
    assert figures["recognisedByClass"].keys() == {"left", "right"}
    again = file.with_suffix(".json").read_bytes()
    assert main([*command, "--extractor", str(place.extractor)]) == 0
    assert file.with_suffix(".json").read_bytes() == again


def test_a_smaller_model_of_a_preset_is_described_by_its_sizes(place: Workplace) -> None:
    """Half the width, as the study has it."""
    half = UViTConfig(32, 8, 1, width=16, depth=3, heads=2, num_classes=2, final_conv=False)
    model = {"config": {**MODEL, "width": 16}, "initialization": "random"}
    manifest = place.train(scratch(place, "half", model=model, training__steps=4))
    assert manifest["config"] == half.to_dict()


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        (["--out", "folder"], "--out must be a file ending in .safetensors for a U-ViT, not folder."),
        (["--out", "x.safetensors", "--samples-per-class", "1", "--reference", "/none.npz"],
         "There are no reference statistics at /none.npz"),
    ],
)  # fmt: skip
def test_an_export_that_cannot_be_made_says_why(
    learned: tuple[dict[str, Any], Path],
    place: Workplace,
    arguments: list[str],
    want: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["export", str(learned[1]), *arguments, "--extractor", str(place.extractor)]
    assert main(command) in (2, 3)
    assert want in capsys.readouterr().err
