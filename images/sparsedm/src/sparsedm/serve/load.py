"""The server's load: what the operator scales the service by.

The figures of a report are those of the time since the last one that got through, so none is lost with a
report. Refused images count as waiting and as arriving: a load that ends at the size of the queue would never
ask for more replicas than that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sparsedm.runtime.report_client import Ask, Refused

log = logging.getLogger("sparsedm.serve")

EVERY_SECONDS, IDLE_SECONDS = 2.0, 10.0
"""Between reports, while there are requests and while there are none, until the operator says otherwise."""
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
TIMEOUT_SECONDS = 2.0
"""For one try: a server that stops waits for it."""
MOST_TRIES = 8
"""Tries to reach the operator's leader: a Service sends each connection to any of its replicas."""
NOT_LEADER = 421
LEAST_REQUESTS = 0.001
"""Reported where there was any request since the last report."""


@dataclass(frozen=True)
class Work:
    """Images, and the denoising steps of all of them."""

    images: int
    steps: int

    def __add__(self, other: Work) -> Work:
        return Work(self.images + other.images, self.steps + other.steps)

    def __sub__(self, other: Work) -> Work:
        return Work(self.images - other.images, self.steps - other.steps)


NOTHING = Work(0, 0)


@dataclass(frozen=True)
class _Totals:
    """Since the start of the server."""

    at: float
    request_seconds: float
    arrived: Work
    refused: Work


class LoadMeter:
    """Counts requests and images.

    waiting: what is in the queue. speed: steps of one image in a second, in full batches (a step of 8 images
    counts as 8); 0 while the model is being loaded.
    """

    def __init__(
        self,
        waiting: Callable[[], Work],
        speed: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.requests = 0
        """Requests in the server that wait for images."""
        self.arrival = asyncio.Event()
        """Set by each request."""
        self._waiting = waiting
        self._speed = speed
        self._clock = clock
        self._changed = clock()
        self._request_seconds = 0.0
        self._arrived = NOTHING
        self._refused = NOTHING
        self._reported = self._totals()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Surrounds a request, from its arrival to its answer."""
        self._count(1)
        self.arrival.set()
        try:
            yield
        finally:
            self._count(-1)

    def accepted(self, work: Work) -> None:
        self._arrived += work

    def refused(self, work: Work) -> None:
        """A request for which there was no room, or no time."""
        self._arrived += work
        self._refused += work

    def displaced(self, work: Work) -> None:
        """A request that had been accepted, and for which there is no room any more."""
        self._refused += work

    def _count(self, change: int) -> None:
        now = self._clock()
        self._request_seconds += self.requests * (now - self._changed)
        self._changed = now
        self.requests += change

    def _totals(self) -> _Totals:
        self._count(0)
        return _Totals(self._changed, self._request_seconds, self._arrived, self._refused)

    @property
    def waiting_seconds(self) -> float:
        """Time in which this server draws the images that wait."""
        return self._seconds(self._waiting())

    def _seconds(self, work: Work) -> float:
        speed = self._speed()
        return work.steps / speed if speed else 0.0

    @property
    def idle(self) -> bool:
        return self.requests == 0

    def measure(self) -> tuple[dict[str, float], _Totals]:
        """A report's body, and what to pass to `reported` when it got through."""
        now, before = self._totals(), self._reported
        seconds = max(now.at - before.at, 1e-3)
        queued = self._waiting() + now.refused - before.refused
        request_seconds = now.request_seconds - before.request_seconds
        # Not rounded away: the operator may be about to stop a server to which a request has just come.
        least = LEAST_REQUESTS if self.requests or request_seconds else 0.0
        body = {
            "requests": max(least, round(request_seconds / seconds, 3)),
            "queuedImages": float(queued.images),
            "denoisingSeconds": round(self._seconds(queued), 3),
            "offeredLoad": round(self._seconds(now.arrived - before.arrived) / seconds, 3),
            "stepsPerSecond": round(self._speed(), 3),
        }
        return body, now

    def reported(self, totals: _Totals) -> None:
        self._reported = totals


class LoadReporter:
    """Reports to the operator's leader, more often while there are requests. Never fails the server."""

    def __init__(self, meter: LoadMeter, ask: Ask, beside: Callable[[], dict[str, Any]] = lambda: {}) -> None:
        """beside: what else a report says, by its names."""
        self._meter = meter
        self._ask = ask
        self._beside = beside
        self._failures = 0
        self._idle = IDLE_SECONDS
        self.by_gateway = False
        """Whether the operator sends the service's requests to its gateway."""

    async def run(self) -> None:
        while True:
            pause = await self.report()
            await asyncio.sleep(pause)
            if not self._failures and self._meter.idle:
                await self._arrival(self._idle - pause)

    async def _arrival(self, timeout: float) -> None:
        """Ends with the first request since the last report."""
        try:
            async with asyncio.timeout(max(0.0, timeout)):
                await self._meter.arrival.wait()
        except TimeoutError:
            return

    async def report(self) -> float:
        """Sends one report. Returns the seconds to wait after it, requests or not."""
        self._meter.arrival.clear()
        body, totals = self._meter.measure()
        try:
            answer = await self._ask_leader({**body, **self._beside()})
        except Refused as error:
            return self._failed(error)
        if self._failures:
            log.info("Load reports get through again.")
        self._failures = 0
        self._meter.reported(totals)
        self._idle = _seconds(answer.get("idleSeconds"), IDLE_SECONDS)
        self.by_gateway = answer.get("byGateway") is True
        return _seconds(answer.get("everySeconds"), EVERY_SECONDS)

    async def _ask_leader(self, body: dict[str, Any]) -> dict[str, Any]:
        """Raises Refused."""
        for _ in range(MOST_TRIES - 1):
            try:
                return await asyncio.to_thread(self._ask, body)
            except Refused as error:
                if error.status != NOT_LEADER:
                    raise
        return await asyncio.to_thread(self._ask, body)

    def _failed(self, error: Refused) -> float:
        self._failures += 1
        if self._failures == 1:
            log.warning("A load report did not get through (%s); reports go on.", error)
        backoff = min(LONGEST_PAUSE, EVERY_SECONDS * 2 ** min(self._failures - 1, 5))
        return backoff if error.retry_after is None else _seconds(error.retry_after, backoff)


def _seconds(value: Any, otherwise: float) -> float:
    """A pause that somebody else asked for, within bounds."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return otherwise
    return min(LONGEST_PAUSE, max(SHORTEST_PAUSE, float(value)))
