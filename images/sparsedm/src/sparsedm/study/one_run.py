"""One run of the study in a process of its own: trains a row with one seed, measures it, leaves result.json.

    python -m sparsedm.study.one_run --row NAME --seed N --data DIR --out DIR --steps N --samples N \\
        --weights DIR

Training is done by the package's own commands (train, diff-prune); the former goes on from its last
checkpoint. Nothing is selected: the averaged weights after the last step are measured. The noise
of the measurement has another seed than the training, the same for all rows.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from sparsedm.artifact.artifact import load_artifact
from sparsedm.commands import diff_prune
from sparsedm.data import open_dataset
from sparsedm.errors import SparseDMError
from sparsedm.files import write_atomically
from sparsedm.measure.evaluator import Evaluator, Plan
from sparsedm.measure.macs import Macs, count_macs
from sparsedm.measure.reference import REFERENCE_FILE
from sparsedm.models import PRESETS, UViTConfig, build_model, config_of, load_weights
from sparsedm.runtime.device import device_name, limit_threads, pick_device
from sparsedm.runtime.progress import Console
from sparsedm.runtime.report_client import ReportClient
from sparsedm.runtime.stop import StopSignal
from sparsedm.sparsity.input_masks import mask_inputs
from sparsedm.sparsity.layers import select_layers
from sparsedm.sparsity.pattern import Pattern
from sparsedm.study.results import RESULT_FILE, Result
from sparsedm.study.rows import BY_NAME, Row
from sparsedm.study.settings import (
    BATCH_SIZE,
    EVALUATION_SEED,
    GUIDANCE,
    PRUNING_TIMESTEPS,
    SAMPLER,
    SAMPLER_STEPS,
    SCRATCH_EMA_DECAY,
    WARMUP_STEPS,
    Settings,
)
from sparsedm.study.subjects import FASHION_MNIST, Subject
from sparsedm.training.config import parse_config
from sparsedm.training.finetune import train

SECONDS_FILE = "seconds.txt"


@dataclass(frozen=True)
class Trained:
    """Result of a recipe: the model to measure, its MACs, and the steps it was trained for here."""

    model: nn.Module
    macs_linear: int
    macs_total: int
    steps: int

    @classmethod
    def dense(cls, model: nn.Module, macs: Macs, steps: int) -> Trained:
        return cls(model, macs.dense, macs.total_dense, steps)


def perform(row: Row, seed: int, settings: Settings, stop: StopSignal) -> Result:
    """Raises SparseDMError; a run that was stopped goes on when it is started again."""
    limit_threads()
    folder = settings.folder(row, seed)
    folder.mkdir(parents=True, exist_ok=True)
    with stopwatch(folder / SECONDS_FILE) as seconds:
        trained = RECIPES[row.kind](row, seed, settings, stop)
        evaluator = evaluator_of(config_of(trained.model), seed, settings, row.held_out, row.subject)
        measured = evaluator.measure(
            trained.model.to(evaluator.device),
            lambda passes: stop.check("the run is measured again by a retry."),
        )
    return Result(
        row=row.name,
        method=row.method,
        pattern=row.pattern,
        schedule=row.schedule,
        family=row.family,
        ramp=_percent(row.ramp),
        freezing=_percent(row.freezing),
        mask=row.mask,
        distillation=row.distillation,
        seed=seed,
        steps=trained.steps,
        frechet=round(measured.distance, 4),
        extractor=evaluator.extractor_name,
        macs_linear=trained.macs_linear,
        macs_total=trained.macs_total,
        samples=settings.samples,
        evaluation_seed=evaluator.plan.seed,
        seconds=round(seconds(), 1),
        threads=torch.get_num_threads(),
        device=device_name(evaluator.device),
        torch=torch.__version__,
        finished=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


@contextmanager
def stopwatch(file: Path) -> Iterator[Callable[[], float]]:
    """Gives the seconds that a run has taken, with those of its earlier attempts, which `file` keeps."""
    before, began = float(file.read_text()) if file.exists() else 0.0, time.monotonic()

    def seconds() -> float:
        return before + time.monotonic() - began

    try:
        yield seconds
    finally:
        write_atomically(file, f"{seconds():.1f}".encode())


def _percent(value: int | None) -> str:
    return "" if value is None else str(value)


def evaluator_of(
    config: UViTConfig, seed: int, settings: Settings, held_out: bool = False,
    subject: Subject = FASHION_MNIST,
) -> Evaluator:  # fmt: skip
    """Measures as all runs of this seed are measured, against the training images or the test images, whose
    statistics are kept in `out`."""
    plan = Plan(settings.samples, SAMPLER_STEPS, GUIDANCE, SAMPLER, EVALUATION_SEED + seed)
    evaluator = Evaluator(config, plan, settings.extractor(subject), pick_device())
    split = "test" if held_out else "train"
    images = subject.images(settings.data, split)
    data = open_dataset(subject.format, images, config.image_size, config.channels, split)
    evaluator.set_reference(data, settings.reference(subject, held_out))
    return evaluator


# --- recipes: (row, seed, settings, stop) -> Trained ---


def _measure(row: Row, seed: int, settings: Settings, stop: StopSignal) -> Trained:
    """The dense model as it is."""
    model = _dense(row, settings)
    return Trained.dense(model, count_macs(config_of(model)), 0)


def _dense(row: Row, settings: Settings) -> nn.Module:
    model = build_model(PRESETS[row.subject.preset])
    load_weights(model, settings.dense(row.subject))
    return model


def _original(row: Row, settings: Settings) -> dict[str, Any]:
    """`spec.model` of the dense model."""
    subject = row.subject
    return {"preset": subject.preset, "pretrained": {"uri": f"file://{settings.dense(subject)}"}}


def _train(row: Row, seed: int, settings: Settings, stop: StopSignal) -> Trained:
    return _finetuned(_original(row, settings), row, row.sparsity(), seed, settings, stop)


def _optimizer(row: Row, settings: Settings) -> dict[str, Any]:
    if row.method == "masked-dense":
        return {}
    optimizer = {
        "steps": row.budget(settings.steps),
        "learningRate": row.learning_rate,
        "learningRateSchedule": "cosine",
        "warmupSteps": min(WARMUP_STEPS, row.budget(settings.steps) // 2),
    }
    return optimizer | ({"emaDecay": SCRATCH_EMA_DECAY} if row.kind == "scratch" else {})


def _finetuned(
    model: dict[str, Any], row: Row, sparsity: dict[str, Any], seed: int, settings: Settings,
    stop: StopSignal,
) -> Trained:  # fmt: skip
    """Runs `sparsedm train` with as small an evaluation of its own as possible: the study's counts."""
    out, subject = settings.folder(row, seed) / "model", row.subject
    out.mkdir(exist_ok=True)
    if not (out / REFERENCE_FILE).exists():
        shutil.copyfile(settings.reference(subject), out / REFERENCE_FILE)
    spec = {
        "model": model,
        "dataset": {"format": subject.format, "uri": f"file://{subject.images(settings.data, 'train')}"},
        "sparsity": sparsity,
        "training": {"batchSize": BATCH_SIZE, "seed": seed} | _optimizer(row, settings),
        "evaluation": {
            "samples": 2,
            "steps": 1,
            "extractorUri": f"file://{settings.extractor(subject)}",
        },
        "output": {"uri": f"file://{out}"},
    }
    if row.method != "masked-dense":  # which trains nothing, and would refuse it
        spec["checkpoint"] = {"everySteps": min(100, row.budget(settings.steps)), "keep": 1}
    train(parse_config(spec), ReportClient(None, None), Console(), stop)
    made, manifest = load_artifact(out)
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    macs = manifest["macs"]
    return Trained(made, macs["sparse"], macs["totalSparse"], manifest["provenance"]["steps"])


