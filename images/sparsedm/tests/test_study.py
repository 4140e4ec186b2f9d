"""The study: its rows, what is left to do, its CSV, and real runs on a few generated images."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from sparsedm.cli import main
from sparsedm.data import open_dataset
from sparsedm.errors import ConfigError, InputError
from sparsedm.measure.extractor import Classifier
from sparsedm.measure.frechet import FrechetStats
from sparsedm.measure.macs import bare_model, count_macs
from sparsedm.models import CLASSES, PRESETS, WEIGHTS_DIR, build_model, load_weights
from sparsedm.runtime.device import device_name
from sparsedm.runtime.stop import StopSignal
from sparsedm.sparsity.layers import select_layers
from sparsedm.sparsity.pattern import Pattern
from sparsedm.study import one_run
from sparsedm.study.cli import check_settings, choose_rows, locked, runs_to_do
from sparsedm.study.experiments import EXPERIMENTS, Experiment, Run
from sparsedm.study.one_run import evaluator_of, perform
from sparsedm.study.results import COLUMNS, CSV_FILE, Result, read_results, write_results
from sparsedm.study.rows import (
    BUDGETS,
    BY_NAME,
    DENSE_STEPS,
    EQUAL_WIDTHS,
    HALF_WIDTH,
    PATTERNS,
    PRESET,
    ROWS,
)
from sparsedm.study.settings import Settings
from sparsedm.study.subjects import EMOJI, FASHION_MNIST, Subject
from sparsedm.training.config import TrainConfig, parse_config
from sparsedm.training.plan import schedule_of

RESULT = Result(
    row="sparsedm-fixed", method="sparsedm", pattern="2:4", schedule="fixed", family="", ramp="",
    freezing="80", mask="magnitude", distillation=10.0, seed=0, steps=300, frechet=12.5,
    extractor="fashion-mnist-cnn", macs_linear=34869248, macs_total=40444928, samples=500,
    evaluation_seed=1000, seconds=99.5, threads=2, device="a, fast one", torch="2.15.0",
    finished="2026-01-01T00:00:00Z",
)  # fmt: skip


def result(row: str, seed: int = 0, **change: object) -> Result:
    return dataclasses.replace(RESULT, row=row, seed=seed, **change)


def config(row: str) -> TrainConfig:
    """As `sparsedm train` reads the row."""
    return parse_config(
        {
            "model": {"preset": PRESET, "pretrained": {"uri": "file:///dense.safetensors"}},
            "dataset": {"format": "fashion-mnist", "uri": "file:///data"},
            "sparsity": BY_NAME[row].sparsity(),
            "output": {"uri": "file:///out"},
        }
    )


# --- rows ---


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("what does training alone do", ["dense", "dense-trained-on"]),
        ("what does masking alone do", ["masked-dense", "random-mask"]),
        ("is half a model as good", ["half-scratch", "half-distilled", "diff-pruning", "half-long"]),
        ("how do other methods do", ["asp", "ste-fixed", "sr-ste-fixed", "s-ste-fixed", "cast-fixed"]),
        ("is progressive better than fixed", ["sparsedm-fixed", "sparsedm-progressive"]),
        ("without distillation", ["sr-ste-fixed", "sr-ste-progressive"]),
        ("without freezing", ["sparsedm-fixed-moving", "sparsedm-progressive-moving"]),
        ("without either", ["sr-ste-fixed-moving", "sr-ste-progressive-moving"]),
        ("the paper's two lists", ["sparsedm-equal-linear", "sparsedm-equal-doubling", "sparsedm-doubling"]),
    ],
)
def test_each_question_has_its_rows(question: str, names: list[str]) -> None:
    assert [name for name in names if name not in BY_NAME] == []


@pytest.mark.parametrize("schedule", ["fixed", "progressive"])
def test_every_pattern_is_trained_with_both_schedules(schedule: str) -> None:
    found = {
        row.pattern
        for row in ROWS
        if (row.method, row.schedule, row.freezing, row.distillation) == ("sparsedm", schedule, 80, 10.0)
        and row.mask == "magnitude"
    }
    assert found == set(PATTERNS) == {"1:4", "2:4", "3:4", "2:8", "4:8", "1:2"}


@pytest.mark.parametrize("row", [r.name for r in BY_NAME.values() if r.kind == "train"])
def test_a_row_trains_what_its_columns_say(row: str) -> None:
    wanted, made = BY_NAME[row], config(row)
    sparsity, schedule = made.sparsity, schedule_of(made)
    assert sparsity.method == wanted.method
    if wanted.method != "masked-dense":
        assert made.distillation_weight == wanted.distillation
    if wanted.pattern:
        assert str(sparsity.pattern) == str(schedule.stages[-1].pattern) == wanted.pattern
        assert sparsity.schedule.type == wanted.schedule
        assert sparsity.mask_type == wanted.mask
        assert sparsity.distillation_weight == wanted.distillation
        assert schedule.freeze_from == max(300 - 3 * (wanted.freezing or 0), schedule.stages[-1].start)
    if wanted.schedule == "progressive":
        rise = wanted.ramp or 80
        assert (sparsity.schedule.family, sparsity.schedule.ramp_percent) == (wanted.family, rise)
        assert len(schedule.stages) > 2


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=lambda one: one.name)
def test_no_two_rows_are_the_same_run(experiment: Experiment) -> None:
    settings = {dataclasses.replace(row, name="", group="") for row in experiment.rows}
    assert len(settings) == len(experiment.rows)


def test_names_of_rows_and_files_belong_to_one_experiment() -> None:
    assert len(BY_NAME) == sum(len(one.rows) for one in EXPERIMENTS.values())
    assert len({one.stem for one in EXPERIMENTS.values()}) == len(EXPERIMENTS)


@pytest.mark.parametrize("subject", [FASHION_MNIST, EMOJI], ids=lambda one: one.preset)
def test_half_size_is_the_width_whose_macs_are_closest_to_those_of_2_of_4(subject: Subject) -> None:
    dense, pattern = PRESETS[subject.preset], Pattern(2, 4)
    assert dense.width == subject.width
    want = count_macs(dense, select_layers(bare_model(dense), pattern).selected, pattern).sparse
    widths = range(dense.heads, dense.width + 1, dense.heads)
    off = {w: abs(count_macs(dataclasses.replace(dense, width=w)).dense - want) for w in widths}
    assert min(off, key=off.__getitem__) == subject.half_width


@pytest.mark.parametrize(("pattern", "width"), EQUAL_WIDTHS.items())
def test_widths_of_the_frontier_come_closest_to_a_patterns_macs_with_attention(
    pattern: str, width: int
) -> None:
    dense, sparse = PRESETS[PRESET], Pattern.parse(pattern)
    want = count_macs(dense, select_layers(bare_model(dense), sparse).selected, sparse).total_sparse
    widths = range(dense.heads, dense.width + 1, dense.heads)
    off = {w: abs(count_macs(dataclasses.replace(dense, width=w)).total_dense - want) for w in widths}
    assert min(off, key=off.__getitem__) == width


def test_the_dense_models_steps_are_those_of_its_manifest() -> None:
    manifest = json.loads((WEIGHTS_DIR / f"{PRESET}.json").read_text())
    assert manifest["training"]["steps"] == DENSE_STEPS


# --- what is left to do ---


def test_the_first_seed_of_every_row_comes_first() -> None:
    rows = [BY_NAME["dense"], BY_NAME["asp"]]
    want = [("dense", 0), ("asp", 0), ("dense", 1), ("asp", 1)]
    assert [run.key for run in runs_to_do(rows, (0, 1), [])] == want


def test_runs_under_a_teacher_begin_with_what_decides() -> None:
    """Weights 10 and 0 with a few seeds, then more of them; weight 0.1, and what takes long, at the end."""
    teacher = EXPERIMENTS["teacher"]
    keys = [run.key for run in runs_to_do(teacher.rows, teacher.seeds, [])]
    assert len(keys) == 24 * 8
    assert keys[:3] == [("asp-alpha-10", 0), ("sr-ste-alpha-10", 0), ("ste-alpha-10", 0)]
    assert keys[3:6] == [("asp-alpha-0", 0), ("sr-ste-alpha-0", 0), ("ste-alpha-0", 0)]
    assert {seed for _, seed in keys[: 2 * 14]} == {0, 1}
    weights = [BY_NAME[row].distillation for row, _ in keys]
    assert 0.1 not in weights[: 14 * 8]
    assert all(BY_NAME[row].kind == "scratch" for row, _ in keys[21 * 8 :])


def test_every_budget_has_the_same_rows() -> None:
    rows = EXPERIMENTS["budget"].rows
    by_steps = {steps: [row for row in rows if row.budget(300) == steps] for steps in BUDGETS}
    plain = {
        steps: [dataclasses.replace(row, name="", steps=None, phase=0) for row in found]
        for steps, found in by_steps.items()
    }
    assert all(found == plain[300] for found in plain.values())
    assert len(plain[300]) == 5


def test_every_method_has_the_same_trials_of_the_learning_rate() -> None:
    experiment = EXPERIMENTS["learning-rate"]
    trials: dict[str, set[str]] = {}
    for row in experiment.rows:
        trials.setdefault(row.method, set()).add(row.learning_rate)
    assert set(trials) == {"asp", "ste", "sr-ste", "s-ste", "cast", "dense", "diff-pruning"}
    assert set(map(frozenset, trials.values())) == {frozenset({"0.0002", "0.001", "0.005"})}
    assert {row.distillation for row in experiment.rows} == {10.0}
    reported = {seed for one in EXPERIMENTS.values() if one is not experiment for seed in one.seeds}
    assert reported.isdisjoint(experiment.seeds)


def test_the_headline_is_of_six_rows_and_the_test_images() -> None:
    experiment = EXPERIMENTS["headline"]
    assert experiment.samples == 5000
    assert [row.held_out for row in experiment.rows] == [True] * 6
    assert not any(row.held_out for one in EXPERIMENTS.values() if one is not experiment for row in one.rows)


def test_an_experiment_has_its_own_number_of_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_results(tmp_path / "fashion-mnist-headline.csv", [result("headline-asp", samples=5000)])
    command = ["study", "--experiment", "headline", "--data", str(tmp_path), "--out", str(tmp_path)]
    assert main([*command, "--dry-run"]) == 0
    assert "17 runs are missing; 1 are in" in capsys.readouterr().out
    assert main([*command, "--dry-run", "--samples", "500"]) == 3
    assert (
        "has 300 steps and 5000 samples (headline-asp), and this command 300 and 500"
        in capsys.readouterr().err
    )


def test_a_row_with_a_budget_of_its_own_is_checked_against_it() -> None:
    check_settings([result("asp-1000", steps=1000)], 300, 500)
    with pytest.raises(InputError, match=r"has 300 steps and 500 samples .* this command 1000 and 500"):
        check_settings([result("asp-1000", steps=300)], 300, 500)


def test_a_finished_run_is_never_repeated() -> None:
    rows = [BY_NAME["dense"], BY_NAME["asp"]]
    assert runs_to_do(rows, (0, 1), [result("dense", 1), result("asp", 0)]) == [
        Run(BY_NAME["dense"], 0),
        Run(BY_NAME["asp"], 1),
    ]


@pytest.mark.parametrize(
    ("globs", "want"),
    [
        ("asp", ["asp"]),
        ("half-*,dense", ["dense", "half-scratch", "half-distilled", "half-long"]),
        ("long", ["half-long"]),
        ("bars,methods,schedules,patterns,long", [row.name for row in ROWS]),
    ],
)
def test_rows_are_chosen_by_name_or_group(globs: str, want: list[str]) -> None:
    assert [row.name for row in choose_rows(globs)] == want


def test_a_glob_that_matches_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="--only spasre matches no row"):
        choose_rows("asp, spasre")


@pytest.mark.parametrize(
    "other",
    [
        result("asp", steps=200),
        result("dense", steps=0, samples=100),
        result("half-long", steps=300),
    ],
)
def test_runs_of_another_budget_are_not_mixed_in(other: Result) -> None:
    with pytest.raises(InputError, match="choose another --out folder"):
        check_settings([RESULT, other], 300, 500)


def test_rows_with_a_budget_of_their_own_fit() -> None:
    check_settings([RESULT, result("dense", steps=0), result("half-long", steps=300 + DENSE_STEPS)], 300, 500)


# --- the CSV ---


def test_the_csv_has_a_column_for_all_that_a_distance_depends_on(tmp_path: Path) -> None:
    write_results(tmp_path / CSV_FILE, [RESULT])
    header = (tmp_path / CSV_FILE).read_text().splitlines()[0].split(",")
    want = "method pattern schedule distillation seed steps frechet extractor macs_linear macs_total seconds"
    assert [name for name in want.split() if name not in header] == []
    assert tuple(header) == COLUMNS


def test_the_csv_gives_back_what_was_written(tmp_path: Path) -> None:
    results = [RESULT, result("dense", 2, pattern="", distillation=0.0, freezing="")]
    write_results(tmp_path / CSV_FILE, results)
    assert read_results(tmp_path / CSV_FILE) == results


def test_no_csv_is_no_run(tmp_path: Path) -> None:
    assert read_results(tmp_path / CSV_FILE) == []


@pytest.mark.parametrize(
    ("change", "want"),
    [
        (lambda text: text.replace("frechet", "distance"), "other columns"),
        (lambda text: text.replace("12.5", "good"), "line 2 is not a run"),
        (lambda text: text.rsplit(",", 3)[0], "line 2 is not a run"),
    ],
    ids=["renamed column", "word for a number", "cut off"],
)
def test_a_csv_that_is_not_the_studys_is_refused(
    change: Callable[[str], str], want: str, tmp_path: Path
) -> None:
    path = tmp_path / CSV_FILE
    write_results(path, [RESULT])
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=want):
        read_results(path)


# --- real runs ---

LOADED_MACHINE_SECONDS = 600
"""Bound of a wait that takes seconds on an idle machine."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fashion-MNIST's files with 80 images of noise, and with 80 darker ones to test with."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for split, brightest in (("train", 256), ("t10k", 128)):
        images = random.integers(0, brightest, (80, 28, 28), dtype=np.uint8)
        labels = np.arange(80, dtype=np.uint8) % 10
        for name, values in (("images-idx3", images), ("labels-idx1", labels)):
            head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
            (folder / f"{split}-{name}-ubyte").write_bytes(head + values.tobytes())
    return folder


