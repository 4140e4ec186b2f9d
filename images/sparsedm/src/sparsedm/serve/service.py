"""The lifecycle of a server: starting (loads, verifies, warms up), ready, leaving, draining.

After the stop signal a server is not ready, but traffic still arrives for a while, through Service rules and
clients' keep-alive connections. So it first leaves: it accepts requests as before, and closes each connection
after its answer, until no more come. Then it drains: it refuses new requests and finishes the accepted ones.
The signal may come at any moment, and SIGKILL follows after a fixed time, so the server never accepts more
work than fits into that time.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sparsedm.errors import InputError
from sparsedm.runtime.report_client import Ask, ReportClient
from sparsedm.serve.batcher import Batcher, Displaced, Draining, Refused, TooLate
from sparsedm.serve.config import ServeConfig
from sparsedm.serve.drawer import Drawer, Measured
from sparsedm.serve.engine import Engine, versions
from sparsedm.serve.errors import ApiError, bad_request
from sparsedm.serve.gate import Verdict, judge_manifest, judge_speedup, refusal, together
from sparsedm.serve.gpu import ContextLost, is_out_of_memory
from sparsedm.serve.load import NOTHING, LoadMeter, LoadReporter, Work
from sparsedm.serve.loading import Loading, Phase
from sparsedm.serve.metrics import Metrics
from sparsedm.serve.pace import Pace
from sparsedm.serve.pipeline_engine import PipelineEngine
from sparsedm.serve.prompts import ClassNames, Condition, FreeTexts, Guidance, Texts
from sparsedm.serve.quality import QualityMonitor, Unmeasured, open_monitor
from sparsedm.serve.telemetry import Latencies
from sparsedm.serve.waiting import Previews
from sparsedm.sources.fetch import Meter, Use, fetch_all
from sparsedm.sources.formats import PIPELINE_INDEX
from sparsedm.sources.settings import Settings
from sparsedm.uris import resolve_uri, sources_status, uri_of

log = logging.getLogger("sparsedm.serve")

REPORT_SECONDS = 30.0
MOST_FAILURES = 3
"""Consecutive failed batches after which the server is not live."""

WORK_SHARE = 0.8
"""Part of the time before the kill that accepted work may fill: estimates err, and sending takes time."""
LONGEST_RETRY = 119.0
"""OpenAI's clients obey Retry-After up to 120 s, and give up on more."""
SPREAD = 0.5
"""Part of a Retry-After that chance adds to it."""
LEAVING_NAPS, QUIET_NAPS = 20, 10
"""Parts of the time of leaving, and how many of them without a request have to be the last ones."""
LEAVING_SHARE = 0.5
"""Part of the time before the kill after which a server leaves no longer, even if requests still come."""
ANSWER_SECONDS = 2.0
"""Time before SIGKILL in which what could not be drawn is answered with an error."""

State = Literal["starting", "ready", "leaving", "draining"]


