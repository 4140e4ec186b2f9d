"""Draws the images of many requests together, step by step.

Before each denoising step, images that wait take the free places of the batch, and images whose client has
gone leave it. So an image waits for no other's end, and each has its own number of steps. Who gets a place is
up to the queue (waiting.py). What waits is bounded in number, `max_queue`, and in the time that it takes: a
request beyond is refused, with the time after which to retry, computed from measured steps.

Everything here runs on one event loop; only `_steps` runs elsewhere, on the one thread that owns the model.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Protocol

from sparsedm.serve.gpu import ContextLost
from sparsedm.serve.metrics import Outcome
from sparsedm.serve.pace import Pace, ends
from sparsedm.serve.prompts import Condition, Guidance
from sparsedm.serve.spoilt import Spoilt
from sparsedm.serve.telemetry import current_request
from sparsedm.serve.waiting import FairQueue, Image, Previews

log = logging.getLogger("sparsedm.serve")

STUCK = 50
"""Times the measured step of a full batch after which a step is taken for stuck: others may share the
machine, and the first step of a size is recorded."""
LEAST_STUCK_SECONDS = 30.0
"""Until then no step is, however short the others are."""


class Drawing(Protocol):
    """What the batcher needs of the engine, on the engine's thread."""

    places: int
    """Images that a batch holds, which falls when memory runs out."""

    def begin(self, condition: Condition, seed: int, steps: int, guidance: Guidance | None) -> Any:
        """An image at its first step: a row, whose `left` is the number of steps left."""

    def again(self, row: Any) -> Any:
        """The same image at its first step, to be computed in the safest way."""

    def advance(self, rows: Sequence[Any]) -> None:
        """Takes the next step of each row. Where it raises, a row has moved by this step or not at all.
        Raises ContextLost where no later call can succeed."""

    def leave(self, rows: Sequence[Any]) -> None:
        """Rows that are not finished, and that nobody waits for any more."""

    def preview(self, row: Any) -> Any:
        """What a row's last step says that the image will be; None where that can't be shown."""

    def finish(self, rows: Sequence[Any]) -> Sequence[Any]:
        """An image or an error for each row without steps left; Spoilt for an image that came out wrong."""


class Watch(Protocol):
    """Is told what happens."""

    def steps(self, images: int, steps: int, seconds: float) -> None:
        """`steps` steps of a batch, each in `seconds`."""

    def waited(self, seconds: float) -> None:
        """An image has got its place."""

    def redrawn(self) -> None:
        """An image was spoilt, and begins again."""

    def ended(self, outcome: Outcome, images: int = 1) -> None:
        """Images have come to an end, one way or another."""


class Refused(Exception):
    """A request that could be accepted after `seconds`."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class QueueFull(Refused):
    def __init__(self, seconds: float) -> None:
        super().__init__("The queue is full: try again after Retry-After.", seconds)


class TooLate(Refused):
    """Drawn after its client has stopped waiting. `ever`: whether an idle server would be in time."""

    def __init__(self, needed: float, patience: float, ever: bool) -> None:
        remedy = "try again after Retry-After" if ever else "wait longer, or ask for less"
        super().__init__(
            f"Drawing would end in {needed:.1f} s, and the client waits for {patience:.1f} s: {remedy}.",
            needed - patience,
        )
        self.ever = ever


class Displaced(Refused):
    """Accepted, and then taken out of the queue for a client that had less of it."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "The queue is full, and other clients have less of it than you: try again after Retry-After.",
            seconds,
        )


class Draining(Exception):
    """The server is stopping and accepts nothing new."""


