"""The life of a server: starting (loads, verifies, warms up), ready, draining."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np

from sparsedm.report_client import ReportClient
from sparsedm.serve.batcher import Batcher, Draining, QueueFull
from sparsedm.serve.config import ServeConfig
from sparsedm.serve.engine import Engine, versions
from sparsedm.serve.errors import ApiError, bad_request
from sparsedm.serve.prompts import ClassNames
from sparsedm.serve.telemetry import Latencies, Metrics

log = logging.getLogger("sparsedm.serve")

REPORT_SECONDS = 30.0
MOST_FAILURES = 3
"""Batches that may fail in a row before the server asks to be restarted: a GPU's context does not recover."""

State = Literal["starting", "ready", "draining"]


class Service:
    """Everything that the endpoints need. `start`, then `stop`, on one event loop."""

    def __init__(self, config: ServeConfig, reporter: ReportClient | None = None) -> None:
        self.config = config
        self.metrics = Metrics()
        self.state: State = "starting"
        self.latencies = Latencies()
        self._reporter = reporter
        # One thread: the model is loaded, warmed up and used there and nowhere else.
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._engine: Engine | None = None
        self._classes: ClassNames | None = None
        self._batcher: Batcher | None = None
        self._drawing: asyncio.Task[None] | None = None
        self._reporting: asyncio.Task[None] | None = None

    @property
    def live(self) -> bool:
        return self._batcher is None or self._batcher.failures < MOST_FAILURES

    @property
    def ready(self) -> bool:
        return self.state == "ready" and self.live

    @property
    def engine(self) -> Engine:
        """Raises ApiError while there is none."""
        if self._engine is None:
            raise ApiError(503, "The model is being loaded.", "loading", headers={"Retry-After": "2"})
        return self._engine

    async def start(self) -> None:
        """Raises InputError (a model that is not what it says) or ConfigError."""
        config, loop = self.config, asyncio.get_running_loop()
        engine = await loop.run_in_executor(
            self._executor, Engine.load, config.model, config.engine, config.sha256
        )
        measured = await loop.run_in_executor(self._executor, engine.warm_up)
        batcher = Batcher(
            engine.draw, self._executor, config.engine.max_batch_size,
            config.engine.max_batch_delay_milliseconds / 1000, config.engine.max_queue, self.metrics.batch,
        )  # fmt: skip
        batcher.measured(measured.seconds)
        self.latencies.add(measured.seconds)
        self._engine, self._batcher = engine, batcher
        self._classes = ClassNames(engine.classes, engine.config.num_classes)
        self._drawing = asyncio.create_task(batcher.run())
        self._reporting = asyncio.create_task(self._report())
        self._describe(engine)
        if self.state == "starting":
            self.state = "ready"
            log.info("Ready.", extra={"fields": {"model": config.name, **self.status(engine)}})

    def _describe(self, engine: Engine) -> None:
        status, metrics = engine.status(), self.metrics
        batcher = self._batcher
        assert batcher is not None
        metrics.build.labels(
            **versions(),
            backend=status["backend"],
            device=status["device"],
            pattern=engine.manifest["pattern"],
        ).set(1)
        metrics.queue.set_function(lambda: batcher.waiting)
        metrics.drawing.set_function(lambda: batcher.drawing)
        metrics.ready.set_function(lambda: float(self.ready))

    def status(self, engine: Engine) -> dict[str, Any]:
        """`status.engine` of the SparseInferenceService."""
        return {**engine.status(), "latencyMilliseconds": self.latencies.status()}

    async def _report(self) -> None:
        """Tells the operator at once, and again when the latency changed."""
        sent: dict[str, Any] = {}
        while self._reporter is not None:
            status = self.status(self.engine)
            if status != sent:
                sha256 = self.engine.manifest["weights"]["sha256"]
                self._reporter.update(urgent=not sent, engine=status, model={"sha256": sha256})
                sent = status
            await asyncio.sleep(REPORT_SECONDS)

    def label(self, prompt: str) -> int | None:
        """Raises prompts.UnknownClass."""
        assert self._classes is not None
        return self._classes.label(prompt)

    def class_name(self, label: int | None) -> str | None:
        return None if label is None or self._classes is None else self._classes.names[label]

    @property
    def class_names(self) -> list[str]:
        return [] if self._classes is None else self._classes.names

    def submit(self, label: int | None, seeds: Sequence[int]) -> list[asyncio.Future[np.ndarray]]:
        """Raises ApiError: 503 when stopping, 429 when there is no room, 400 when there never is."""
        batcher = self._batcher
        if self.state == "draining" or batcher is None:
            raise draining()
        if len(seeds) > batcher.max_queue:
            raise bad_request(f"n must be at most {batcher.max_queue}, the length of the queue.", "n")
        try:
            return batcher.submit([label] * len(seeds), seeds)
        except QueueFull as full:
            headers = {"Retry-After": str(full.retry_after)}
            raise ApiError(429, str(full), "queue_full", headers=headers) from full
        except Draining as error:
            raise draining() from error

    async def drain(self) -> None:
        """Not ready from here on; returns when every accepted picture has been drawn."""
        self.state = "draining"
        if self._batcher is not None and self._drawing is not None:
            await self._batcher.drain(self._drawing)

    def close(self, error: dict[str, str] | None = None) -> None:
        """The last report, the termination message, and the model's thread."""
        if self._reporting is not None:
            self._reporting.cancel()
        if self._reporter is not None:
            self._reporter.close(timeout=3.0, **({} if error is None else {"error": error}))
        self._executor.shutdown(wait=False, cancel_futures=True)


def draining() -> ApiError:
    headers = {"Retry-After": "1", "Connection": "close"}
    return ApiError(503, "This replica is stopping: try again.", "draining", headers=headers)
