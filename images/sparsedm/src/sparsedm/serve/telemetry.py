"""Counting, access log, request ids and the answer to unexpected errors, around the application."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sparsedm.serve.errors import internal_error
from sparsedm.serve.metrics import Metrics

LATENCIES_KEPT = 512
UNLOGGED = ("/v2/health/live", "/v2/health/ready", "/metrics")
"""Probes and scrapes, which would fill the log every few seconds."""
CLIENT_GONE = 499
"""The client disconnected: nginx's code."""
_REQUEST_ID = re.compile(r"[!-~]{1,128}")
current_request: ContextVar[str] = ContextVar("current_request", default="")
"""Id of the request that is being answered."""
log = logging.getLogger("sparsedm.serve")
access_logger = logging.getLogger("sparsedm.access")


class Latencies:
    """Times of the last requests that drew images."""

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
    """Outermost layer: counts each request under its route's pattern, never under a client's path.

    A request keeps its x-request-id, or gets one. HEAD is answered as GET; uvicorn leaves
    the body out. Each answer says how long the server will take for what it has accepted (`queued`, in
    seconds), by which gateways choose among replicas. An answer is its connection's last while the server
    stops, and where requests go by the gateway (`by_gateway`) and this one did not.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, access_log: bool, stopping: Callable[[], bool],
        by_gateway: Callable[[], bool], queued: Callable[[], float],
    ) -> None:  # fmt: skip
        self._app = app
        self._stopping = stopping
        self._by_gateway = by_gateway
        self._queued = queued
        self._metrics = metrics
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        current_request.set(request_id)
        inner = {**scope, "method": "GET" if scope["method"] == "HEAD" else scope["method"]}
        status = CLIENT_GONE
        begun = whole = False

        async def watched(message: Message) -> None:
            nonlocal status, begun, whole
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                added = [
                    (b"x-request-id", request_id.encode("ascii")),
                    (b"x-sparsedm-queued-seconds", f"{self._queued():.3f}".encode("ascii")),
                ]
                if self._stopping() or (self._by_gateway() and not _is_forwarded(scope)):
                    added.append((b"connection", b"close"))
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)
            whole = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await self._app(inner, receive, watched)
        except Exception as error:
            log.error("A request failed.", exc_info=error, extra={"fields": {"requestId": request_id}})
            if begun:
                raise  # half an answer: uvicorn cuts the connection, so that no client takes it for complete
            await internal_error().response(scope["path"])(inner, receive, watched)
        finally:
            self._count(inner, scope["method"], status, time.perf_counter() - started, whole, request_id)

    def _count(
        self, scope: Scope, method: str, status: int, seconds: float, whole: bool, request_id: str
    ) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        counted = method if method in ("GET", "POST", "HEAD") else "other"
        self._metrics.answered(route, counted, status, seconds, whole and status != CLIENT_GONE)
        if self._access_log and route not in UNLOGGED:
            client = scope.get("client")
            fields = {
                "method": method,
                "path": scope["path"],
                "status": status,
                "milliseconds": round(1000 * seconds, 1),
                "requestId": request_id,
                "client": client[0] if client else None,
            }
            access_logger.info("request", extra={"fields": fields})


def _is_forwarded(scope: Scope) -> bool:
    return any(name == b"x-sparsedm-by-gateway" for name, _ in scope["headers"])


def _request_id(scope: Scope) -> str:
    """The client's where it is safe in a log and a header; else a new one."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    text = given.decode("latin-1")
    return text if _REQUEST_ID.fullmatch(text) else uuid.uuid4().hex


class JsonFormatter(logging.Formatter):
    """One JSON object per line: a static message and its fields."""

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
    # Uvicorn logs each start and stop at info, and each unreadable request at warning.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
