"""`sparsedm serve`: serves an artifact over HTTP until a signal stops it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

import uvicorn

from sparsedm.errors import ConfigError, SparseDMError, storage_explained
from sparsedm.runtime.report_client import ReportClient, http_ask, token_file
from sparsedm.serve.app import create_app
from sparsedm.serve.config import DEFAULT_PORT, read_config
from sparsedm.serve.load import TIMEOUT_SECONDS
from sparsedm.serve.protocol import Limits, Protocol
from sparsedm.serve.service import Service
from sparsedm.serve.telemetry import set_up_logging

log = logging.getLogger("sparsedm.serve")

FLUSH_SECONDS = 5
"""Time for clients to read their answers once everything is drawn."""
SPARE_FILES = 256
"""Open files besides connections: the model's files, libraries, the listener."""
HANDLED_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="artifact directory (default: $SPARSEDM_MODEL)")
    parser.add_argument(
        "--name", help="how clients call the model (default: $SPARSEDM_MODEL_NAME, or the directory's)"
    )
    parser.add_argument(
        "--engine", help="JSON of spec.engine of a SparseInferenceService (default: $SPARSEDM_ENGINE)"
    )
    parser.add_argument("--host", default="", help="address to listen on (default: all)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument(
        "--access-log", action=argparse.BooleanOptionalAction, default=None,
        help="log each request but probes (default: yes, unless $SPARSEDM_ACCESS_LOG is 0)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    set_up_logging()
    reporter = ReportClient.from_environment()
    try:
        with storage_explained():
            config = read_config(args.model, args.name, args.engine, args.host, args.port, args.access_log)
            url = os.environ.get("SPARSEDM_LOAD_URL")
            service = Service(config, reporter, http_ask(url, token_file(), TIMEOUT_SECONDS) if url else None)
            asyncio.run(serve(service, listen(config.host, config.port)))
    except SparseDMError as error:
        reporter.close(timeout=3.0, error={"reason": error.reason, "message": error.message})
        raise
    if service.busy:
        # The interpreter would wait for the model's thread, whose result no client needs any more.
        os._exit(0)
    return 0


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; "" listens on IPv6 and IPv4 where the machine has both. Raises ConfigError."""
    try:
        if host == "" and socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=2048)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            [f"The server can't listen on port {port} ({error.strerror}): choose another --port."]
        ) from error


class Server(uvicorn.Server):
    """Uvicorn's server, which leaves and drains before it stops listening."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._stopping: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn's restores the handlers before the last report is sent; `handled_signals` does so later."""
        yield

    @contextmanager
    def handled_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Runs in the main thread, between any two instructions of the event loop."""
        asyncio.get_running_loop().call_soon_threadsafe(self.on_stop_signal, signal.Signals(sig))

    def on_stop_signal(self, number: signal.Signals) -> None:
        """A terminating pod may get several SIGTERMs, so a second one changes nothing. A second Ctrl-C stops
        at once."""
        if self._stopping is None:
            log.info(
                "Stopping: what was accepted is finished first.", extra={"fields": {"signal": number.name}}
            )
            # A server in a terminal has no Service that routes to it.
            delay = self._service.config.drain_delay if number == signal.SIGTERM else 0.0
            self._stopping = asyncio.create_task(self._stop(delay))
        elif number == signal.SIGINT:
            self._service.give_up()
            self.should_exit = self.force_exit = True

    async def _stop(self, delay: float) -> None:
        await self._service.stop(delay)
        self.should_exit = True


def limits(max_queue: int) -> Limits:
    """A connection for each request that may wait, besides the default, within the limit of open files."""
    wanted = Limits.connections + max_queue
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted + SPARE_FILES:
        soft = min(hard, wanted + SPARE_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return Limits(connections=min(wanted, max(1, soft - SPARE_FILES)))


async def serve(service: Service, listener: socket.socket) -> None:
    """Listens from the start, so that health checks work while the model loads. Raises SparseDMError."""
    config = uvicorn.Config(
        create_app(service), http=partial(Protocol, limits=limits(service.config.engine.max_queue)),
        ws="none", log_config=None, access_log=False, lifespan="off", server_header=False,
        timeout_graceful_shutdown=FLUSH_SECONDS,
    )  # fmt: skip
    server = Server(config, service)
    with server.handled_signals():
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        working = asyncio.create_task(service.work())
        try:
            await asyncio.wait({working, serving}, return_when=asyncio.FIRST_COMPLETED)
            if working.done() and working.exception() is not None:
                server.should_exit = True
            await serving
            if working.done():
                working.result()
        finally:
            working.cancel()
            listener.close()
        service.close()
