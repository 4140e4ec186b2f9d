"""What uvicorn's HTTP/1.1 lacks for a long-lived server: limits on time and number of connections,
errors as JSON, and an end to a connection whose framing is in doubt (RFC 9112, section 6.1)."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import CLOSE_HEADER, STATUS_PHRASES, H11Protocol

from sparsedm.serve.errors import ApiError

LARGEST_HEAD = 16 * 1024
"""Bytes of a request's target and headers."""


@dataclass(frozen=True)
class Limits:
    """Timeouts of a client in seconds, and the number of connections."""

    request: float = 15.0
    """From a request's first byte to its last, as the gateway gives to a head and to a body."""
    idle: float = 95.0
    """Between requests. Longer than a load balancer's, so that this side never closes a connection that the
    balancer is about to use."""
    age: float = 60.0
    """Of a connection; the next answer is then its last, so that clients who keep connections find new ways,
    to a gateway or to another version's pods, as those without do."""
    connections: int = 1024


class Connection(h11.Connection):
    """h11's, without the framing that two parsers could read differently. Remembers the error."""

    error: h11.RemoteProtocolError | None = None

    def next_event(self) -> Any:
        try:
            event = super().next_event()
            if isinstance(event, h11.Request):
                self._check(event)
        except h11.RemoteProtocolError as error:
            self.error = error
            raise
        return event

    def _check(self, request: h11.Request) -> None:
        names = {name for name, _ in request.headers}
        problem = None
        size = sum(len(name) + len(value) for name, value in request.headers) + len(request.target)
        if size > LARGEST_HEAD:  # h11 counts only an incomplete head
            problem = h11.RemoteProtocolError("The request's head is too large", error_status_hint=431)
        elif request.http_version not in (b"1.0", b"1.1"):
            problem = h11.RemoteProtocolError("Only HTTP/1.1 is spoken here", error_status_hint=505)
        elif b"transfer-encoding" in names and b"content-length" in names:
            problem = h11.RemoteProtocolError("Transfer-Encoding and Content-Length exclude each other")
        elif b"transfer-encoding" in names and request.http_version == b"1.0":
            problem = h11.RemoteProtocolError("HTTP/1.0 has no Transfer-Encoding")
        if problem is not None:
            self._process_error(self.their_role)
            raise problem


class Protocol(H11Protocol):
    """A connection."""

    def __init__(self, *args: Any, limits: Limits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = Connection(h11.SERVER, LARGEST_HEAD)
        self.idle_since: float | None = None
        self._limits = limits
        self._phase: str | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unsent = 0
        # Connections that came together do not all come again together.
        self._old_at = self.loop.time() + limits.age * random.uniform(0.75, 1.25)

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections and not self._end_an_idle_one():
            self._refuse(503, "This replica has too many connections: try again.", "too_many_connections")
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is None or self.cycle.response_started or self.loop.time() < self._old_at:
            return
        headers = self.cycle.scope["headers"]
        if CLOSE_HEADER not in headers:
            headers.append(CLOSE_HEADER)  # as if the client had said that this request is its last

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def timeout_keep_alive_handler(self) -> None:
        """Uvicorn's timer, which knows connections only from their first answer on; `_late` is ours."""

    def _should_upgrade(self) -> bool:
        """Ignores upgrades: the client goes on with HTTP/1.1."""
        return False

    def _watch(self) -> None:
        """Starts the timer of the client's next step, unless it runs already."""
        phase = self._next_phase()
        if phase == self._phase:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._phase, self._timer = phase, None
        self.idle_since = self.loop.time() if phase == "idle" else None
        if phase is not None:
            self._timer = self.loop.call_later(getattr(self._limits, phase), self._late)

    def _next_phase(self) -> str | None:
        """None while it is not the client's turn."""
        if self.transport.is_closing():
            return None
        if self.conn.their_state is h11.SEND_BODY:
            return "request"
        if self.conn.their_state is h11.IDLE:
            return "request" if self.conn.trailing_data[0] else "idle"
        return None

    def _late(self) -> None:
        phase, self._phase = self._phase, None
        if phase == "idle":
            self._end_idle()
        else:
            message = f"The request was not complete within {self._limits.request:g} s."
            self._refuse(408, message, "request_timeout")

    def _end_idle(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        if 0 < unsent < (self._unsent or unsent + 1):
            self._unsent = unsent  # a slow reader
            self._watch()
        elif unsent:
            self.transport.abort()
        else:
            self._drop()

    def _end_an_idle_one(self) -> bool:
        """Makes room by closing the connection that has been idle longest."""
        idle = [c for c in self.connections if c is not self and getattr(c, "idle_since", None) is not None]
        if not idle:
            return False
        min(idle, key=lambda connection: connection.idle_since)._drop()
        return True

    def send_400_response(self, msg: str) -> None:
        """Uvicorn calls it for anything that h11 can't parse."""
        error = self.conn.error
        status = 400 if error is None else error.error_status_hint
        text = msg if error is None else str(error)
        if status == 431:
            text = "The request's head is too large"
        self._refuse(status, f"{text.rstrip('.')}.", "invalid_request")

    def _refuse(self, status: int, message: str, code: str) -> None:
        """Answers if no answer has begun, and closes the connection."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            answer = ApiError(status, message, code, headers={"Connection": "close"}).response()
            response = h11.Response(
                status_code=status, headers=answer.raw_headers, reason=STATUS_PHRASES[status]
            )
            for event in (response, h11.Data(data=answer.body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event))
        self._drop()

    def shutdown(self) -> None:
        """Uvicorn calls it when everything accepted is drawn. Closes after the answer to a complete request;
        without one, at once."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            cycle.keep_alive = False
        else:
            self._drop()

    def _drop(self) -> None:
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
        self._watch()