def arguments(data: Path, out: Path, only: str, steps: int = 2) -> list[str]:
    where = ["--data", str(data), "--out", str(out), "--only", only]
    return ["study", *where, "--seeds", "0", "--steps", str(steps), "--samples", "10"]


def test_finished_runs_are_kept_and_a_failed_one_is_repeated(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    claimed = tmp_path / "runs" / "sparsedm-progressive-seed0" / "model" / "run.json"
    claimed.parent.mkdir(parents=True)
    claimed.write_text('{"run": "another", "configDigest": "sha256:0"}')
    command = [*arguments(data, tmp_path, "dense,sparsedm-progressive"), "--jobs", "2"]

    assert main(command) == 1
    assert "sparsedm-progressive, seed 0 failed with exit code 3" in capsys.readouterr().out
    first = read_results(tmp_path / CSV_FILE)
    assert [one.key for one in first] == [("dense", 0)]

    claimed.unlink()
    assert main([*command, "--dry-run"]) == 0
    assert "sparsedm-progressive, seed 0\n1 runs are missing; 1 are in" in capsys.readouterr().out
    assert main(command) == 0
    dense, sparse = read_results(tmp_path / CSV_FILE)
    assert [dense] == first
    assert (dense.steps, sparse.steps, sparse.pattern, sparse.evaluation_seed) == (0, 2, "2:4", 1000)
    assert (dense.macs_linear, sparse.macs_linear) == (69472256, 34869248)
    assert sparse.frechet > 0
    assert sparse.frechet != dense.frechet

    before = (tmp_path / CSV_FILE).read_bytes()
    assert main(command) == 0
    assert (tmp_path / CSV_FILE).read_bytes() == before


def test_rows_that_train_nothing_mask_weights_or_activations_and_are_measured(
    data: Path, tmp_path: Path
) -> None:
    settings = Settings(data, tmp_path, steps=30, samples=10)
    evaluator_of(PRESETS[PRESET], 0, settings)
    with StopSignal() as stop:
        found = [
            perform(BY_NAME[name], 0, settings, stop)
            for name in ("masked-dense", "one-shot-wanda-2-4", "one-shot-activation-2-4")
        ]
    assert {(one.steps, one.pattern, one.macs_linear) for one in found} == {(0, "2:4", 34869248)}
    assert len({one.frechet for one in found}) == 3


def test_a_headline_row_is_measured_against_the_test_images(data: Path, tmp_path: Path) -> None:
    settings = Settings(data, tmp_path, steps=30, samples=10)
    with StopSignal() as stop:
        seen = perform(BY_NAME["dense"], 0, settings, stop)
        found = perform(BY_NAME["headline-dense"], 0, settings, stop)
    evaluator = evaluator_of(PRESETS[PRESET], 0, settings, held_out=True)
    assert evaluator.reference is not None
    test_images = open_dataset("fashion-mnist", data, 32, 1, "test")
    wanted = FrechetStats()
    wanted.update(evaluator.extractor(test_images.batch(np.arange(80))[0]))
    np.testing.assert_allclose(evaluator.reference.stats.mean, wanted.mean)
    dense = build_model(PRESETS[PRESET])
    load_weights(dense, WEIGHTS_DIR / f"{PRESET}.safetensors")
    assert found.frechet == round(evaluator.measure(dense, lambda passes: None).distance, 4)
    assert found.frechet != seen.frechet


def test_the_rows_in_colour_have_their_own_data_model_and_extractor(tmp_path: Path) -> None:
    data, random = tmp_path / "images", np.random.default_rng(0)
    for place in (data / "train" / name for name in CLASSES[EMOJI.preset]):
        place.mkdir(parents=True)
        for name in "ab":
            pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / f"{name}.png")
    settings = Settings(data, tmp_path / "study", steps=2, samples=10, weights=tmp_path)
    save_file(build_model(PRESETS[EMOJI.preset]).state_dict(), settings.dense(EMOJI))
    about = {"name": "emoji-cnn", "channels": "3", "classes": "24"}
    save_file(Classifier(3, 24).state_dict(), settings.extractor(EMOJI), metadata=about)
    settings.out.mkdir()
    evaluator_of(PRESETS[EMOJI.preset], 0, settings, subject=EMOJI)  # leaves the reference
    with StopSignal() as stop:
        dense, sparse = (
            perform(BY_NAME[name], 0, settings, stop) for name in ("emoji-dense", "emoji-sparsedm-fixed")
        )
    assert (dense.extractor, dense.macs_linear, sparse.macs_linear) == ("emoji-cnn", 220_170_240, 110_684_160)
    assert sparse.frechet != dense.frechet
    manifest = json.loads((settings.folder(BY_NAME[sparse.row], 0) / "model/manifest.json").read_text())
    assert (manifest["fid"]["metric"], manifest["classes"]) == ("fd-emoji-cnn", CLASSES[EMOJI.preset])


