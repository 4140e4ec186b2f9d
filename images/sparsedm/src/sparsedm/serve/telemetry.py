"""Metrics, access log and the limit on a request's size, around the application."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sparsedm.serve.errors import LARGEST_BODY

LATENCIES_KEPT = 512
disable_created_metrics()
access_logger = logging.getLogger("sparsedm.access")


class Metrics:
    """The server's metrics, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.requests = Counter(
            "sparsedm_requests", "Requests answered.", ["route", "method", "status"], registry=registry
        )
        self.duration = Histogram(
            "sparsedm_request_duration_seconds", "Time from a request to the end of its answer.", ["route"],
            buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120), registry=registry,
        )  # fmt: skip
        self.images = Counter("sparsedm_images", "Pictures drawn.", registry=registry)
        self.failed = Counter(
            "sparsedm_failed_images", "Pictures that could not be drawn, or were not finite.",
            registry=registry,
        )  # fmt: skip
        self.batch_size = Histogram(
            "sparsedm_batch_size", "Pictures asked for in a batch.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024), registry=registry,
        )  # fmt: skip
        self.batch_duration = Histogram(
            "sparsedm_batch_duration_seconds", "Time to draw a batch.",
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60), registry=registry,
        )  # fmt: skip
        self.queue = Gauge("sparsedm_queue_images", "Pictures that wait for a batch.", registry=registry)
        self.drawing = Gauge("sparsedm_drawing_images", "Pictures being drawn.", registry=registry)
        self.ready = Gauge("sparsedm_ready", "1 when the server takes requests.", registry=registry)
        self.build = Gauge(
            "sparsedm_build_info", "Always 1; what this server is.",
            ["version", "torch", "python", "backend", "device", "pattern"], registry=registry,
        )  # fmt: skip

    def batch(self, drawn: int, failed: int, seconds: float) -> None:
        self.images.inc(drawn)
        self.failed.inc(failed)
        self.batch_size.observe(drawn + failed)
        self.batch_duration.observe(seconds)


class Latencies:
    """Times of the last requests that drew pictures."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=LATENCIES_KEPT)

    def add(self, seconds: float) -> None:
        self._seconds.append(seconds)

    def status(self) -> dict[str, str]:
        """`latencyMilliseconds`: the smallest kept value that 50 % or 99 % of the values do not exceed."""
        ordered = sorted(self._seconds)
        if not ordered:
            return {}
        at = {
            name: ordered[-(-len(ordered) * percent // 100) - 1]
            for name, percent in (("p50", 50), ("p99", 99))
        }
        return {name: f"{1000 * seconds:.1f}" for name, seconds in at.items()}


class Telemetry:
    """Outermost layer: counts each request under its route's pattern, never under what a client made up."""

    def __init__(
        self, app: ASGIApp, metrics: Metrics, access_log: bool, stopping: Callable[[], bool]
    ) -> None:
        self._app = app
        self._stopping = stopping
        self._metrics = metrics
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 499  # the client has gone, as nginx counts it

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._stopping():
                    message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
            await send(message)

        try:
            await self._app(scope, limited(receive), watched)
        except Exception:
            status = 500
            raise
        finally:
            self._count(scope, status, time.perf_counter() - started)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD") else "other"
        self._metrics.requests.labels(route, method, str(status)).inc()
        self._metrics.duration.labels(route).observe(seconds)
        if self._access_log:
            client = scope.get("client")
            access_logger.info(
                "request",
                extra={
                    "fields": {
                        "method": scope["method"],
                        "path": scope["path"],
                        "status": status,
                        "milliseconds": round(1000 * seconds, 1),
                        "client": client[0] if client else None,
                    }
                },
            )


def limited(receive: Receive) -> Receive:
    """Ends a body that is too large for a prompt, whether or not its length was announced."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > LARGEST_BODY:
            raise HTTPException(413)
        return message

    return counted


class JsonFormatter(logging.Formatter):
    """One JSON object a line: a static message and what belongs to it."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def set_up_logging() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Uvicorn tells each start and stop at info; it has nothing to say in steady state.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
