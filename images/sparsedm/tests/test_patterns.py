"""`sparsedm evaluate --patterns`: one set of weights masked at several patterns, measured as ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sparsedm.cli import main
from sparsedm.measure.macs import count_macs
from sparsedm.measure.patterns import at_pattern, misfits
from sparsedm.models import build_model, load_weights
from sparsedm.sparsity.layers import select_layers
from sparsedm.sparsity.pattern import Pattern
from tiny_run import CONFIG, Workplace

NAMES = select_layers(build_model(CONFIG), Pattern(2, 4)).selected


@pytest.fixture(scope="module")
def manifest(place: Workplace) -> dict[str, Any]:
    return place.train(
        place.spec("out", training__steps=2, training__warmupSteps=0, checkpoint__everySteps=2)
    )


def arguments(place: Workplace, dense: Path | None, patterns: str, *more: str) -> list[str]:
    return [
        "evaluate", "--model", str(place.directory / "out"), *(["--dense", str(dense)] if dense else []),
        "--format", "image-folder", "--data", str(place.images), "--extractor", str(place.extractor),
        "--samples", "6", "--steps", "2", "--patterns", patterns, *more,
    ]  # fmt: skip


def brute_force(weight: torch.Tensor, pattern: Pattern) -> torch.Tensor:
    """Row by row and group by group; all magnitudes are different."""
    masked = torch.zeros_like(weight)
    for row in range(weight.shape[0]):
        for start in range(0, weight.shape[1], pattern.m):
            group = range(start, start + pattern.m)
            for column in sorted(group, key=lambda c: -abs(weight[row, c].item()))[: pattern.n]:
                masked[row, column] = weight[row, column]
    return masked


@pytest.mark.parametrize("pattern", [Pattern(1, 4), Pattern(2, 4), Pattern(3, 8), Pattern(4, 8)], ids=str)
def test_the_masks_are_those_of_brute_force_and_nothing_else_changes(pattern: Pattern) -> None:
    torch.manual_seed(2)
    model = build_model(CONFIG)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    masked = at_pattern(model, NAMES, pattern).state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
        layer = name.removesuffix(".weight")
        want = brute_force(tensor, pattern) if layer in NAMES else tensor
        assert torch.equal(masked[name], want), name


def test_rows_of_the_artifact_and_of_the_dense_model(
    place: Workplace, manifest: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(arguments(place, place.weights, "4:8,2:4,1:4", "--json")) == 0
    figures = json.loads(capsys.readouterr().out)
    rows = {(row["weights"], row["pattern"]): row for row in figures["patterns"]}
    assert list(rows) == [(w, p) for w in ("dense", "sparse") for p in ("4:8", "2:4", "1:4")]

    # The artifact under its own pattern is the artifact, and a looser one takes nothing more from it.
    own, looser = rows["sparse", "2:4"], rows["sparse", "4:8"]
    assert own["distance"] == looser["distance"] == figures["sparse"] == manifest["fid"]["sparse"]
    assert own["sparsity"] == looser["sparsity"] == manifest["sparsity"]["achieved"]
    assert own["macs"] == manifest["macs"]
    names = [layer["name"] for layer in manifest["layers"]]
    for weights in ("dense", "sparse"):
        assert rows[weights, "1:4"]["sparsity"] == "0.75"
        assert rows[weights, "1:4"]["macs"] == count_macs(CONFIG, names, Pattern(1, 4)).status()

    # The dense weights masked beforehand are measured alike.
    model = build_model(CONFIG)
    load_weights(model, place.weights)
    masked = tmp_path / "masked.safetensors"
    save_file(
        {n: t.contiguous() for n, t in at_pattern(model, names, Pattern(1, 4)).state_dict().items()}, masked
    )
    assert main(arguments(place, masked, "1:4", "--json")) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["dense"] == again["patterns"][0]["distance"] == rows["dense", "1:4"]["distance"]


def test_the_weights_beneath_the_masks_come_from_a_checkpoint(
    place: Workplace, manifest: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    checkpoint = place.directory / "out/checkpoints/step-00000002/tensors.safetensors"
    average = {n.removeprefix("ema/"): t for n, t in load_file(checkpoint).items() if n.startswith("ema/")}
    save_file(average, tmp_path / "average.safetensors")
    rows = []
    for weights in (checkpoint, tmp_path / "average.safetensors"):
        assert main(arguments(place, weights, "4:8", "--json")) == 0
        rows.append(json.loads(capsys.readouterr().out)["patterns"][0])
    assert rows[0] == rows[1]
    assert (rows[0]["weights"], rows[0]["sparsity"]) == ("dense", "0.5")


def test_without_the_option_there_are_no_rows(
    place: Workplace, manifest: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    command = arguments(place, None, "2:4", "--json")
    del command[command.index("--patterns") : command.index("--patterns") + 2]
    assert main(command) == 0
    assert "patterns" not in json.loads(capsys.readouterr().out)


def test_people_read_a_table(
    place: Workplace, manifest: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(place, None, "2:4")) == 0
    printed = capsys.readouterr().out.splitlines()
    macs = manifest["macs"]
    assert printed[-2].split() == [
        "weights",
        "pattern",
        "distance",
        "sparsity",
        "MACs",
        "(M)",
        "with",
        "attention",
        "(M)",
    ]
    assert printed[-1].split() == [
        "sparse", "2:4", manifest["fid"]["sparse"], "0.5", f"{macs['sparse'] / 1e6:.2f}",
        f"{macs['totalSparse'] / 1e6:.2f}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("patterns", "want"),
    [
        ("2:4,1:3", r"--patterns 1:3 does not fit in_blocks.0.attn.qkv with 32 inputs and 12 more"),
        ("2:4,3:4,2:4", "names 2:4 twice: name each pattern once."),
        ("4:2", 'the pattern "4:2" is not N:M with 1 <= N < M <= 32'),
        ("half", '"half" is not a pattern N:M'),
    ],
)
def test_patterns_that_do_not_fit_are_refused_by_name(
    place: Workplace, manifest: dict[str, Any], capsys: pytest.CaptureFixture[str], patterns: str, want: str
) -> None:
    try:
        code = main(arguments(place, None, patterns))
    except SystemExit as stop:  # argparse
        code = stop.code
    assert code == 2
    assert want in capsys.readouterr().err


def test_a_dense_artifact_has_no_layers_to_mask(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    spec = place.spec(
        "dense-out", sparsity__method="dense", training__steps=2, training__warmupSteps=0,
        checkpoint__everySteps=2,
    )  # fmt: skip
    place.train(spec)
    command = arguments(place, None, "2:4")
    command[command.index("--model") + 1] = str(place.directory / "dense-out")
    assert main(command) == 2
    assert (
        "--patterns masks the layers that the artifact has masked, and it has none" in capsys.readouterr().err
    )


def test_misfits_are_told_with_their_inputs() -> None:
    weights = {"a.weight": torch.zeros(2, 12), "b.weight": torch.zeros(2, 16)}
    assert misfits(weights, ["a", "b"], Pattern(2, 8)) == ["a with 12 inputs"]
    assert misfits(weights, ["a", "b"], Pattern(2, 4)) == []