class Service:
    """Everything that the endpoints need. `start`, `stop`, then `close`, on one event loop."""

    def __init__(
        self,
        config: ServeConfig,
        reporter: ReportClient | None = None,
        ask: Ask | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """chance: from 0 to 1, which spreads those who are told to come back."""
        self.config = config
        self._loading = Loading(self._tell)
        self.load = LoadMeter(self._waiting, self._speed)
        self.metrics = Metrics()
        self.state: State = "starting"
        self.latencies = Latencies()
        self._reporter = reporter
        self._ask = ask
        """Reports the load."""
        self._chance = chance
        # One thread: the model is loaded, warmed up and used there and nowhere else.
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._engine: Drawer | None = None
        self._prompts: ClassNames | Texts | FreeTexts | None = None
        self._batcher: Batcher | None = None
        self._drawing: asyncio.Task[None] | None = None
        self._reporting: asyncio.Task[None] | None = None
        self._load_reporter: LoadReporter | None = None
        self._load_reporting: asyncio.Task[None] | None = None
        self._quality: QualityMonitor | Unmeasured | None = None
        self._verdicts: list[Verdict] = []
        self._asked = 0
        """Requests for images, since the start."""
        self._killed_at: float | None = None
        """Time of SIGKILL on the event loop's clock; None before the stop signal."""

        self._add_gauges()

    def _add_gauges(self) -> None:
        def of_batcher(what: Callable[[Batcher], float]) -> Callable[[], float]:
            return lambda: 0.0 if self._batcher is None else what(self._batcher)

        read = self.metrics.read
        read("sparsedm_ready", lambda: float(self.ready))
        read("sparsedm_requests_in_flight", lambda: self.load.requests)
        read("sparsedm_waiting_denoising_seconds", lambda: self.load.waiting_seconds)
        read("sparsedm_steps_per_second", self._speed)
        read("sparsedm_queue_images", of_batcher(lambda batcher: batcher.waiting))
        read("sparsedm_drawing_images", of_batcher(lambda batcher: batcher.drawing))
        read("sparsedm_batch_places", of_batcher(lambda batcher: batcher.places))
        read("sparsedm_step_under_way_seconds", of_batcher(lambda batcher: batcher.step_under_way))

    @property
    def stopping(self) -> bool:
        """Whether the stop signal came: each answer is then its connection's last."""
        return self.state in ("leaving", "draining")

    @property
    def by_gateway(self) -> bool:
        """Whether clients should come by the gateway, and not over connections that they kept from before."""
        return self._load_reporter is not None and self._load_reporter.by_gateway

    @property
    def busy(self) -> bool:
        """Whether the model's thread is at work, which can't be interrupted."""
        return self._batcher is None or self._batcher.drawing > 0

    @property
    def live(self) -> bool:
        batcher = self._batcher
        return batcher is None or (batcher.failures < MOST_FAILURES and not batcher.is_stuck())

    @property
    def ready(self) -> bool:
        return self.state == "ready" and self.live

    @property
    def engine(self) -> Drawer:
        """Raises ApiError while there is none."""
        if self._engine is None:
            raise ApiError(503, "The model is being loaded.", "loading", headers=not_accepted(2))
        return self._engine

    async def start(self) -> None:
        """Raises InputError (a model that is not what it says) or ConfigError."""
        try:
            await self._start()
        except Exception as error:
            self.state = "draining"
            if is_out_of_memory(error):
                raise InputError(
                    "OutOfMemory",
                    "The model, or one image of it, does not fit into memory: give the server more, or a "
                    "GPU with more, or take a smaller model.",
                ) from error
            raise

    async def work(self) -> None:
        """`start`, and returns when everything is drawn after a stop. Raises SparseDMError, also where
        nothing can be drawn any more."""
        await self.start()
        assert self._drawing is not None
        await asyncio.shield(self._drawing)

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        if self.config.remote is not None:
            model = await loop.run_in_executor(self._executor, fetch_model, self.config.remote, self._loading)
            self.config = replace(self.config, model=model)
        config = self.config
        load = PipelineEngine.load if (config.model / PIPELINE_INDEX).is_file() else Engine.load
        engine = await loop.run_in_executor(
            self._executor, load, config.model, config.engine, config.sha256, None, self._loading
        )
        prompts = engine.prompts()
        self._judge_distance(engine)
        if config.quality is not None:
            self._quality = await loop.run_in_executor(
                self._executor, open_monitor, config, engine, prompts.names, self.metrics.registry
            )
        measured = await loop.run_in_executor(self._executor, engine.warm_up, self._loading)
        measured = await loop.run_in_executor(self._executor, self._judge_speed, engine, measured)
        batcher = Batcher(
            engine, self._executor, Pace(measured.seconds),
            config.engine.max_batch_delay_milliseconds / 1000, config.engine.max_queue,
            self.metrics,
        )  # fmt: skip
        self.latencies.add(batcher.seconds_alone(1, config.engine.steps))
        self._engine, self._batcher, self._prompts = engine, batcher, prompts
        self._drawing = asyncio.create_task(batcher.run())
        self._reporting = asyncio.create_task(self._report())
        if self._ask is not None:
            self._load_reporter = LoadReporter(self.load, self._ask, self._quality_report)
            self._load_reporting = asyncio.create_task(self._load_reporter.run())
        self._describe(engine)
        self._warn_of_slow_batches(batcher.seconds_alone(batcher.places, config.engine.most_steps))
        if self.state == "starting":
            self.state = "ready"
            log.info("Ready.", extra={"fields": {"model": config.name, **self.status(engine)}})

    def _tell(self, phase: Phase, percent: int) -> None:
        """`status.loading` of the SparseInferenceService, from the model's thread."""
        if self._reporter is not None:
            self._reporter.update(loading={"phase": phase, "percent": percent})

    def _judge_distance(self, engine: Drawer) -> None:
        """Before the backend is measured, which takes longer. Raises InputError where the gate refuses."""
        gate = self.config.gate
        if gate is not None and gate.bounds_distance:
            self._take(judge_manifest(gate, engine.manifest, engine.precision))

    def _judge_speed(self, engine: Drawer, measured: Measured) -> Measured:
        """What serves from here on, on the model's thread. Raises InputError where the gate refuses."""
        gate = self.config.gate
        if gate is None or gate.min_speedup is None:
            return measured
        verdict = judge_speedup(gate, measured.speedup, engine.status()["reason"])
        self._take(verdict)
        return engine.fall_back(verdict.message) if verdict.reason == "FellBack" else measured

    def _take(self, verdict: Verdict) -> None:
        """Keeps the verdict for the reports. A refusal is reported, and raised."""
        if verdict.passed is not True:
            self._verdicts = [verdict]
            if self._reporter is not None:
                self._reporter.update(urgent=True, gate=self.gate_status)
            raise refusal(verdict)
        self._verdicts.append(verdict)

    @property
    def gate_status(self) -> dict[str, Any] | None:
        """`status.gate` of the SparseInferenceService; None without a gate that the server judges."""
        if not self._verdicts:
            return None
        last = self._verdicts[-1]
        verdict = last if last.passed is not True else together(self._verdicts)
        return {
            "uri": uri_of(self.config.model),
            "bounds": self.config.gate_text,
            "passed": verdict.passed is True,
            "reason": verdict.reason,
            "message": verdict.message,
        }

    def _waiting(self) -> Work:
        batcher = self._batcher
        return NOTHING if batcher is None else Work(batcher.waiting, batcher.waiting_steps)

    def _speed(self) -> float:
        """Steps of one image in a second, in full batches; 0 while the model is being loaded."""
        batcher = self._batcher
        return 0.0 if batcher is None else batcher.places / batcher.step_seconds

    @property
    def queued_seconds(self) -> float:
        """Time until everything accepted is drawn."""
        return 0.0 if self._batcher is None else self._batcher.seconds_to_finish()

    def denoising_seconds(self, images: int, steps: int | None = None) -> float:
        """What so many images take of this server's time, in full batches."""
        return images * (steps or self.config.engine.steps) / self._speed()

    def _warn_of_slow_batches(self, seconds: float) -> None:
        if seconds > self._work_seconds():
            log.warning(
                "One batch takes longer than a stopping server has left, so requests can be cut off when a "
                "pod ends: lower engine.steps, engine.maxSteps or engine.maxBatchSize.",
                extra={"fields": {"batchSeconds": round(seconds, 1), "graceSeconds": self.config.grace}},
            )

    def _work_seconds(self) -> float:
        """Seconds that work accepted now may take if the signal came now."""
        if self.config.grace is None:
            return math.inf
        if self._killed_at is None:
            return WORK_SHARE * (self.config.grace - self.config.drain_delay)
        return WORK_SHARE * (self._killed_at - asyncio.get_running_loop().time())

    def _describe(self, engine: Drawer) -> None:
        status, metrics = engine.status(), self.metrics
        named = {name: status[name] for name in ("backend", "precision", "device")}
        metrics.describe(
            {**versions(), **named, "pattern": engine.manifest["pattern"]}, engine.layer_backends()
        )
        metrics.loaded(self._loading.seconds)
        metrics.watch_gpu(engine.device)

    def status(self, engine: Drawer) -> dict[str, Any]:
        """`status.engine` of the SparseInferenceService."""
        return {**engine.status(), "latencyMilliseconds": self.latencies.status()}

    async def _report(self) -> None:
        """Reports to the operator at once, and again whenever the latency changed."""
        sent: dict[str, Any] = {}
        while self._reporter is not None:
            status = self.status(self.engine)
            if status != sent:
                model = {
                    "uri": uri_of(self.config.model),
                    "sha256": self.engine.manifest["weights"]["sha256"],
                }
                gate = self.gate_status
                self._reporter.update(
                    urgent=not sent,
                    engine=status,
                    model=model,
                    **({"sources": fetched} if (fetched := sources_status()) else {}),
                    **({} if gate is None else {"gate": gate}),
                )
                sent = status
            await asyncio.sleep(REPORT_SECONDS)

    def condition(self, prompt: str) -> Condition:
        """Raises prompts.UnknownClass, or TextTooLong of a model with a text encoder."""
        assert self._prompts is not None
        return self._prompts.condition(prompt)

    def class_name(self, condition: Condition) -> str | None:
        """None of a text, and of a model without classes."""
        return self.class_names[condition] if isinstance(condition, int) else None

    @property
    def class_names(self) -> list[str]:
        return [] if self._prompts is None else list(self._prompts.names)

    def submit(
        self,
        condition: Condition,
        seeds: Sequence[int],
        steps: int | None = None,
        client: str = "",
        patience: float = math.inf,
        guidance: Guidance | None = None,
        previews: Previews | None = None,
    ) -> list[asyncio.Future[np.ndarray]]:
        """steps, guidance: by default the engine's. client: who asks, for fairness. patience: seconds the
        client waits.

        Raises ApiError: 503 when stopping, 429 when there is no room or no time, 400 when there never is.
        """
        self._asked += 1
        batcher, engine = self._batcher, self.config.engine
        if self.state == "draining" or batcher is None:
            raise draining()
        steps = steps or engine.steps
        if steps > engine.most_steps:
            raise bad_request(
                f"num_inference_steps must be at most {engine.most_steps}, engine.maxSteps of this server.",
                "num_inference_steps",
            )
        within = self._work_seconds()
        if not self.stopping:
            # A single batch is accepted even if it is too slow for any stop: better than serving nothing. A
            # smaller one can have measured slower than a full one, on a busy machine.
            sizes = (min(len(seeds), batcher.places), batcher.places)
            within = max(within, *(batcher.seconds_alone(size, steps) for size in sizes))
            most = batcher.most_images(within, steps)
            if len(seeds) > most:
                raise bad_request(f"n must be at most {most}: this server accepts no more at a time.", "n")
        work = Work(len(seeds), len(seeds) * steps)
        try:
            images = batcher.submit(condition, seeds, steps, client, within, patience, guidance, previews)
        except Refused as refused:
            if self.stopping:
                raise draining() from refused
            raise self._refusal(refused, work) from refused
        except Draining as error:
            raise draining() from error
        self.load.accepted(work)
        return images

    def displaced(self, refused: Displaced, images: int, steps: int | None) -> ApiError:
        """What a request for images is told that had been accepted."""
        self.metrics.ended("refused", images)
        self.load.displaced(Work(images, images * (steps or self.config.engine.steps)))
        return self._full(refused, "queue_full")

    def _refusal(self, refused: Refused, work: Work) -> ApiError:
        self.metrics.ended("refused", work.images)
        if isinstance(refused, TooLate) and not refused.ever:
            # No load: more replicas would not help. OpenAI's clients obey the header and don't try again.
            return ApiError(429, str(refused), "too_late", headers={"X-Should-Retry": "false"})
        self.load.refused(work)
        return self._full(refused, "too_late" if isinstance(refused, TooLate) else "queue_full")

    def _full(self, refused: Refused, code: str) -> ApiError:
        seconds = spread(refused.seconds, self._chance())
        return ApiError(429, str(refused), code, headers=not_accepted(seconds))

    def served(self, condition: Condition, images: Sequence[np.ndarray], seeded: bool) -> None:
        """Takes note of images that are on their way to a client; as `QualityMonitor.offer`."""
        if self._quality is not None:
            label = condition if isinstance(condition, int) else None
            self._quality.offer(label, images, seeded)

    def _quality_report(self) -> dict[str, Any]:
        return {} if self._quality is None else {"quality": self._quality.status()}

    async def stop(self, delay: float) -> None:
        """Not ready from here on. Accepts for `delay` seconds or as long as requests come (`_leave`), then
        returns when everything is drawn."""
        loop = asyncio.get_running_loop()
        if self.config.grace is not None:
            self._killed_at = loop.time() + self.config.grace
        if self.state == "ready":
            self.state = "leaving"
            await self._leave(delay)
        self.state = "draining"
        if self._load_reporting is not None:
            self._load_reporting.cancel()
        if self._batcher is not None and self._drawing is not None:
            await self._drain(self._batcher, self._drawing)

    async def _leave(self, delay: float) -> None:
        """Returns after `delay` seconds, the last half of them without a request: while some come, Service
        rules still lead here, and would lead to a closed port. Counts naps, not the clock: where the machine
        was stopped or overloaded, those who change the rules have not had their time either."""
        loop = asyncio.get_running_loop()
        grace = math.inf if self.config.grace is None else self.config.grace
        latest = loop.time() + max(delay, LEAVING_SHARE * grace)
        left = LEAVING_NAPS if delay > 0 else 0
        while left > 0 and loop.time() < latest:
            asked = self._asked
            await asyncio.sleep(delay / LEAVING_NAPS)
            left = max(left - 1, QUIET_NAPS if self._asked > asked else 0)

    async def _drain(self, batcher: Batcher, drawing: asyncio.Task[None]) -> None:
        last_moment = None if self._killed_at is None else self._killed_at - ANSWER_SECONDS
        try:
            async with asyncio.timeout_at(last_moment):
                await batcher.drain(drawing)
        except TimeoutError:
            log.warning("The grace period is over: images not yet drawn are answered with 503.")
            self.give_up()
        except ContextLost:
            return  # `work` raises it

    def give_up(self) -> None:
        """Answers everything accepted with an error."""
        if self._batcher is not None:
            self._batcher.give_up()

    def close(self, error: dict[str, str] | None = None) -> None:
        """The last report, the termination message, and the model's thread."""
        for task in (self._drawing, self._reporting, self._load_reporting):
            if task is not None:
                task.cancel()
        if self._reporter is not None:
            self._reporter.close(timeout=3.0, **({} if error is None else {"error": error}))
        if self._quality is not None:
            self._quality.close()
        self._executor.shutdown(wait=False, cancel_futures=True)


def spread(seconds: float, chance: float) -> float:
    """When to come back: at least `seconds`, up to half as long again, and never more than clients obey.

    chance: from 0 to 1. Clients that were refused together then come back one after the other.
    """
    return max(1.0, min(seconds, LONGEST_RETRY / (1 + SPREAD))) * (1 + SPREAD * chance)


def not_accepted(retry_after: float) -> dict[str, str]:
    """Headers of a refusal, in seconds for every client and in milliseconds for OpenAI's. By the last one the
    gateway knows that another replica may get the request."""
    return {
        "Retry-After": str(math.ceil(retry_after)),
        "Retry-After-Ms": str(math.ceil(1000 * retry_after)),
        "X-SparseDM-Not-Accepted": "true",
    }


def draining() -> ApiError:
    return ApiError(503, "This replica is stopping: try again.", "draining", headers=not_accepted(1))


def fetch_model(uri: str, loading: Loading) -> Path:
    """Raises SparseDMError with a sentence."""

    def show(progress: dict[str, Any], urgent: bool) -> None:
        log.info("Fetching the model.", extra={"fields": {"progress": progress["display"]}})
        if meter.total:
            loading.part(meter.done, meter.total)

    meter = Meter(show)
    loading.enter("Fetching")
    fetch_all([Use("model.uri", uri)], Settings.from_environment(), meter)
    return resolve_uri(uri)
