"""Whole runs on a tiny model: training learns, the artifact is verified, and every ending has its exit
code."""

from __future__ import annotations

import base64
import errno
import io
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from sparsedm.artifact import artifact
from sparsedm.artifact.artifact import load_artifact
from sparsedm.artifact.canary import load_canary
from sparsedm.cli import main
from sparsedm.decimals import decimal
from sparsedm.diffusion.objective import Objective
from sparsedm.errors import Diverged, InputError, SparseDMError, storage_explained
from sparsedm.files import file_sha256
from sparsedm.measure.evaluator import Plan
from sparsedm.measure.extractor import Classifier, load_extractor
from sparsedm.runtime.progress import Console
from sparsedm.runtime.report_client import ReportClient
from sparsedm.runtime.stop import StopSignal
from sparsedm.serve.config import EngineSpec
from sparsedm.serve.engine import Engine
from sparsedm.sparsity.masks import group_counts, nm_mask, soft_threshold
from sparsedm.sparsity.methods import METHODS
from sparsedm.sparsity.ranking import build_ranking
from sparsedm.training import finetune as train_module
from sparsedm.training import learner as learner_module
from sparsedm.training.config import load_config, parse_config
from tiny_run import CONFIG, Workplace


@pytest.fixture(scope="module")
def learned(place: Workplace) -> tuple[dict[str, Any], Path]:
    """One longer run, shared by several tests."""
    spec = place.spec(
        "learned", training__steps=100, training__learningRate="0.003", checkpoint__everySteps=50
    )
    return place.train(spec), place.directory / "learned"


def test_it_learns(learned: tuple[dict[str, Any], Path]) -> None:
    losses = json.loads((learned[1] / "checkpoints/step-00000100/state.json").read_text())["stageSums"]
    first, last = (losses[stage][0] / losses[stage][1] for stage in ("1", "5"))
    assert last < 0.85 * first, f"mean loss of the first stage {first:.3f}, of the last {last:.3f}"


def test_the_artifact_is_proven_and_says_what_it_is(learned: tuple[dict[str, Any], Path]) -> None:
    manifest, directory = learned
    model, loaded = load_artifact(directory)
    assert loaded == manifest
    assert model.config == CONFIG
    assert manifest["pattern"] == "2:4"
    assert manifest["classes"] == ["left", "right"]
    assert manifest["sparsity"] == {
        "pattern": "2:4", "target": "0.5", "achieved": "0.5", "maskedParameters": 38912,
        "totalParameters": sum(p.numel() for p in model.parameters()), "maskedLayers": 13, "skippedLayers": 0,
        "compliant": True,
    }  # fmt: skip
    assert [s["name"] for s in manifest["skippedLayers"]] == ["patch_embed.proj", "decoder_pred"]
    fid = manifest["fid"]
    assert (fid["metric"], fid["samples"], fid["rankDeficient"]) == ("fd-test-cnn", 6, True)
    assert float(fid["sparse"]) - float(fid["dense"]) == pytest.approx(float(fid["increase"]), abs=0.011)
    assert manifest["provenance"]["schedule"].startswith("progressive: 7:8 to step 20")


def test_a_figure_stands_beside_all_it_depends_on(
    place: Workplace, learned: tuple[dict[str, Any], Path]
) -> None:
    manifest, _ = learned
    fid, provenance = manifest["fid"], manifest["provenance"]
    kept = ("guidance", "sampler", "steps", "seed", "samples")
    assert [fid[name] for name in kept] == ["0.5", "dpm-solver++", 2, 0, 6]
    digest = load_extractor(place.extractor)[2]
    assert fid["extractorDigest"] == digest
    assert fid["weights"] == provenance["weights"] == "EMA, decay 0.99"
    latency = provenance["latency"]
    assert float(latency["millisecondsPerImage"]) > 0
    assert (latency["batchSize"], latency["device"]) == (1, provenance["device"])
    assert re.fullmatch("sha256:[0-9a-f]{64}", fid["referenceDigest"])


