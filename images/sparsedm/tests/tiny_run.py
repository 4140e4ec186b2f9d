"""A run small enough for tests: images of two classes, random dense weights, a random extractor."""

from __future__ import annotations

import argparse
import copy
import io
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from sparsedm.cli import main
from sparsedm.commands.train import run
from sparsedm.measure.extractor import Classifier
from sparsedm.models import UViTConfig, build_model
from sparsedm.runtime.progress import Console
from sparsedm.runtime.report_client import ReportClient
from sparsedm.runtime.stop import StopSignal
from sparsedm.training.config import parse_config
from sparsedm.training.finetune import train

MODEL = {
    "imageSize": 32, "patchSize": 8, "channels": 1, "width": 32, "depth": 3, "heads": 2,
    "numClasses": 2, "finalConv": False, "prediction": "noise",
}  # fmt: skip
CONFIG = UViTConfig(32, 8, 1, width=32, depth=3, heads=2, num_classes=2, final_conv=False, prediction="noise")
IMAGES = 44
"""With batches of 8 an epoch ends in the middle of a batch."""


def paper_schedule(sparsity: dict[str, Any]) -> dict[str, Any]:
    """`spec.sparsity` whose schedule is the paper's where it says nothing else: stages of equal parts and a
    late freeze, so that few steps go through all that can happen."""
    if sparsity.get("method") in ("asp", "dense", "masked-dense"):
        return sparsity
    given, paper = sparsity.get("schedule", {}), {}
    if given.get("type", "progressive") == "progressive":
        paper["rampPercent"] = 80
    if sparsity.get("maskType", "magnitude") == "magnitude":
        paper["freezeMaskPercent"] = 15
    return {**sparsity, "schedule": {**paper, **given}}


class Workplace:
    """A directory with everything that a configuration refers to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.weights = directory / "dense.safetensors"
        self.extractor = directory / "extractor.safetensors"
        self.images = directory / "images"
        torch.manual_seed(1)
        save_file(build_model(CONFIG).state_dict(), self.weights)
        metadata = {"name": "test-cnn", "channels": "1", "classes": "2"}
        save_file(Classifier(1, 2).state_dict(), self.extractor, metadata=metadata)
        self._draw_images()

    def _draw_images(self) -> None:
        """Class "left" is bright on the left, "right" on the right, each with its own brightness."""
        for i in range(IMAGES):
            side = ("left", "right")[i % 2]
            pixels = np.full((32, 32), 20, dtype=np.uint8)
            bright = pixels[:, :16] if side == "left" else pixels[:, 16:]
            bright[:] = 120 + 3 * i
            folder = self.images / side
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{i:02d}.png")

    def spec(self, output: str = "out", **changes: Any) -> dict[str, Any]:
        """The configuration; `training__steps=3` changes training.steps."""
        spec: dict[str, Any] = {
            "model": {"config": dict(MODEL), "pretrained": {"uri": f"file://{self.weights}"}},
            "dataset": {"format": "image-folder", "uri": f"file://{self.images}"},
            "sparsity": {},
            "training": {"steps": 20, "batchSize": 8, "learningRate": "0.001", "warmupSteps": 3},
            "checkpoint": {"everySteps": 5},
            "evaluation": {"samples": 6, "steps": 2, "extractorUri": f"file://{self.extractor}"},
            "output": {"uri": f"file://{self.directory / output}"},
        }
        spec = copy.deepcopy(spec)
        for path, value in changes.items():
            *parents, last = path.split("__")
            place = spec
            for name in parents:
                place = place.setdefault(name, {})
            place[last] = value
        for part, name in (("training", "warmupSteps"), ("checkpoint", "everySteps")):
            most = max(1, spec["training"]["steps"]) - (name == "warmupSteps")
            if f"{part}__{name}" not in changes and part not in changes:
                spec[part][name] = min(spec[part][name], most)
        spec["sparsity"] = paper_schedule(spec["sparsity"])
        if spec["sparsity"].get("method") == "masked-dense":
            # It reads no more of the training, saves no checkpoints, and would refuse the rest.
            spec.pop("checkpoint")
            spec["training"] = {k: v for k, v in spec["training"].items() if k in ("seed", "batchSize")}
        return spec

    def train(self, spec: dict[str, Any], stop: StopSignal | None = None) -> dict[str, Any]:
        """Trains in this process; returns the manifest."""
        console = Console(io.StringIO())
        return train(parse_config(spec), ReportClient(None, None), console, stop or StopSignal())

    def command(self, spec: dict[str, Any], monkeypatch: Any) -> tuple[int, dict[str, Any]]:
        """`sparsedm train` in this process: its exit code and the termination message."""
        log = self.directory / "termination.json"
        log.unlink(missing_ok=True)
        monkeypatch.setenv("SPARSEDM_CONFIG", json.dumps(spec))
        monkeypatch.setenv("SPARSEDM_TERMINATION_LOG", str(log))
        code = run(argparse.Namespace(config=None, dry_run=False, processes=None, output=None))
        return code, json.loads(log.read_text())

    @contextmanager
    def forked(
        self, spec: dict[str, Any], log: Path, prepare: Callable[[], None], **env: str
    ) -> Iterator[BaseProcess]:
        """`sparsedm train` in a process of its own, after `prepare`; its words go to `log`. It begins as a
        copy of this one, because another interpreter would take seconds to import torch."""
        if torch.cuda.is_initialized():
            pytest.skip("a process that uses a GPU can't be copied")

        def child() -> None:
            with log.open("w", buffering=1) as words:
                sys.stdout = sys.stderr = words
                os.environ.update(env, SPARSEDM_CONFIG=json.dumps(spec))
                prepare()
                sys.exit(main(["train"]))

        process = multiprocessing.get_context("fork").Process(target=child, daemon=True)
        process.start()
        try:
            yield process
        finally:
            process.kill()
            process.join()
