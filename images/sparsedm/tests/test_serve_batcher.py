"""Batching: what shares a batch, when it starts, what is refused, and how it ends."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from sparsedm.serve.batcher import Batcher, Draining, QueueFull
from sparsedm.serve.pace import Pace


class Painter:
    """Draws (label, seed) pairs; `gate` holds a batch back until it is set."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Semaphore(0)

    def draw(self, labels: Sequence[int | None], seeds: Sequence[int]) -> list[tuple[int | None, int]]:
        self.begun.release()
        self.gate.wait(30)
        self.batches.append(list(seeds))
        if -1 in seeds:
            raise RuntimeError("no such seed")
        return list(zip(labels, seeds, strict=True))


def run(
    scenario: Callable[[Batcher, Painter], Awaitable[None]],
    max_batch: int = 4,
    max_delay: float = 0.0,
    max_queue: int = 8,
    seconds: float = 1e-3,
) -> Painter:
    """Runs a scenario, then drains. Batches are said to take `seconds`, whatever their size."""
    painter = Painter()

    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            pace = Pace({max_batch: seconds})
            batcher = Batcher(painter.draw, executor, pace, max_batch, max_delay, max_queue)
            loop = asyncio.create_task(batcher.run())
            try:
                async with asyncio.timeout(30):
                    await scenario(batcher, painter)
                    painter.gate.set()
                    await batcher.drain(loop)
            finally:
                painter.gate.set()
                loop.cancel()

    asyncio.run(main())
    return painter


async def in_batch(painter: Painter) -> None:
    """Returns when a batch is being drawn."""
    await asyncio.to_thread(painter.begun.acquire)


def test_each_image_comes_back_to_its_own_request() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        first, second = batcher.submit([1, 1], [10, 11]), batcher.submit([2], [20])
        assert await asyncio.gather(*first, *second) == [(1, 10), (1, 11), (2, 20)]

    assert run(scenario).batches == [[10, 11, 20]]


def test_what_waits_is_drawn_together_up_to_the_limit() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        batcher.submit([0], [0])
        await in_batch(painter)
        for seed in range(1, 7):
            batcher.submit([0], [seed])
        assert (batcher.drawing, batcher.waiting) == (1, 6)

    assert run(scenario).batches == [[0], [1, 2, 3, 4], [5, 6]]


def test_a_request_larger_than_a_batch_is_drawn_in_several() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        images = await asyncio.gather(*batcher.submit([0] * 6, range(6)))
        assert [seed for _, seed in images] == list(range(6))

    assert run(scenario).batches == [[0, 1, 2, 3], [4, 5]]


def test_a_batch_waits_for_others_until_it_is_full() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        first = batcher.submit([0] * 2, [0, 1])
        await asyncio.sleep(0)
        second = batcher.submit([0] * 2, [2, 3])
        await asyncio.gather(*first, *second)

    assert run(scenario, max_delay=20.0).batches == [[0, 1, 2, 3]]


def test_a_batch_starts_after_the_delay_though_it_is_not_full() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        await asyncio.gather(*batcher.submit([0], [0]))

    assert run(scenario, max_delay=0.02).batches == [[0]]


def test_beyond_the_queue_a_request_is_refused_whole_with_a_time() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        batcher.submit([0], [0])
        await in_batch(painter)
        batcher.submit([0] * 7, range(1, 8))
        with pytest.raises(QueueFull) as full:
            batcher.submit([0] * 2, [8, 9])
        # 1 is drawn, 7 wait, 2 come: 2 too many, at half an image a second.
        assert full.value.retry_after == 4
        assert batcher.waiting == 7
        batcher.submit([0], [8])

    # 4 images in 8 s: half an image a second.
    assert [seed for batch in run(scenario, seconds=8.0).batches for seed in batch] == list(range(9))


def test_beyond_the_time_allowed_a_request_is_refused_whole() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        batcher.submit([0] * 4, range(4), within=8.0)
        await in_batch(painter)
        batcher.submit([0] * 3, range(4, 7), within=16.0)
        batcher.submit([0], [7], within=16.0)  # in the same batch as the three before
        with pytest.raises(QueueFull) as full:
            batcher.submit([0], [8], within=16.5)
        # Two batches are accepted and a third would follow: 24 s, 7.5 s more than there is.
        assert full.value.retry_after == 8
        assert 15 < batcher.seconds_to_finish() <= 16

    assert run(scenario, seconds=8.0).batches == [[0, 1, 2, 3], [4, 5, 6, 7]]


@pytest.mark.parametrize(("within", "want"), [(7.9, 0), (8.0, 4), (23.0, 8), (24.0, 10), (math.inf, 10)])
def test_what_is_drawn_in_a_time_are_whole_batches_of_at_most_a_queue(within: float, want: int) -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        assert batcher.most_images(within) == want

    run(scenario, max_queue=10, seconds=8.0)


def test_a_batch_that_is_not_full_counts_its_own_time() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        batcher._pace.add(1, 2.0)
        assert batcher.seconds_to_finish(5) == 10.0, "four images together, and one alone"
        painter.gate.clear()
        batcher.submit([0], [0])
        await in_batch(painter)
        assert 1 < batcher.seconds_to_finish() <= 2

    run(scenario, seconds=8.0)


def test_what_cannot_be_drawn_in_time_is_given_up_with_the_batch_under_way() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        accepted = batcher.submit([0] * 6, range(6))
        await in_batch(painter)
        batcher.give_up()
        results = await asyncio.gather(*accepted, return_exceptions=True)
        assert [type(result) for result in results] == [Draining] * 6

    assert run(scenario).batches == [[0, 1, 2, 3]], "nothing more is begun"


def test_cancelled_images_are_not_drawn_and_make_room() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        batcher.submit([0], [0])
        await in_batch(painter)
        for image in batcher.submit([0] * 8, range(1, 9)):
            image.cancel()
        await asyncio.sleep(0)
        assert batcher.waiting == 0
        batcher.submit([0], [9])

    assert run(scenario).batches == [[0], [9]]


def test_a_failed_batch_fails_its_requests_and_no_other() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        with pytest.raises(RuntimeError, match="no such seed"):
            await asyncio.gather(*batcher.submit([0], [-1]))
        assert batcher.failures == 1
        assert await asyncio.gather(*batcher.submit([0], [1])) == [(0, 1)]
        assert batcher.failures == 0

    run(scenario)


def test_a_row_that_fails_spoils_no_other_row_of_its_batch() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        accepted = batcher.submit([0] * 3, [1, -1, 2])
        first, second, third = await asyncio.gather(*accepted, return_exceptions=True)
        assert (first, third) == ((0, 1), (0, 2))
        assert isinstance(second, RuntimeError)
        assert batcher.failures == 0, "something came of the batch"

    assert run(scenario).batches == [[1, -1, 2], [1], [-1], [2]]


def test_draining_draws_what_was_accepted_and_refuses_the_rest() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        accepted = batcher.submit([0] * 6, range(6))
        await in_batch(painter)
        ended = asyncio.create_task(batcher.drain(asyncio.create_task(asyncio.sleep(0))))
        await asyncio.sleep(0)
        with pytest.raises(Draining):
            batcher.submit([0], [9])
        painter.gate.set()
        assert len(await asyncio.gather(*accepted)) == 6
        await ended

    assert run(scenario).batches == [[0, 1, 2, 3], [4, 5]]