def test_no_checkpoint_is_written_of_a_mask_that_has_lost_its_pattern(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = learner_module.Learner.step

    def spoiled(self: Any, step: int, *rest: Any) -> Any:
        if step == 7:
            masking = next(self.state.layers.weights())[2]
            masking.mask[0, 0] = ~masking.mask[0, 0]
        return whole(self, step, *rest)

    monkeypatch.setattr(learner_module.Learner, "step", spoiled)
    spec = place.spec("spoiled-mask", checkpoint={"everySteps": 4, "keep": 9})
    with pytest.raises(ValueError, match="does not keep 6:8 in every group"):
        place.train(spec)
    assert [p.name for p in (place.directory / "spoiled-mask/checkpoints").glob("step-*")] == [
        "step-00000004"
    ]


def test_the_frozen_mask_is_the_exported_one(learned: tuple[dict[str, Any], Path]) -> None:
    manifest, directory = learned
    tensors = load_file(directory / "checkpoints/step-00000100/tensors.safetensors")
    weights = load_file(directory / "model.safetensors")
    for layer in manifest["layers"]:
        mask = tensors[f"mask/{layer['name']}"]
        want = torch.where(mask, tensors[f"ema/{layer['name']}.weight"], 0.0)
        assert torch.equal(weights[f"{layer['name']}.weight"], want)


def test_the_report_and_the_sample_grid(learned: tuple[dict[str, Any], Path]) -> None:
    manifest, directory = learned
    report = (directory / "report.html").read_text()
    assert f"<td>{manifest['fid']['dense']}</td><td>{manifest['fid']['sparse']}</td>" in report
    image = base64.b64encode((directory / "samples.png").read_bytes()).decode()
    assert f'<img alt="Dense samples above sparse samples" src="data:image/png;base64,{image}">' in report
    assert re.search(r"<td>5</td><td>2:4</td><td>80 to 100</td><td>0\.\d{4}</td><td>\d\.\d{3} %</td>", report)
    assert Image.open(directory / "samples.png").size[0] > 100


def test_a_server_draws_the_canary_of_the_training_again(learned: tuple[dict[str, Any], Path]) -> None:
    manifest, directory = learned
    kept = {name: manifest["canary"][name] for name in ("seed", "steps", "sampler", "guidance", "precision")}
    assert list(kept.values()) == [0, 8, "dpm-solver++", "0.5", "fp32"]
    engine = Engine.load(directory, EngineSpec(steps=2, max_batch_size=1), device=torch.device("cpu"))
    canary = load_canary(directory, manifest)
    assert canary is not None
    assert canary.difference(engine._drawn_again(canary)) < 1e-4


def test_a_finished_run_is_told_again_and_not_repeated(
    place: Workplace, learned: tuple[dict[str, Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, directory = learned
    before = {p: p.stat().st_mtime_ns for p in directory.rglob("*")}
    spec = place.spec(
        "learned", training__steps=100, training__learningRate="0.003", checkpoint__everySteps=50
    )
    code, told = place.command(spec, monkeypatch)
    assert code == 0
    assert told["fid"] == manifest["fid"]
    assert told["model"]["sha256"] == manifest["weights"]["sha256"]
    assert told["model"]["uri"] == spec["output"]["uri"]
    assert told["progress"]["display"] == "100%"
    assert {p: p.stat().st_mtime_ns for p in directory.rglob("*")} == before


def test_a_run_is_repeated_from_its_artifact_alone(place: Workplace, tmp_path: Path, capsys: Any) -> None:
    spec = place.spec("first", training__steps=4, training__seed=3)
    first = place.train(spec)
    assert main(["verify", str(place.directory / "first")]) == 0
    manifest, again = place.directory / "first/manifest.json", tmp_path / "again"
    assert main(["train", "--config", str(manifest), "--output", f"file://{again}"]) == 0
    second = json.loads((again / "manifest.json").read_text())
    assert second["weights"]["sha256"] == first["weights"]["sha256"]
    assert second["fid"] == first["fid"]
    training = [m["provenance"]["configuration"]["training"] for m in (first, second)]
    assert training[0] == training[1]
    older = {name: value for name, value in first.items() if name != "settings"}
    (tmp_path / "older.json").write_text(json.dumps(older))
    assert main(["train", "--config", str(tmp_path / "older.json")]) == 2
    assert "a manifest without settings, as an earlier version wrote it" in capsys.readouterr().err


def test_damaged_weights_of_a_finished_run_are_written_anew_from_the_checkpoint(place: Workplace) -> None:
    spec = place.spec("repaired", training__steps=5)
    first = place.train(spec)
    weights = place.directory / "repaired/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    again = place.train(spec)
    assert again["weights"] == first["weights"]
    assert again["fid"] == first["fid"]


@pytest.mark.parametrize(
    ("method", "schedule"),
    [
        *((method, "fixed") for method in METHODS if METHODS[method].masks),
        *((method, "progressive") for method in ("sparsedm", "sr-ste", "s-ste", "cast")),
    ],
)
def test_every_method_and_schedule_gives_a_proven_artifact(
    place: Workplace, method: str, schedule: str
) -> None:
    name = f"{method}-{schedule}"
    spec = place.spec(name, training__steps=6, sparsity__method=method, sparsity__schedule={"type": schedule})
    place.train(spec)
    model, manifest = load_artifact(place.directory / name)
    assert manifest["provenance"]["method"] == method
    assert float(manifest["sparsity"]["achieved"]) >= 0.5
    assert len(manifest["layers"]) == 13
    for layer in manifest["layers"]:
        weight = model.get_submodule(layer["name"]).weight
        assert int(group_counts(weight, 4).max()) == 2


def test_a_stage_that_fits_no_layer_leaves_them_dense_and_names_them(place: Workplace) -> None:
    stages = [{"pattern": "5:12", "steps": 2}, {"pattern": "2:4", "steps": 2}]
    spec = place.spec(
        "unfit", training__steps=4, sparsity__schedule={"type": "custom", "stages": stages},
        sparsity__layers={"include": ["mid_block.mlp.*"]},
    )  # fmt: skip
    stream = io.StringIO()
    config = load_config(None, {"SPARSEDM_CONFIG": json.dumps(spec)})
    manifest = train_module.train(config, ReportClient(None, None), Console(stream), StopSignal())
    assert "Stage 1 leaves mid_block.mlp.fc1, mid_block.mlp.fc2 dense: 12 does not" in stream.getvalue()
    assert "Stage 2 leaves" not in stream.getvalue()
    assert manifest["sparsity"]["achieved"] == "0.5"


def test_a_stage_boundary_resets_nothing(place: Workplace) -> None:
    """Two stages of one pattern give the very weights of one stage: optimizer, EMA and teacher carry over."""
    stages = [{"pattern": "2:4", "steps": 3}, {"pattern": "2:4", "steps": 3}]
    schedules = {"one-stage": {"type": "fixed"}, "two-stages": {"type": "custom", "stages": stages}}
    digests = {
        place.train(place.spec(name, training__steps=6, sparsity__schedule=schedule))["weights"]["sha256"]
        for name, schedule in schedules.items()
    }
    assert len(digests) == 1


@pytest.mark.parametrize("freeze", [0, 40])
def test_s_ste_exports_what_it_computed_with(place: Workplace, freeze: int) -> None:
    """Also where the mask never froze: then the averaged weights go through the threshold and the scale."""
    name = f"s-ste-{freeze}"
    spec = place.spec(
        name, training__steps=5, sparsity__method="s-ste",
        sparsity__schedule={"type": "fixed", "freezeMaskPercent": freeze},
    )  # fmt: skip
    manifest = place.train(spec)
    checkpoint = place.directory / name / "checkpoints/step-00000005"
    tensors, weights = (
        load_file(checkpoint / "tensors.safetensors"),
        load_file(place.directory / name / "model.safetensors"),
    )
    described = json.loads((checkpoint / "state.json").read_text())["masks"]
    assert described["frozen"] == (freeze > 0)
    for layer in (layer["name"] for layer in manifest["layers"]):
        average, scale = tensors[f"ema/{layer}.weight"], described["scales"][layer]
        soft = scale * soft_threshold(average, nm_mask(average, 2, 4), 4)
        masked = torch.where(tensors[f"mask/{layer}"], average, 0.0)
        assert scale > 1
        assert torch.equal(weights[f"{layer}.weight"], masked if freeze else soft)


def test_asp_prunes_the_averaged_weights_too_and_never_moves_its_mask(place: Workplace) -> None:
    spec = place.spec("asp", training__steps=5, sparsity__method="asp", sparsity__schedule={"type": "fixed"})
    manifest = place.train(spec)
    tensors = load_file(place.directory / "asp/checkpoints/step-00000005/tensors.safetensors")
    dense = load_file(place.weights)
    for layer in (layer["name"] for layer in manifest["layers"]):
        mask = nm_mask(dense[f"{layer}.weight"], 2, 4)
        assert torch.equal(tensors[f"mask/{layer}"], mask)
        for kind in ("student", "ema"):
            assert not tensors[f"{kind}/{layer}.weight"][~mask].any(), f"{kind} {layer} is not pruned"
        assert not tensors[f"optimizer/{layer}.weight/exp_avg"][~mask].any()
    assert manifest["provenance"]["masks"] == "magnitude, once for each pattern"


@pytest.mark.parametrize("freeze", [0, 40])
def test_cast_folds_its_factors_into_the_exported_weights(place: Workplace, freeze: int) -> None:
    name = f"cast-{freeze}"
    spec = place.spec(
        name, training__steps=5, sparsity__method="cast",
        sparsity__schedule={"type": "fixed", "freezeMaskPercent": freeze},
    )  # fmt: skip
    manifest = place.train(spec)
    tensors = load_file(place.directory / name / "checkpoints/step-00000005/tensors.safetensors")
    weights = load_file(place.directory / name / "model.safetensors")
    assert not [key for key in weights if key.endswith("scaling")]
    for layer in (layer["name"] for layer in manifest["layers"]):
        average, factors = tensors[f"ema/{layer}.weight"], tensors[f"ema/{layer}.scaling"]
        assert not torch.equal(factors, torch.ones_like(factors)), "they are learned"
        mask = tensors[f"mask/{layer}"] if freeze else nm_mask(average, 2, 4)
        want = average * factors.repeat_interleave(average.shape[1] // 2, dim=1) * mask
        assert torch.equal(weights[f"{layer}.weight"], want)


def test_dense_trains_on_without_masks(place: Workplace) -> None:
    manifest = place.train(place.spec("control", training__steps=5, sparsity__method="dense"))
    assert (manifest["layers"], manifest["sparsity"]["achieved"]) == ([], "0")
    assert manifest["sparsity"]["compliant"]
    assert manifest["macs"]["sparse"] == manifest["macs"]["dense"]
    weights, dense = load_file(place.directory / "control/model.safetensors"), load_file(place.weights)
    moved = [name for name in dense if not torch.equal(weights[name], dense[name])]
    assert "mid_block.attn.qkv.weight" in moved
    assert load_artifact(place.directory / "control")[1] == manifest
    report = (place.directory / "control/report.html").read_text()
    assert "<h1>uvit, trained on</h1>" in report


@pytest.mark.parametrize("mask_type", ["random", "fixed"])
def test_a_mask_that_stays_is_the_exported_one(place: Workplace, mask_type: str) -> None:
    name = f"mask-{mask_type}"
    manifest = place.train(place.spec(name, training__steps=6, sparsity__maskType=mask_type))
    weights, dense = load_file(place.directory / name / "model.safetensors"), load_file(place.weights)
    ranking = build_ranking(mask_type, 0, dense)
    for layer in (layer["name"] for layer in manifest["layers"]):
        mask = nm_mask(ranking(layer, dense[f"{layer}.weight"]), 2, 4)
        assert not weights[f"{layer}.weight"][~mask].any()
    assert manifest["provenance"]["masks"] == f"{mask_type}, once for each pattern"


def test_accumulated_gradients_are_those_of_the_larger_batch(place: Workplace) -> None:
    def trained(name: str, **changes: Any) -> dict[str, torch.Tensor]:
        spec = place.spec(name, training__steps=3, sparsity__schedule={"type": "fixed"}, **changes)
        place.train(spec)
        return load_file(place.directory / name / "checkpoints/step-00000003/tensors.safetensors")

    whole = trained("whole-batch")
    parts = trained("in-parts", training__batchSize=2, training__gradientAccumulationSteps=4)
    for name, want in whole.items():
        if name.startswith("optimizer/") and name.endswith("/exp_avg"):
            assert torch.allclose(parts[name], want, rtol=1e-3, atol=1e-6), name
    assert torch.equal(parts["random/noise"], whole["random/noise"])


def test_checkpointed_activations_change_no_bit(place: Workplace) -> None:
    kept, again = (
        place.train(place.spec(f"keep-{not on}", training__steps=3, training__gradientCheckpointing=on))
        for on in (False, True)
    )
    assert kept["weights"]["sha256"] == again["weights"]["sha256"]


def test_masked_dense_trains_nothing_and_masks_the_dense_weights(place: Workplace) -> None:
    manifest = place.train(place.spec("zero-shot", sparsity__method="masked-dense"))
    assert manifest["provenance"]["steps"] == 0
    dense, sparse = load_file(place.weights), load_file(place.directory / "zero-shot/model.safetensors")
    for name, weight in dense.items():
        kept = sparse[name] != 0
        assert torch.equal(sparse[name][kept], weight[kept])


def test_bf16_and_an_own_pattern_and_layers(place: Workplace) -> None:
    spec = place.spec(
        "bf16", training__steps=4, training__precision="bf16", sparsity__pattern="1:4",
        sparsity__layers={"include": ["*.mlp.fc1", "decoder_pred"], "exclude": ["mid*"]},
    )  # fmt: skip
    manifest = place.train(spec)
    names = [layer["name"] for layer in manifest["layers"]]
    assert names == ["in_blocks.0.mlp.fc1", "out_blocks.0.mlp.fc1", "decoder_pred"]
    assert manifest["sparsity"]["achieved"] == "0.75"


def test_generated_data_are_drawn_once_and_kept(place: Workplace) -> None:
    spec = place.spec("generated", training__steps=4, dataset={"format": "generated", "samples": 10})
    place.train(spec)
    kept = load_file(place.directory / "generated/generated.safetensors")
    assert kept["images"].shape == (10, 1, 32, 32)
    assert kept["images"].dtype == torch.uint8
    assert kept["labels"].tolist() == [0, 1] * 5


def test_evaluations_on_the_way_make_a_history_and_change_nothing(place: Workplace) -> None:
    sent: list[dict[str, Any]] = []

    class Client(ReportClient):
        def update(self, urgent: bool = False, **parts: Any) -> None:
            sent.append(parts)

    spec = place.spec("history", training__steps=10, evaluation__everySteps=4)
    config = load_config(None, {"SPARSEDM_CONFIG": json.dumps(spec)})
    manifest = train_module.train(config, Client(None, None), Console(io.StringIO()), StopSignal())
    history = [parts["progress"] for parts in sent if "progress" in parts][-2]["history"]
    assert [(e["step"], e["sparsity"]) for e in history] == [(4, "0.25"), (8, "0.5")]
    assert not any("best" in parts for parts in sent), "their patterns were 6:8 and 4:8"
    plain = place.train(place.spec("no-history", training__steps=10))
    assert plain["weights"]["sha256"] == manifest["weights"]["sha256"]


def test_the_best_of_the_evaluations_is_exported_and_measured_on_other_seeds(place: Workplace) -> None:
    """At this rate later weights are worse; what is evaluated before step 9 has a looser pattern."""
    changes = {
        "training__steps": 16,
        "training__learningRate": "0.05",
        "sparsity__schedule": {"rampPercent": 50},
        "evaluation__everySteps": 2,
    }
    last = place.train(place.spec("select-last", **changes))
    best = place.train(place.spec("select-best", **changes, evaluation__select="best"))
    output = place.directory / "select-best"
    checkpoint = max((output / "checkpoints").iterdir())
    state = json.loads((checkpoint / "state.json").read_text())
    step, distance = state["best"]
    candidates = [(float(e["distance"]), e["step"]) for e in state["history"] if e["step"] > 8]
    assert [s for _, s in candidates] == [10, 12, 14, 16]
    assert (round(distance, 2), step) == min(candidates)
    assert step < 16, "else this shows nothing"
    # Without `select: best` it is only told, of the same evaluations but the last step's.
    assert last["provenance"]["best"] == {"step": step, "distance": decimal(distance, 2)}
    weights = load_file(max((place.directory / "select-last/checkpoints").iterdir()) / "tensors.safetensors")
    assert not any(name.startswith("best/") for name in weights)
    tensors, exported = load_file(checkpoint / "tensors.safetensors"), load_file(output / "model.safetensors")
    assert all(torch.equal(tensors[f"best/{name}"], weight) for name, weight in exported.items())
    assert best["weights"]["sha256"] != last["weights"]["sha256"]
    assert best["fid"]["weights"] == f"EMA, decay 0.99, of step {step}, the best on other seeds"
    plan = Plan(samples=6, steps=2, guidance=0.5, sampler="dpm-solver++", seed=0)
    assert not set(plan.seeds()) & set(plan.seeds(choosing=True))


def test_reports_of_a_run_carry_what_the_status_holds(place: Workplace) -> None:
    sent: list[dict[str, Any]] = []

    class Client(ReportClient):
        def update(self, urgent: bool = False, **parts: Any) -> None:
            sent.append(parts)

    config = load_config(None, {"SPARSEDM_CONFIG": json.dumps(place.spec("reports"))})
    train_module.train(config, Client(None, None), Console(io.StringIO()), StopSignal())
    progress = [parts["progress"] for parts in sent if "progress" in parts]
    assert progress[0]["phase"] == "loading"
    percents = [p["percent"] for p in progress]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    first, second = (next(p for p in progress if p["step"] == step) for step in (1, 2))
    assert not {"eta", "samplesPerSecond"} & first.keys(), "a first step says nothing of the speed"
    assert {"eta", "samplesPerSecond"} <= second.keys()
    assert (first["imagesProcessed"], second["imagesProcessed"]) == (8, 16)
    checkpoints = [parts["checkpoint"] for parts in sent if "checkpoint" in parts]
    assert [c["step"] for c in checkpoints] == [5, 10, 15, 20]
    assert checkpoints[-1]["uri"].endswith("/reports/checkpoints/step-00000020")
    assert re.fullmatch("sha256:[0-9a-f]{64}", checkpoints[-1]["maskDigest"])
    achieved = [parts["sparsity"]["achieved"] for parts in sent if "sparsity" in parts]
    assert achieved == ["0", "0.125", "0.25", "0.375", "0.5", "0.5", "0.5"]
    training = next(p for p in progress if p["phase"] == "training" and p["step"] == 7)
    assert (training["stage"], training["stages"], training["stagePattern"]) == (2, 5, "6:8")
    assert float(training["loss"]) > 0
    flips = {p["step"]: p["maskFlips"] for p in progress if p["phase"] == "training" and "maskFlips" in p}
    assert any(flips[step] > 0 for step in range(2, 18))
    assert {flips[step] for step in (1, 5, 9, 13, 17, 19, 20)} == {0}, "stages begin, and the mask is frozen"


def test_two_runs_of_one_configuration_give_equal_weights_and_figures(place: Workplace) -> None:
    one, two = (place.train(place.spec(name, training__steps=6)) for name in ("one", "two"))
    assert one["weights"]["sha256"] == two["weights"]["sha256"]
    assert one["maskDigest"] == two["maskDigest"]
    assert one["fid"] == two["fid"]


@pytest.mark.parametrize("mirrors", [False, True])
def test_images_of_a_folder_are_mirrored_where_the_spec_says_so(place: Workplace, mirrors: bool) -> None:
    """Class "left" is bright on the left; mirrored it is bright on the right."""
    spec = place.spec(f"mirrored-{mirrors}", training__steps=1, training__warmupSteps=0)
    if mirrors:
        spec["dataset"]["horizontalFlip"] = True
    console = Console(io.StringIO())
    run = train_module.Finetune(
        parse_config(spec), place.directory / f"mirrored-{mirrors}", ReportClient(None, None), console,
        StopSignal(),
    )  # fmt: skip
    images, labels = run.dataset.training_batch(run.order, 0, 44)
    brighter = images[..., :16].mean(dim=(1, 2, 3)) > images[..., 16:].mean(dim=(1, 2, 3))
    as_stored = int((brighter == (labels == 0)).sum())
    assert (as_stored < 44) == mirrors
    assert as_stored == 44 - mirrors * int(run.order.flips(0, 44).sum())


# --- how a run may end -----------------------------------------------------------------------------------


def test_a_wrong_configuration_ends_with_2(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    spec = place.spec("wrong", training__steps=0, training__colour="red")
    code, told = place.command(spec, monkeypatch)
    assert code == 2
    assert told["error"]["reason"] == "ConfigurationInvalid"
    assert capsys.readouterr().err.count("error: training.") == 2


def test_a_glob_that_matches_nothing_ends_with_2(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = place.spec("glob", sparsity__layers={"include": ["*.attn.qkv", "*.fc9"]})
    code, told = place.command(spec, monkeypatch)
    assert code == 2
    assert '"*.fc9", which matches no layer' in told["error"]["message"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model__pretrained": {"uri": "file:///none.safetensors"}}, "PretrainedNotFound"),
        ({"model__config__depth": 5}, "PretrainedMismatch"),
        ({"dataset__uri": "file:///none"}, "DatasetNotFound"),
        ({"evaluation__extractorUri": "file:///none.safetensors"}, "ExtractorNotFound"),
        ({"output__uri": "file:///proc/none"}, "OutputNotWritable"),
    ],
)
def test_a_wrong_input_ends_with_3(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], reason: str
) -> None:
    code, told = place.command(place.spec(f"input-{reason}", **changes), monkeypatch)
    assert (code, told["error"]["reason"]) == (3, reason)


def as_somebody(function: Callable[..., str]) -> Callable[..., str]:
    """Runs the function as a user without root's privileges, to whom permissions apply."""

    def stepped_down(*arguments: Any) -> str:
        own = os.geteuid()
        if own == 0:
            os.seteuid(65534)
        try:
            return function(*arguments)
        finally:
            os.seteuid(own)

    return stepped_down


def test_who_may_not_read_the_weights_is_told(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A pod runs as another user than the one who saved them, whose library made them the owner's alone."""
    file = tmp_path / "own.safetensors"
    save_file(load_file(place.weights), file)
    file.chmod(0)
    spec = place.spec("denied", model__pretrained={"uri": f"file://{file}"})
    with monkeypatch.context() as patch:
        patch.setattr("sparsedm.models.weights.file_sha256", as_somebody(file_sha256))
        code, told = place.command(spec, monkeypatch)
    assert (code, told["error"]["reason"]) == (3, "PermissionDenied")
    assert told["error"]["message"].startswith(f"{file} may not be opened by user ")


def test_a_full_volume_ends_with_1_for_a_retry(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """/dev/full answers each write as a volume without room does."""
    output, save = place.directory / "full", artifact.save_weights

    def onto_a_full_volume(directory: Path, weights: Any, staging: Path | None, *how: Any) -> dict[str, Any]:
        ((staging or directory) / ".tmp-model.safetensors").symlink_to("/dev/full")
        return save(directory, weights, staging, *how)

    with monkeypatch.context() as patch:
        patch.setattr(artifact, "save_weights", onto_a_full_volume)
        code, told = place.command(place.spec("full", training__steps=5), monkeypatch)
    assert (code, told["error"]["reason"]) == (1, "VolumeFull")
    assert not (output / "manifest.json").exists()
    again, told = place.command(place.spec("full", training__steps=5), monkeypatch)
    assert (again, "error" in told) == (0, False)


@pytest.mark.parametrize(
    ("error", "explained"),
    [
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (SafetensorError("Error while serializing: I/O error: No space left (os error 28)"), True),
        (OSError(errno.EIO, "Input/output error"), False),
        (SafetensorError("Error while deserializing header: header too large"), False),
    ],
)
def test_a_full_volume_is_known_from_other_faults(error: Exception, explained: bool) -> None:
    with pytest.raises(SparseDMError if explained else type(error)), storage_explained():
        raise error


def test_an_extractor_of_other_images_ends_with_3_before_the_training(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = place.directory / "colour.safetensors"
    metadata = {"name": "colour-cnn", "channels": "3", "classes": "2"}
    save_file(Classifier(3, 2).state_dict(), file, metadata=metadata)
    spec = place.spec("colour", evaluation__extractorUri=f"file://{file}")
    code, told = place.command(spec, monkeypatch)
    assert (code, told["error"]["reason"]) == (3, "ExtractorMismatch")
    assert "of 32x32 and 1 channels" in told["error"]["message"]
    assert not (place.directory / "colour/checkpoints").exists()


def test_another_digest_of_the_weights_ends_with_3(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = place.spec("digest")
    spec["model"]["pretrained"]["sha256"] = "0" * 64
    code, told = place.command(spec, monkeypatch)
    assert (code, told["error"]["reason"]) == (3, "PretrainedDigestMismatch")


def test_weights_that_are_not_finite_end_with_3(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = load_file(place.weights)
    weights["norm.weight"][0] = float("nan")
    file = place.directory / "nan.safetensors"
    save_file(weights, file)
    spec = place.spec("nan-weights")
    spec["model"]["pretrained"]["uri"] = f"file://{file}"
    code, told = place.command(spec, monkeypatch)
    assert (code, told["error"]["reason"]) == (3, "PretrainedNotFinite")
    assert "norm.weight" in told["error"]["message"]


def test_data_with_more_classes_than_the_model_end_with_3(place: Workplace) -> None:
    (place.directory / "three").mkdir(exist_ok=True)
    for i, name in enumerate(("a", "b", "c")):
        (place.directory / "three" / name).mkdir(exist_ok=True)
        Image.new("L", (32, 32), 60 * i).save(place.directory / "three" / name / "x.png")
    with pytest.raises(InputError, match=r"2 classes and the data set 3 \(a, b, c\)"):
        place.train(place.spec("three-out", dataset__uri=f"file://{place.directory / 'three'}"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to be found")
def test_a_run_that_asks_for_a_gpu_ends_where_there_is_none(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARSEDM_GPUS", "1")
    code, told = place.command(place.spec("no-gpu"), monkeypatch)
    assert (code in (1, 3), told["error"]["reason"]) == (True, "NoGPU")
    assert not (place.directory / "no-gpu").exists()


def test_an_output_of_another_configuration_ends_with_3(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.train(place.spec("taken", training__steps=2))
    code, told = place.command(place.spec("taken", training__steps=3), monkeypatch)
    assert (code, told["error"]["reason"]) == (3, "OutputInUse")
    assert "already used by run local/run with another configuration" in told["error"]["message"]


def test_an_unfinished_output_of_the_same_experiment_is_carried_on_under_another_name(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = place.spec("shared", training__steps=2)
    place.train(spec)
    (place.directory / "shared/manifest.json").unlink()
    monkeypatch.setenv("SPARSEDM_RUN", "other/run")
    code, told = place.command(spec, monkeypatch)
    assert (code, told["attempt"]) == (0, {"resumedFromStep": 2})
    assert json.loads((place.directory / "shared/run.json").read_text())["run"] == "other/run"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_with_4_and_the_step(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    calls = 0
    whole = Objective.__call__

    def failing(self: Objective, batch: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return whole(self, batch) * (value if calls == 4 else 1.0)

    monkeypatch.setattr(Objective, "__call__", failing)
    code, told = place.command(place.spec(f"diverged-{value}"), monkeypatch)
    assert (code, told["error"]["reason"]) == (4, "Diverged")
    assert "The loss is not finite at step 3" in told["error"]["message"]


def test_a_batch_that_is_no_number_ends_with_the_step(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_module.noisy_batch

    def spoiled(x0: torch.Tensor, *rest: Any, **share: int) -> Any:
        batch = whole(x0, *rest, **share)
        batch.x_t[0, 0, 0, 0] = float("nan")
        return batch

    monkeypatch.setattr(train_module, "noisy_batch", spoiled)
    monkeypatch.setattr(Objective, "check_start", lambda self, batch, dense: None)
    with pytest.raises(Diverged, match="The loss is not finite at step 0"):
        place.train(place.spec("nan-batch"))


def test_a_gradient_that_no_scale_makes_finite_ends_with_the_step(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Objective.__call__

    def steep(self: Objective, batch: Any) -> torch.Tensor:
        loss = whole(self, batch)
        loss.register_hook(lambda gradient: gradient * float("inf"))
        return loss

    monkeypatch.setattr(Objective, "__call__", steep)
    for precision in ("fp32", "fp16"):
        with pytest.raises(Diverged, match="The gradient is not finite at step 0"):
            place.train(place.spec(f"steep-{precision}", training__precision=precision))


def test_sigterm_saves_a_checkpoint_and_ends_with_143(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    whole = Objective.__call__

    def interrupted(self: Objective, batch: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 8:
            signal.raise_signal(signal.SIGTERM)
        return whole(self, batch)

    monkeypatch.setattr(Objective, "__call__", interrupted)
    spec = place.spec("terminated")
    code, told = place.command(spec, monkeypatch)
    assert (code, told["error"]["reason"], told["checkpoint"]["step"]) == (143, "Interrupted", 8)
    assert (place.directory / "terminated/checkpoints/step-00000008").is_dir()
    monkeypatch.undo()
    code, told = place.command(spec, monkeypatch)
    assert (code, told["attempt"]) == (0, {"resumedFromStep": 8})
    assert told["progress"]["imagesProcessed"] == 20 * 8


def test_sigterm_during_the_evaluation_and_no_step_is_repeated(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = place.spec("evaluating", training__steps=4)
    monkeypatch.setattr(
        train_module.Finetune, "_provenance", lambda self: signal.raise_signal(signal.SIGTERM) or {}
    )
    measured = train_module.Finetune._measure

    def interrupted(self: Any, weights: Any, keep: int = 0) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return measured(self, weights, keep)

    monkeypatch.setattr(train_module.Finetune, "_measure", interrupted)
    code, told = place.command(spec, monkeypatch)
    assert (code, told["progress"]["phase"]) == (143, "evaluating")
    monkeypatch.undo()

    def forbidden(self: Objective, batch: Any) -> torch.Tensor:
        raise AssertionError("a finished training is not repeated")

    monkeypatch.setattr(Objective, "__call__", forbidden)
    code, told = place.command(spec, monkeypatch)
    assert (code, told["attempt"]) == (0, {"resumedFromStep": 4})


def test_the_student_must_start_as_the_dense_model(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    real = learner_module.MaskedLayers

    def forgetful(student: torch.nn.Module, *rest: Any) -> Any:
        torch.nn.init.normal_(student.decoder_pred.weight)
        return real(student, *rest)

    monkeypatch.setattr(learner_module, "MaskedLayers", forgetful)
    with pytest.raises(RuntimeError, match="pre-trained weights did not get into the student"):
        place.train(place.spec("forgetful"))


def test_an_unexpected_error_is_told_too(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "claim_output", lambda config: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        place.command(place.spec("unexpected"), monkeypatch)
    told = json.loads((place.directory / "termination.json").read_text())
    assert told["error"]["reason"] == "Unexpected"
