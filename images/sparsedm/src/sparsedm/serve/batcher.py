"""Draws the images of many requests in batches.

A batch starts when it is full, or when its oldest image has waited for `max_delay` seconds. What waits is
bounded in number, `max_queue`, and in the time that it takes: a request beyond is refused, with the time
after which to retry, computed from measured batches. Cancelled images leave the queue at once.

Everything here runs on one event loop; only `draw` runs elsewhere, on the one thread that owns the model.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from sparsedm.serve.pace import Pace
from sparsedm.serve.prompts import Condition

log = logging.getLogger("sparsedm.serve")

Draw = Callable[[Sequence[Condition], Sequence[int]], Sequence[Any]]
"""(conditions, seeds) -> an image or an error for each."""


class QueueFull(Exception):
    def __init__(self, retry_after: int) -> None:
        super().__init__(f"The queue is full: try again in {retry_after} s.")
        self.retry_after = retry_after


class Draining(Exception):
    """The server is stopping and accepts nothing new."""


@dataclass(eq=False)
class _Row:
    condition: Condition
    seed: int
    enqueued: float
    result: asyncio.Future[Any]


class Batcher:
    """`submit` images and await their futures. `run` is the loop that draws; `drain` ends it."""

    def __init__(
        self,
        draw: Draw,
        executor: Executor,
        pace: Pace,
        max_batch: int,
        max_delay: float,
        max_queue: int,
        on_batch: Callable[[int, int, float], None] = lambda drawn, failed, seconds: None,
    ) -> None:
        self.max_queue = max_queue
        self.failures = 0
        """Consecutive batches that failed as a whole."""
        self._draw = draw
        self._executor = executor
        self._pace = pace
        self._max_batch = max_batch
        self._max_delay = max_delay
        self._on_batch = on_batch
        self._queue: deque[_Row] = deque()
        self._changed = asyncio.Event()
        self._closing = False
        self._batch: list[_Row] = []
        """The images being drawn."""
        self._started = 0.0
        """When the batch that is being drawn began, in the event loop's time."""

    @property
    def waiting(self) -> int:
        """Images that wait for a batch."""
        return len(self._queue)

    @property
    def drawing(self) -> int:
        """Images in the batch that is being drawn."""
        return len(self._batch)

    @property
    def batch_seconds(self) -> float:
        """Running mean of a full batch's time."""
        return self._pace.seconds(self._max_batch)

    def most_images(self, within: float) -> int:
        """How many an idle server draws in `within` seconds, at most a whole queue."""
        if within >= self._seconds_for(self.max_queue):
            return self.max_queue
        return min(self.max_queue, int(within / self.batch_seconds) * self._max_batch)

    def seconds_to_finish(self, more: int = 0) -> float:
        """Estimated time until everything accepted, and `more` images, are drawn."""
        now = asyncio.get_running_loop().time()
        current = max(0.0, self._started + self._pace.seconds(self.drawing) - now) if self._batch else 0.0
        return current + self._seconds_for(self.waiting + more)

    def _seconds_for(self, rows: int) -> float:
        full, rest = divmod(rows, self._max_batch)
        return full * self.batch_seconds + (self._pace.seconds(rest) if rest else 0.0)

    def submit(
        self, conditions: Sequence[Condition], seeds: Sequence[int], within: float = math.inf
    ) -> list[asyncio.Future[Any]]:
        """All images of a request, or none: raises QueueFull or Draining.

        within: seconds in which everything accepted has to be drawn.
        """
        if self._closing:
            raise Draining
        late = self.seconds_to_finish(len(seeds)) - within
        if self.waiting + len(seeds) > self.max_queue or late > 0:
            raise QueueFull(math.ceil(max(1.0, self._until_room(len(seeds)), late)))
        loop = asyncio.get_running_loop()
        rows = [
            _Row(condition, seed, loop.time(), loop.create_future())
            for condition, seed in zip(conditions, seeds, strict=True)
        ]
        for row in rows:
            row.result.add_done_callback(self._forget_cancelled)
        self._queue.extend(rows)
        self._changed.set()
        return [row.result for row in rows]

    def _until_room(self, wanted: int) -> float:
        """Seconds until the queue has room for `wanted` images at the measured rate."""
        surplus = self.waiting + self.drawing + wanted - self.max_queue
        return surplus * self.batch_seconds / self._max_batch

    def _forget_cancelled(self, result: asyncio.Future[Any]) -> None:
        if result.cancelled():
            self._queue = deque(row for row in self._queue if not row.result.cancelled())

    async def run(self) -> None:
        """Draws batches until `drain` was called and the queue is empty."""
        while self._queue or not self._closing:
            if not self._queue:
                await self._change()
                continue
            await self._fill()
            batch = [self._queue.popleft() for _ in range(min(self.waiting, self._max_batch))]
            if batch:
                await self._draw_batch(batch)

    async def drain(self, loop_task: asyncio.Task[None]) -> None:
        """Refuses what is new, and returns when everything accepted has been drawn."""
        self._closing = True
        self._changed.set()
        await asyncio.shield(loop_task)

    def give_up(self) -> None:
        """Fails everything accepted with Draining, when there is no time left to draw it."""
        for row in [*self._batch, *self._queue]:
            if not row.result.done():
                row.result.set_exception(Draining())
        self._queue.clear()

    async def _change(self, timeout: float | None = None) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _fill(self) -> None:
        """Waits for more images until the oldest has waited `max_delay`."""
        clock = asyncio.get_running_loop().time
        while 0 < self.waiting < self._max_batch and not self._closing:
            left = self._queue[0].enqueued + self._max_delay - clock()
            if left <= 0:
                return
            await self._change(left)

    async def _draw_batch(self, batch: list[_Row]) -> None:
        loop = asyncio.get_running_loop()
        self._batch, self._started = batch, loop.time()
        try:
            images = await self._drawn(batch)
        finally:
            self._batch = []
        failed = sum(isinstance(image, Exception) for image in images)
        self.failures = self.failures + 1 if failed == len(batch) else 0
        self._on_batch(len(batch) - failed, failed, loop.time() - self._started)
        for row, image in zip(batch, images, strict=True):
            if row.result.done():
                continue
            if isinstance(image, Exception):
                row.result.set_exception(image)
            else:
                row.result.set_result(image)

    async def _drawn(self, batch: Sequence[_Row]) -> Sequence[Any]:
        """An image or an error for each. A failed batch is drawn again one by one, so that one bad
        image does not fail the others."""
        loop = asyncio.get_running_loop()
        conditions, seeds = [p.condition for p in batch], [p.seed for p in batch]
        started = loop.time()
        try:
            images = await loop.run_in_executor(self._executor, self._draw, conditions, seeds)
        except Exception as error:
            # Whatever the error, the clients of this batch get an answer and the next batch is tried.
            log.error("A batch failed.", exc_info=error, extra={"fields": {"images": len(batch)}})
            if len(batch) == 1:
                return [error]
            return [image for row in batch for image in await self._drawn([row])]
        self._pace.add(len(batch), loop.time() - started)
        return images