def _scratch(row: Row, seed: int, settings: Settings, stop: StopSignal) -> Trained:
    """A smaller dense model from random weights, which follows the dense one where the row is distilled."""
    dense = PRESETS[row.subject.preset]
    smaller = dataclasses.replace(dense, width=row.width or dense.width)
    model: dict[str, Any] = {"config": diff_prune.spec_fields(smaller), "initialization": "random"}
    if row.distillation:
        model["teacher"] = _original(row, settings)
    return _finetuned(model, row, row.sparsity(), seed, settings, stop)


def _diff_pruning(row: Row, seed: int, settings: Settings, stop: StopSignal) -> Trained:
    """Heads and channels cut to the MACs of a pattern, then trained on as the dense model is, which is the
    teacher where the row has one."""
    folder = settings.folder(row, seed)
    weights = folder / "pruned.safetensors"
    if not weights.with_suffix(".json").exists():
        _command(
            diff_prune,
            {
                "preset": row.subject.preset, "weights": settings.dense(row.subject),
                "dataset": row.subject.format, "data": row.subject.images(settings.data, "train"),
                "out": weights, "timesteps": PRUNING_TIMESTEPS, "seed": seed,
                "pattern": row.matched,
            },
        )  # fmt: skip
    stop.check("the model is pruned, and a retry trains it on.")
    config = UViTConfig(**json.loads(weights.with_suffix(".json").read_text())["config"])
    model = {"config": diff_prune.spec_fields(config), "pretrained": {"uri": f"file://{weights}"}}
    if row.distillation:
        model["teacher"] = _original(row, settings)
    return _finetuned(model, row, row.sparsity(), seed, settings, stop)


def _command(module: ModuleType, options: dict[str, Any]) -> None:
    """Runs a command of the package in this process."""
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    module.run(
        parser.parse_args([text for name, value in options.items() for text in (f"--{name}", str(value))])
    )


def _activation(row: Row, seed: int, settings: Settings, stop: StopSignal) -> Trained:
    """The dense model, with the inputs of the layers that 2:4 masks of weights would have masked."""
    model, pattern = _dense(row, settings), Pattern.parse(row.pattern)
    names = select_layers(model, pattern).selected
    mask_inputs(model, names, pattern)
    macs = count_macs(config_of(model), names, pattern)
    return Trained(model, macs.sparse, macs.total_sparse, 0)


RECIPES: dict[str, Callable[[Row, int, Settings, StopSignal], Trained]] = {
    "measure": _measure,
    "train": _train,
    "scratch": _scratch,
    "diff-pruning": _diff_pruning,
    "activation": _activation,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", choices=sorted(BY_NAME), required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    args = parser.parse_args()
    row = BY_NAME[args.row]
    settings = Settings(args.data, args.out, args.steps, args.samples, args.weights)
    try:
        with StopSignal() as stop:
            result = perform(row, args.seed, settings, stop)
    except SparseDMError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return error.exit_code
    text = json.dumps(dataclasses.asdict(result))
    write_atomically(settings.folder(row, args.seed) / RESULT_FILE, text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