def test_a_row_of_the_rates_trains_with_its_own(data: Path, tmp_path: Path) -> None:
    row, settings = BY_NAME["ste-rate-0.005"], Settings(data, tmp_path, steps=2, samples=10)
    evaluator_of(PRESETS[PRESET], 20, settings)  # leaves the reference
    with StopSignal() as stop:
        perform(row, 20, settings, stop)
    manifest = json.loads((settings.folder(row, 20) / "model/manifest.json").read_text())
    training = manifest["provenance"]["configuration"]["training"]
    assert (training["learningRate"], training["seed"]) == ("0.005", 20)


@pytest.mark.parametrize("name", ["half-scratch", "half-distilled"])
def test_a_half_size_row_is_trained_from_random_weights(data: Path, tmp_path: Path, name: str) -> None:
    row, settings = BY_NAME[name], Settings(data, tmp_path, steps=2, samples=10)
    evaluator_of(PRESETS[PRESET], 0, settings)  # leaves the reference
    with StopSignal() as stop:
        found = perform(row, 0, settings, stop)
    assert (found.steps, found.pattern, found.distillation) == (2, "", row.distillation)
    assert found.macs_linear == count_macs(dataclasses.replace(PRESETS[PRESET], width=HALF_WIDTH)).dense
    manifest = json.loads((settings.folder(row, 0) / "model/manifest.json").read_text())
    given, provenance = manifest["provenance"]["configuration"], manifest["provenance"]
    assert (manifest["config"]["width"], provenance["initialization"]) == (HALF_WIDTH, "random")
    assert given["training"] == {
        "batchSize": 64, "seed": 0, "steps": 2, "learningRate": "0.001", "learningRateSchedule": "cosine",
        "warmupSteps": 1, "emaDecay": "0.9995",
    }  # fmt: skip
    assert ("teacher" in given["model"]) == (name == "half-distilled")


