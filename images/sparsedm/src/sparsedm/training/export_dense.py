"""Writes a pretrained model's averaged weights with a manifest: what they are and how they came to be."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from tqdm import tqdm

from sparsedm import __version__
from sparsedm.files import file_sha256, write_atomically
from sparsedm.measure.assess import assess, reference_stats
from sparsedm.measure.extractor import load_extractor
from sparsedm.models import CLASSES
from sparsedm.training.pretraining import Pretraining


def export_dense(run: Pretraining, path: Path, extractor_path: Path | None, per_class: int) -> dict[str, Any]:
    """Writes `path` (safetensors, fp32) and NAME.json beside it; returns the manifest.

    With an extractor the samples of the averaged weights are measured too: `figures` in the manifest.
    """
    model = run.ema_model()
    tensors = {name: value.float().cpu().contiguous() for name, value in sorted(model.state_dict().items())}
    write_atomically(path, save(tensors))
    manifest: dict[str, Any] = {
        "schemaVersion": 1,
        "name": run.config.name,
        "architecture": "uvit",
        "config": run.architecture.to_dict(),
        "classes": CLASSES.get(run.config.preset) or run.data.classes,
        "prediction": run.architecture.prediction,
        "weights": {"file": path.name, "sha256": file_sha256(path), "sizeBytes": path.stat().st_size},
        "training": _training(run),
        "versions": {
            "sparsedm": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }
    if extractor_path is not None:
        manifest["figures"] = _figures(run, extractor_path, per_class)
    write_atomically(path.with_suffix(".json"), (json.dumps(manifest, indent=2) + "\n").encode())
    return manifest


def _training(run: Pretraining) -> dict[str, Any]:
    config = run.config
    width = f"--width {config.width} " if config.width else ""
    teacher = f" --teacher {config.teacher} --distillation-weight {config.distillation_weight:g}"
    length = f"--steps {config.steps}" if config.steps else f"--minutes {config.minutes:g}"
    return {
        "command": f"sparsedm pretrain --preset {config.preset} {width}--dataset {config.dataset} {length} "
        f"--batch-size {config.batch_size} --learning-rate {config.learning_rate:g} "
        f"--warmup-steps {config.warmup_steps} --precision {config.precision} "
        f"--ema-decay {config.ema_decay:g} --seed {config.seed}{teacher if config.teacher else ''}",
        "weights": "exponential moving average",
        "steps": run.step,
        "images": run.step * config.batch_size,
        "epochs": round(run.step * config.batch_size / len(run.data), 2),
        "minutes": round(run.seconds / 60, 1),
        "seed": config.seed,
        "complete": config.progress(run.step, run.seconds) >= 1.0,
    }


def _figures(run: Pretraining, extractor_path: Path, per_class: int) -> dict[str, Any]:
    extractor, _, _ = load_extractor(extractor_path, run.device)
    reference = reference_stats(extractor, run.data)
    classes = CLASSES.get(run.config.preset) or run.data.classes or []
    with tqdm(unit="image", desc="measuring", mininterval=2) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return assess(run.ema_model(), extractor, reference, classes, per_class, progress=progress)
