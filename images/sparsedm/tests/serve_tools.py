"""A tiny artifact, and the real server in a subprocess."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import torch

from sparsedm.artifact.artifact import Identity, save_artifact
from sparsedm.artifact.canary import draw_canary
from sparsedm.artifact.components import Components
from sparsedm.measure.macs import count_macs
from sparsedm.models import UViTConfig, build_model
from sparsedm.serve.config import EngineSpec
from sparsedm.serve.drawer import Measured
from sparsedm.serve.images import side_of
from sparsedm.serve.loading import Loading
from sparsedm.serve.prompts import ClassNames
from sparsedm.sparsity.layers import bake_masks, masks_for, select_layers
from sparsedm.sparsity.pattern import Pattern

CLASSES = ["t-shirt", "shirt", "dress", "ankle boot"]
CONFIG = UViTConfig(
    32, 8, 1, width=32, depth=3, heads=2, num_classes=len(CLASSES), final_conv=False, prediction="v"
)
PATTERN = Pattern(2, 4)
SOURCES = Path(__file__).parents[1] / "src"
WAIT_SECONDS = 300
"""Bound of a wait that takes seconds on an idle machine."""
DRAWN = 'sparsedm_images_total{outcome="drawn"}'
"""The series of images that were drawn."""


async def until(condition: Callable[[], bool]) -> None:
    """Bounded by the caller's timeout."""
    while not condition():
        await asyncio.sleep(0.01)


def write_artifact(
    directory: Path,
    config: UViTConfig = CONFIG,
    classes: list[str] | None = CLASSES,
    change: Callable[[dict[str, torch.Tensor]], None] = lambda weights: None,
    components: Components | None = None,
    canary: bool = False,
) -> Path:
    """A random model with its weights masked 2:4; `change` alters the weights first. canary: whether it has
    one, as trained ones have."""
    torch.manual_seed(5)
    model = build_model(config)
    with torch.no_grad():
        for parameter in model.parameters():  # by default, all classes are drawn nearly alike
            parameter.normal_(std=0.2)
    selection = select_layers(model, PATTERN)
    state = model.state_dict()
    weights = bake_masks(state, masks_for(state, selection.selected, PATTERN))
    change(weights)
    directory.mkdir(parents=True, exist_ok=True)
    identity = Identity("test", config, classes, PATTERN, selection)
    macs = count_macs(config, selection.selected, PATTERN).status()
    fid = {"metric": "fd-test", "dense": "1", "sparse": "2"}
    provenance = {"run": "ns/name", "configDigest": "x"}
    drawn = None
    if canary:
        model.load_state_dict(weights)
        drawn = draw_canary(model.eval())
    save_artifact(directory, weights, identity, macs, fid, provenance, components=components, canary=drawn)
    return directory


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Polls until the condition is true, and returns its value."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (result := condition()):
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.01)
    return result


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@dataclass
class FakeRow:
    label: int | None
    seed: int
    left: int


class FakeEngine:
    """Says that a batch of 20 steps takes `seconds`, and draws while `gate` is set."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.places = 4
        self.device = torch.device("cpu")
        self.gate = threading.Event()
        self.begun = threading.Semaphore(0)
        self.classes = ["boot", "bag"]
        self.precision = "fp32"
        self.config = SimpleNamespace(num_classes=2, image_size=8)
        self.guidable, self.guidance, self.tokens = True, EngineSpec().guidance, 6
        self.no_negative = "this model has no text encoder, and draws after classes only"
        self.image_size = 8
        self.image_shape = (1, 8, 8)
        self.image: Callable[[int], Any] = lambda seed: seed
        """What is drawn for a seed."""
        self.broken: Exception | None = None
        """What each step raises."""
        self.manifest = {"pattern": "2:4", "weights": {"sha256": "0" * 64}}

    def prompts(self) -> ClassNames:
        return ClassNames(self.classes, 2)

    def size_of(self, size: str | None) -> tuple[int, int]:
        return (side_of(size, 8),) * 2

    def text_tokens(self, condition: object) -> int:
        return 0

    def warm_up(self, loading: Loading) -> Measured:
        return Measured({4: self.seconds / EngineSpec().steps}, 1.0)

    def begin(self, label: int | None, seed: int, steps: int, guidance: object = None) -> FakeRow:
        return FakeRow(label, seed, steps)

    def again(self, row: FakeRow) -> FakeRow:
        return FakeRow(row.label, row.seed, 1)

    def leave(self, rows: Sequence[FakeRow]) -> None:
        """Nothing is kept for them."""

    def preview(self, row: FakeRow) -> Any:
        return self.image(row.seed)

    def advance(self, rows: Sequence[FakeRow]) -> None:
        self.begun.release()
        self.gate.wait(30)
        if self.broken is not None:
            raise self.broken
        for row in rows:
            row.left -= 1

    def finish(self, rows: Sequence[FakeRow]) -> list[Any]:
        return [self.image(row.seed) for row in rows]

    def status(self) -> dict[str, Any]:
        return {"backend": "dense", "device": "cpu", "precision": "fp32"}

    def layer_backends(self) -> dict[str, str]:
        return {"blocks.0.attn.qkv": "cusparselt", "blocks.0.attn.proj": "dense"}


class ServerProcess:
    """`sparsedm serve` on a free port; a context that waits until it is ready, and ends it. One that is never
    to be ready goes into `contextlib.closing`."""

    def __init__(
        self,
        model: Path,
        engine: dict[str, Any],
        log: Path,
        before: Callable[[], Any] | None = None,
        **env: str,
    ) -> None:
        """before: called in the new process, before Python starts."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.termination_log = log.with_suffix(".termination")
        self._log = log
        command = [sys.executable, "-m", "sparsedm.cli", "serve", "--port", str(self.port)]
        own = {
            "PYTHONPATH": str(SOURCES),
            "OMP_NUM_THREADS": "1",  # on a busy machine, more threads wait for each other
            "SPARSEDM_MODEL": str(model),
            "SPARSEDM_MODEL_NAME": "clothes",
            "SPARSEDM_ENGINE": json.dumps(engine),
            "SPARSEDM_TERMINATION_LOG": str(self.termination_log),
        }
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command, env={**os.environ, **own, **env}, stdout=out, stderr=out, preexec_fn=before
            )
        self.client = httpx.Client(base_url=self.url, timeout=WAIT_SECONDS)

    def __enter__(self) -> ServerProcess:
        try:
            self.wait_until_ready()
        except BaseException:
            self.close()  # no __exit__ follows a failed __enter__
            raise
        return self

    def wait_until_ready(self) -> None:
        wait_for(lambda: self.status("/v2/health/ready") == 200, "the server")

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process however it is."""
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT_SECONDS)

    def status(self, path: str) -> int | None:
        """None while nothing listens."""
        assert self.process.poll() is None, f"the server has ended: {self._log.read_text()}"
        try:
            return self.client.get(path).status_code
        except httpx.TransportError:
            return None

    def generate(self, **body: Any) -> httpx.Response:
        return self.client.post("/v1/images/generations", json={"prompt": "ankle boot", **body})

    def metric(self, name: str) -> float:
        """The value of a series: a name, and its labels in braces where it has some."""
        lines = self.client.get("/metrics").text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    def accepted(self) -> float:
        """Images drawn, being drawn or waiting. An image that moves on in between is missed, never counted
        twice."""
        names = (DRAWN, "sparsedm_drawing_images", "sparsedm_queue_images")
        return sum(self.metric(name) for name in names)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        return self.process.wait(WAIT_SECONDS)

    def log(self) -> str:
        return self._log.read_text()