def assert_taught_by_the_original(settings: Settings, row: str) -> None:
    manifest = json.loads((settings.folder(BY_NAME[row], 0) / "model/manifest.json").read_text())
    assert manifest["provenance"]["distillationWeight"] == "10"
    assert manifest["provenance"]["teacher"].endswith(f"/{PRESET}.safetensors")


def test_the_rows_of_another_experiment_have_a_csv_of_their_own(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the original model as the teacher: nothing but the row's own settings differs from the first
    study."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    assert main([*arguments(data, tmp_path, "asp-alpha-10"), "--experiment", "teacher"]) == 0
    assert f"{tmp_path / 'fashion-mnist-teacher.md'}" in capsys.readouterr().out
    assert not (tmp_path / CSV_FILE).exists()
    (found,) = read_results(tmp_path / "fashion-mnist-teacher.csv")
    assert (found.row, found.distillation) == ("asp-alpha-10", 10.0)
    assert_taught_by_the_original(Settings(data, tmp_path, steps=2, samples=10), "asp-alpha-10")
    assert "**191 of 192 runs are missing.**" in (tmp_path / "fashion-mnist-teacher.md").read_text()


@pytest.mark.parametrize(
    ("row", "macs_total"), [("dense-alpha-10", 75_047_936), ("diff-pruning-alpha-10", 39_819_776)]
)
def test_each_other_recipe_has_the_original_model_as_its_teacher(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, macs_total: int
) -> None:
    monkeypatch.setattr(one_run, "PRUNING_TIMESTEPS", 2)  # neither the size nor the teacher depends on it
    settings = Settings(data, tmp_path, steps=2, samples=10)
    evaluator_of(PRESETS[PRESET], 0, settings)  # leaves the reference
    with StopSignal() as stop:
        found = perform(BY_NAME[row], 0, settings, stop)
    assert (found.distillation, found.macs_total) == (10.0, macs_total)
    assert_taught_by_the_original(settings, row)


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + LOADED_MACHINE_SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.05)


