"""From a configuration to when masks are made."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from sparsedm.cli import main
from sparsedm.training.config import parse_config
from sparsedm.training.describe import describe
from sparsedm.training.plan import mask_rhythm, schedule_of
from test_config import OWN_MODEL, with_value


@pytest.mark.parametrize(
    ("sparsity", "rhythm", "made_at", "freeze_from"),
    [
        ({}, "magnitude, every step", [*range(21)], 20),
        ({"maskUpdateSteps": 30, "schedule": {"rampPercent": 80, "freezeMaskPercent": 15}},
         "magnitude, every 30 steps", [0, 20, 40, 60, 80, 85], 85),
        ({"method": "cast", "schedule": {"type": "fixed", "freezeMaskPercent": 70}},
         "magnitude, every 10 steps", [0, 10, 20, 30], 30),
        ({"maskType": "random"}, "random, once for each pattern", [0, 2, 5, 7, 10], 10),
        ({"maskType": "fixed", "schedule": {"type": "fixed"}}, "fixed, once for each pattern", [0], 0),
        ({"method": "asp", "schedule": {"type": "fixed"}}, "magnitude, once for each pattern", [0], 0),
        ({"method": "dense"}, "none", [*range(100)], 100),
        ({"method": "masked-dense", "schedule": {"type": "fixed"}},
         "magnitude, once for each pattern", [0], 0),
    ],
)  # fmt: skip
def test_masks_are_made_when_the_method_and_their_type_ask_for_it(
    sparsity: dict[str, object], rhythm: str, made_at: list[int], freeze_from: int
) -> None:
    value = with_value("sparsity", sparsity)
    if sparsity.get("method") != "masked-dense":
        value["training"] = {"steps": 100}
    config = parse_config(value)
    schedule = schedule_of(config)
    assert mask_rhythm(config) == rhythm
    assert [step for step in range(100) if schedule.recomputes(step)] == made_at
    assert schedule.freeze_from == freeze_from


# 44,255,328 x 4 bytes x 6 copies, and 5 bytes for each masked weight; or x 4 copies, and rows and columns.
@pytest.mark.parametrize(("optimizer", "mebibytes"), [("adamw", "1,223"), ("adafactor", "887")])
def test_a_dry_run_prints_layers_masks_macs_and_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], optimizer: str, mebibytes: str
) -> None:
    """Of U-ViT S/2: no weights and no data are there, and none are read."""
    file = tmp_path / "run.yaml"
    preset = {"preset": "cifar10-uvit-small", "pretrained": {"uri": "pvc://weights/s2.safetensors"}}
    value = {**with_value("model", preset), "training": {"optimizer": optimizer}}
    file.write_text(yaml.safe_dump(value))
    assert main(["train", "--config", str(file), "--dry-run"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "layer shape pattern MACs dense MACs sparse" in lines
    assert "mid_block.mlp.fc1 2048x512 2:4 269.48 M 134.74 M" in lines
    assert "44,255,328 parameters, 44,040,192 of them in 58 masked layers." in lines
    assert "MACs per image and step, linear: 11,321.56 M dense, 5,662.40 M sparse (-50.0 %)" in lines
    told = f"Memory for weights and optimizer, with the teacher: {mebibytes} MiB; for activations, in a "
    assert any(line.startswith(told) for line in lines)


def test_what_is_wrong_in_a_file_is_told_sentence_by_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(with_value("training", {"steps": 0, "lerningRate": 1})))
    assert main(["train", "--config", str(file), "--dry-run"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: training.steps must be a whole number from 1 to 100000000, not 0.",
        "error: training.lerningRate is not a field: did you mean training.learningRate?",
    ]


@pytest.mark.parametrize(
    ("sparsity", "want"),
    [
        ({}, "Masks: magnitude, every step. The mask is frozen from step 60 on."),
        ({"method": "cast"}, "Masks: magnitude, every 10 steps. The mask is frozen from step 60 on."),
        (
            {"method": "asp", "schedule": {"type": "fixed"}},
            "Masks: magnitude, once for each pattern. The mask is frozen from step 0 on.",
        ),
        ({"schedule": {"freezeMaskPercent": 0}}, "Masks: magnitude, every step. The mask is never frozen."),
        ({"method": "dense"}, "Training without masks for 300 steps, as a control."),
        (
            {"method": "masked-dense"},
            "No training: the dense model is masked once with 2:4. Masks: magnitude, once for each pattern.",
        ),
        ({"schedule": {"family": "doubling"}}, "1 31:32 0 7"),
    ],
)
def test_a_dry_run_tells_when_masks_are_made(sparsity: dict[str, object], want: str) -> None:
    told = describe(parse_config(with_value("sparsity", sparsity)))
    assert want in [" ".join(line.split()) for line in told.splitlines()]


def test_a_dry_run_names_the_layers_that_a_stage_leaves_dense() -> None:
    model = {
        "config": {**OWN_MODEL, "width": 40},
        "pretrained": {"uri": "pvc://weights/dense.safetensors"},
    }
    value = with_value("sparsity", {"schedule": {"family": "doubling"}}, with_value("model", model))
    told = describe(parse_config(value))
    want = "Stage 1 leaves mid_block.attn.qkv dense: input dimension 40 is not a multiple of 32."
    assert want in told
    assert "Stage 3 leaves" not in told