class Batcher:
    """`submit` images and await their futures. `run` is the loop that draws; `drain` ends it."""

    def __init__(
        self,
        engine: Drawing,
        executor: Executor,
        pace: Pace,
        max_delay: float,
        max_queue: int,
        watch: Watch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """clock: of the heartbeat."""
        self.max_queue = max_queue
        self.failures = 0
        """Consecutive times that nothing but errors came out of a batch."""
        self._engine = engine
        self._executor = executor
        self._pace = pace
        self._clock = clock
        self._max_delay = max_delay
        self._watch = watch
        self._queue = FairQueue()
        self._batch: list[Image] = []
        """The images being drawn."""
        self._beat: float | None = None
        """When the model's thread began the step that it is at; None while it has nothing to do."""
        self._logged: float | None = None
        """The beat of the stuck step that the log has."""
        self._changed = asyncio.Event()
        self._pause = False
        """Tells the model's thread that somebody comes or goes."""
        self._closing = False

    @property
    def places(self) -> int:
        """Images that a batch holds."""
        return self._engine.places

    @property
    def step_under_way(self) -> float:
        """Seconds since the model's thread began its present step; 0 while it has nothing to do."""
        beat = self._beat
        return 0.0 if beat is None else self._clock() - beat

    def is_stuck(self) -> bool:
        """Whether the present step takes longer than any step should. Logs each such step once."""
        beat, seconds = self._beat, self.step_under_way
        if seconds <= max(LEAST_STUCK_SECONDS, STUCK * self.step_seconds):
            return False
        if beat != self._logged:
            self._logged = beat
            log.error(
                "A step does not end, so this replica is not live any more.",
                extra={"fields": {"seconds": round(seconds, 1), **_named(self._batch)}},
            )
        return True

    @property
    def waiting(self) -> int:
        """Images that wait for a place."""
        return len(self._queue)

    @property
    def waiting_steps(self) -> int:
        return sum(image.steps for image in self._queue)

    @property
    def drawing(self) -> int:
        """Images that are being drawn."""
        return len(self._batch)

    @property
    def step_seconds(self) -> float:
        """Running mean of a full batch's step."""
        return self._pace.seconds(self.places)

    def seconds_alone(self, images: int, steps: int) -> float:
        """In which an idle server draws `images`."""
        times, together = math.ceil(images / self.places), min(images, self.places)
        return times * steps * self._pace.seconds(together)

    def most_images(self, within: float, steps: int) -> int:
        """How many an idle server draws in `within` seconds, at most a whole queue."""
        if within >= self.seconds_alone(self.max_queue, steps):
            return self.max_queue
        return min(self.max_queue, int(within / (steps * self.step_seconds)) * self.places)

    def seconds_to_finish(self) -> float:
        """Estimated time until everything accepted is drawn."""
        return self._estimate([])[0]

    def _estimate(self, images: Sequence[Image], without: Collection[Image] = ()) -> tuple[float, float]:
        """Seconds until everything accepted is drawn, and until `images` of it are; `without` images that
        leave the queue."""
        drawing = [image.left for image in self._batch]
        waiting = [image for image in self._queue if image not in without]
        ready = dict(
            zip(waiting, ends(drawing, (image.steps for image in waiting), self.places), strict=True)
        )
        step = self._pace.seconds(min(self.places, len(drawing) + len(waiting)))
        last = max([*drawing, *ready.values()], default=0)
        return last * step, max((ready[image] for image in images), default=0) * step

    def submit(
        self,
        condition: Condition,
        seeds: Sequence[int],
        steps: int,
        client: str = "",
        within: float = math.inf,
        patience: float = math.inf,
        guidance: Guidance | None = None,
        previews: Previews | None = None,
    ) -> list[asyncio.Future[Any]]:
        """All images of a request, or none: raises QueueFull, TooLate or Draining.

        within: seconds in which everything accepted has to be drawn; patience: those that the client waits.
        previews: of a request for one image.
        """
        if self._closing:
            raise Draining
        loop = asyncio.get_running_loop()
        images = [
            Image(
                client, condition, seed, steps, loop.time(), loop.create_future(), guidance, previews,
                current_request.get(),
            )
            for seed in seeds
        ]  # fmt: skip
        for image in images:
            image.request = images
            self._queue.push(image)
        try:
            displaced = self._make_room(images, within)
            self._check_patience(images, patience, displaced)
        except Refused:
            for image in images:
                self._queue.discard(image)
            raise
        for image in displaced:
            self._queue.discard(image)
            if not image.result.done():
                image.result.set_exception(Displaced(self._until_room(len(image.request))))
        for image in images:
            image.result.add_done_callback(partial(self._forget_cancelled, image))
        self._wake()
        return [image.result for image in images]

    def _make_room(self, images: Sequence[Image], within: float) -> set[Image]:
        """Which of the others leave, so that the images of a request fit. Raises QueueFull."""
        displaced: set[Image] = set()
        while not self._fits(within, displaced):
            more = self._queue.surplus(images[0].client, len(images), {*images, *displaced})
            if not more:
                raise QueueFull(max(self._until_room(0), self._estimate([])[0] - within))
            displaced.update(more)
        return displaced

    def _fits(self, within: float, without: Collection[Image]) -> bool:
        return self.waiting - len(without) <= self.max_queue and self._estimate([], without)[0] <= within

    def _check_patience(self, images: Sequence[Image], patience: float, displaced: Collection[Image]) -> None:
        _, own = self._estimate(images, displaced)
        if own > patience:
            ever = self.seconds_alone(len(images), images[0].steps) <= patience
            raise TooLate(own, patience, ever)

    def _until_room(self, wanted: int) -> float:
        """Seconds until the queue has room for `wanted` images at the measured rate."""
        accepted = [*self._batch, *self._queue]
        surplus = len(accepted) + wanted - self.max_queue
        steps = sum(image.left for image in accepted) / len(accepted) if accepted else 0.0
        return surplus * steps * self.step_seconds / self.places

    def _wake(self) -> None:
        """Somebody comes or goes: the loop looks again, after the step under way."""
        self._changed.set()
        self._pause = True

    def _forget_cancelled(self, image: Image, result: asyncio.Future[Any]) -> None:
        if result.cancelled():
            self._watch.ended("cancelled")
            self._queue.discard(image)
            self._wake()

    async def run(self) -> None:
        """Draws until `drain` was called and nothing is left. Raises ContextLost where nothing can be drawn
        any more; everything accepted has failed with Draining then, and nothing new is."""
        try:
            while self._batch or self._queue or not self._closing:
                if not self._batch and not self._queue:
                    await self._change()
                    continue
                await self._take_places()
                if self._batch:
                    await self._draw()
        except ContextLost:
            self._closing = True
            self.give_up()
            self._batch = []
            raise

    async def drain(self, loop_task: asyncio.Task[None]) -> None:
        """Refuses what is new, and returns when everything accepted has been drawn."""
        self._closing = True
        self._wake()
        await asyncio.shield(loop_task)

    def give_up(self) -> None:
        """Fails everything accepted with Draining, when there is no time left to draw it."""
        for image in [*self._batch, *self._queue]:
            if not image.result.done():
                image.result.set_exception(Draining())
                self._watch.ended("given_up")
        self._queue.clear()
        self._wake()

    async def _change(self, timeout: float | None = None) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _take_places(self) -> None:
        """Images without a client leave, and images that wait take the free places."""
        gone = [image for image in self._batch if image.result.done()]
        if gone:
            self._batch = [image for image in self._batch if image not in gone]
            rows = [image.row for image in gone if image.row is not None]
            await asyncio.get_running_loop().run_in_executor(self._executor, self._engine.leave, rows)
        if not self._batch:
            await self._fill()
        while self._queue and self.drawing < self.places:
            image = self._queue.pop()
            if not image.result.done():
                self._watch.waited(asyncio.get_running_loop().time() - image.since)
                self._batch.append(image)

    async def _fill(self) -> None:
        """Waits for more images until the oldest has waited `max_delay`."""
        clock = asyncio.get_running_loop().time
        while 0 < self.waiting < self.places and not self._closing:
            left = min(image.since for image in self._queue) + self._max_delay - clock()
            if left <= 0:
                return
            await self._change(left)

    async def _draw(self) -> None:
        """Steps of the batch until an image is ready, or somebody comes or goes."""
        loop = asyncio.get_running_loop()
        batch, started, self._pause = self._batch, loop.time(), False
        try:
            steps, ready = await self._on_model(batch)
        except ContextLost:
            raise
        except Exception as error:
            # Whatever the error, the clients of this batch get an answer and the others are drawn.
            log.error("A batch failed.", exc_info=error, extra={"fields": _named(batch)})
            self._hand_out(await self._one_by_one(batch, error))
            return
        seconds = (loop.time() - started) / steps
        if len(batch) <= self.places:  # else it was cut, as memory ran out
            self._pace.add(len(batch), seconds, steps)
        self._watch.steps(len(batch), steps, seconds)
        self._hand_out(ready)

    async def _on_model(self, batch: Sequence[Image], most: float = math.inf) -> tuple[int, dict[Image, Any]]:
        """`_steps`, with a heartbeat."""
        self._beat = self._clock()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, self._steps, batch, most)
        finally:
            self._beat = None

    def _steps(self, batch: Sequence[Image], most: float = math.inf) -> tuple[int, dict[Image, Any]]:
        """On the model's thread: the number of steps taken, and the images that are ready."""
        for image in batch:
            if image.row is None:
                image.row = self._engine.begin(image.condition, image.seed, image.steps, image.guidance)
        rows, taken = [image.row for image in batch], 0
        while all(row.left for row in rows) and taken < most:
            self._engine.advance(rows)
            taken += 1
            self._beat = self._clock()
            self._show(batch)
            if self._pause:
                break
        ready = [image for image in batch if image.left == 0]
        images = self._engine.finish([image.row for image in ready]) if ready else []
        ended = dict(zip(ready, images, strict=True))
        spoilt = {image: drawn for image, drawn in ended.items() if isinstance(drawn, Spoilt)}
        for image, drawn in spoilt.items():
            if not image.again:
                del ended[image]
                self._once_more(image, drawn)
        return taken, ended

    def _once_more(self, image: Image, why: Spoilt) -> None:
        """It keeps its place, from its first step."""
        log.warning("An image is drawn again, densely.", extra={"fields": {"why": str(why)}})
        self._watch.redrawn()
        image.row, image.again = self._engine.again(image.row), True

    def _show(self, batch: Sequence[Image]) -> None:
        for image in batch:
            previews = image.previews
            if previews is None or not previews.due(image.steps - image.left, image.steps):
                continue
            pixels = self._engine.preview(image.row)
            if pixels is not None:
                previews.show(previews.shown, pixels)
                previews.shown += 1

    async def _one_by_one(self, batch: Sequence[Image], error: Exception) -> dict[Image, Any]:
        """After a failed step: takes it for each image alone, so that a bad one does not fail the others."""
        if len(batch) == 1:
            return {batch[0]: error}
        ended: dict[Image, Any] = {}
        for image in batch:
            try:
                _, ready = await self._on_model([image], 1)
            except ContextLost:
                raise
            except Exception as own:
                ready = {image: own}
            ended.update(ready)
        return ended

    def _hand_out(self, ended: Mapping[Image, Any]) -> None:
        """Images and errors to those who wait for them."""
        if not ended:
            return
        failed = sum(isinstance(image, Exception) for image in ended.values())
        self.failures = self.failures + 1 if failed == len(ended) else 0
        self._batch = [image for image in self._batch if image not in ended]
        for image, drawn in ended.items():
            if image.result.done():
                continue
            self._watch.ended(outcome_of(drawn))
            if isinstance(drawn, Exception):
                image.result.set_exception(drawn)
            else:
                image.result.set_result(drawn)


def _named(batch: Sequence[Image]) -> dict[str, Any]:
    """For the log: how many images a batch has, and the ids of their requests, each once."""
    return {"images": len(batch), "requestIds": list(dict.fromkeys(image.request_id for image in batch))}


def outcome_of(drawn: Any) -> Outcome:
    if isinstance(drawn, Spoilt):
        return drawn.outcome
    return "failed" if isinstance(drawn, Exception) else "drawn"