def test_an_interrupted_run_goes_on_from_its_checkpoint(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sparsedm.cli", *arguments(data, tmp_path, "dense-trained-on", 100_000)]
    log = tmp_path / "runs" / "dense-trained-on-seed0" / "log.txt"

    def stopped_after(text: str) -> str:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        until(lambda: log.exists() and text in log.read_text(), process)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=LOADED_MACHINE_SECONDS)
        assert process.returncode == 143, errors
        return errors

    assert "the same command goes on with the others" in stopped_after("training step")
    with locked(tmp_path):  # no run was left behind
        assert list(log.parent.glob("model/checkpoints/step-*"))
    first = float((log.parent / "seconds.txt").read_text())
    stopped_after("Resumed from the checkpoint of step")
    assert float((log.parent / "seconds.txt").read_text()) > first > 0
    assert read_results(tmp_path / CSV_FILE) == []


def test_two_studies_in_one_folder_are_refused(data: Path, tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(InputError, match="Another study is running"), locked(tmp_path):
        pass


def test_the_list_needs_no_folders(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "--list", "--only", "random-mask"]) == 0
    line = capsys.readouterr().out.split(maxsplit=3)
    assert line[:3] == ["random-mask", "bars", "sparsedm"]
    assert line[3].strip() == "2:4, fixed, frozen 100 %, random mask, distillation 10"


def test_missing_folders_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "--dry-run"]) == 2
    assert "--data is required. --out is required." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("processor : 0\nmodel name\t: AMD EPYC\nprocessor : 1\nmodel name\t: AMD EPYC\n", "AMD EPYC"),
        ("processor : 0\n", platform.machine()),
    ],
)
def test_a_run_names_its_processor(text: str, want: str, tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(text)
    assert device_name(torch.device("cpu"), info) == want
    assert device_name(torch.device("cpu"), tmp_path / "absent") == platform.machine()
