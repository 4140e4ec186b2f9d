"""Batching: what shares a batch, when it starts, what is refused, and how it ends."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from sparsedm.serve.batcher import Batcher, Displaced, Draining, QueueFull, TooLate
from sparsedm.serve.gpu import ContextLost
from sparsedm.serve.pace import Pace
from sparsedm.serve.spoilt import Flat
from sparsedm.serve.telemetry import current_request
from sparsedm.serve.waiting import Previews


@dataclass
class Row:
    label: int | None
    seed: int
    left: int
    again: bool = False


class Painter:
    """Draws (label, seed) pairs; `gate` holds a step back until it is set."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.batches: list[list[int]] = []
        """The seeds of each step."""
        self.outcomes: Counter[str] = Counter()
        self.now = 0.0
        """Time of the heartbeat."""
        self.left: list[int] = []
        """Seeds of the images that nobody waits for any more."""
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Semaphore(0)

    def steps(self, images: int, steps: int, seconds: float) -> None:
        pass

    def waited(self, seconds: float) -> None:
        self.outcomes["begun"] += 1

    def redrawn(self) -> None:
        self.outcomes["redrawn"] += 1

    def ended(self, outcome: str, images: int = 1) -> None:
        self.outcomes[outcome] += images

    def begin(self, label: int | None, seed: int, steps: int, guidance: object = None) -> Row:
        return Row(label, seed, steps)

    def again(self, row: Row) -> Row:
        return Row(row.label, row.seed, 2, again=True)

    def leave(self, rows: Sequence[Row]) -> None:
        self.left += [row.seed for row in rows]

    def preview(self, row: Row) -> tuple[int | None, int, int] | None:
        return None if row.seed == -9 else (row.label, row.seed, row.left)

    def advance(self, rows: Sequence[Row]) -> None:
        self.begun.release()
        self.gate.wait(30)
        self.batches.append([row.seed for row in rows])
        if any(row.seed == -1 for row in rows):
            raise RuntimeError("no such seed")
        if any(row.seed == -3 for row in rows):
            raise ContextLost(RuntimeError("an illegal memory access"))
        for row in rows:
            row.left -= 1

    def finish(self, rows: Sequence[Row]) -> list[tuple[int | None, int] | Exception]:
        return [self.outcome(row) for row in rows]

    def outcome(self, row: Row) -> tuple[int | None, int] | Exception:
        """-2 fails, -4 is spoilt at the first try, -5 at both."""
        if row.seed == -2:
            return ValueError("black")
        if row.seed == -5 or (row.seed == -4 and not row.again):
            return Flat(row.seed)
        return row.label, row.seed


def run(
    scenario: Callable[[Batcher, Painter], Awaitable[None]],
    max_batch: int = 4,
    max_delay: float = 0.0,
    max_queue: int = 8,
    seconds: float = 1e-3,
) -> Painter:
    """Runs a scenario, then drains. Steps are said to take `seconds`, whatever the size of the batch."""
    painter = Painter(max_batch)

    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            pace = Pace({max_batch: seconds})
            batcher = Batcher(
                painter, executor, pace, max_delay, max_queue, painter, clock=lambda: painter.now
            )
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


async def in_step(painter: Painter) -> None:
    """Returns when a step has begun that was not waited for before."""
    await asyncio.to_thread(painter.begun.acquire)


def test_each_image_comes_back_to_its_own_request() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        first, second = batcher.submit(1, [10, 11], 1), batcher.submit(2, [20], 1)
        assert await asyncio.gather(*first, *second) == [(1, 10), (1, 11), (2, 20)]

    assert run(scenario).batches == [[10, 11, 20]]


def test_what_waits_is_drawn_together_up_to_the_limit() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        batcher.submit(0, [0], 1)
        await in_step(painter)
        for seed in range(1, 7):
            batcher.submit(0, [seed], 1)
        assert (batcher.drawing, batcher.waiting) == (1, 6)

    assert run(scenario).batches == [[0], [1, 2, 3, 4], [5, 6]]


def test_a_request_larger_than_a_batch_is_drawn_in_several() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        images = await asyncio.gather(*batcher.submit(0, range(6), 1))
        assert [seed for _, seed in images] == list(range(6))

    assert run(scenario).batches == [[0, 1, 2, 3], [4, 5]]


def test_images_join_between_steps_and_leave_after_their_own_number() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        (long,) = batcher.submit(0, [0], 4)
        await in_step(painter)
        (short,) = batcher.submit(0, [1], 2)
        painter.gate.set()
        assert await short == (0, 1)
        assert await long == (0, 0)

    batches = run(scenario).batches
    assert batches[0] == [0], "alone at first"
    assert batches == [[0], [0, 1], [0, 1], [0]]


def test_a_place_that_becomes_free_is_taken_at_the_next_step() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        await asyncio.gather(
            *batcher.submit(0, [0], 1), *batcher.submit(0, [1, 2], 3), *batcher.submit(0, [3], 2)
        )

    assert run(scenario, max_batch=3).batches == [[0, 1, 2], [1, 2, 3], [1, 2, 3]]


def test_a_batch_waits_for_others_until_it_is_full() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        first = batcher.submit(0, [0, 1], 1)
        await asyncio.sleep(0)
        second = batcher.submit(0, [2, 3], 1)
        await asyncio.gather(*first, *second)

    assert run(scenario, max_delay=20.0).batches == [[0, 1, 2, 3]]


def test_a_batch_starts_after_the_delay_though_it_is_not_full() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        await asyncio.gather(*batcher.submit(0, [0], 1))

    assert run(scenario, max_delay=0.02).batches == [[0]]


def test_clients_take_turns_however_many_images_one_of_them_has() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        batcher.submit(0, [0], 1, client="other")
        await in_step(painter)
        batcher.submit(0, range(10, 16), 1, client="many")
        batcher.submit(0, [20, 21], 1, client="few")

    assert run(scenario, max_batch=2).batches == [[0], [10, 20], [11, 21], [12, 13], [14, 15]]


def test_beyond_the_queue_a_request_is_refused_whole_with_a_time() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        batcher.submit(0, [0], 1)
        await in_step(painter)
        batcher.submit(0, range(1, 8), 1)
        with pytest.raises(QueueFull) as full:
            batcher.submit(0, [8, 9], 1)
        # 1 is drawn, 7 wait, 2 come: 2 too many, at half an image a second.
        assert full.value.seconds == 4
        assert batcher.waiting == 7
        batcher.submit(0, [8], 1)

    # 4 images in 8 s: half an image a second.
    assert [seed for batch in run(scenario, seconds=8.0).batches for seed in batch] == list(range(9))


def test_beyond_the_time_allowed_a_request_is_refused_whole() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        batcher.submit(0, range(4), 1, within=8.0)
        await in_step(painter)
        batcher.submit(0, range(4, 7), 1, within=16.0)
        batcher.submit(0, [7], 1, within=16.0)  # beside the three before
        with pytest.raises(QueueFull) as full:
            batcher.submit(0, [8], 1, within=16.5)
        # Two batches are accepted and a third would follow: 24 s, 7.5 s more than there is.
        assert full.value.seconds == 7.5
        assert batcher.seconds_to_finish() == 16

    assert run(scenario, seconds=8.0).batches == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_what_comes_too_late_for_its_client_is_refused_at_once() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        batcher.submit(0, range(4), 3)
        await in_step(painter)
        batcher.submit(0, [4], 2, patience=40.0)  # 3 steps until a place is free, and 2 of its own
        with pytest.raises(
            TooLate, match=r"Drawing would end in 40\.0 s, and the client waits for 39\.0 s: try"
        ) as late:
            batcher.submit(0, [5], 2, patience=39.0)
        assert (late.value.seconds, late.value.ever) == (1.0, True)
        with pytest.raises(TooLate, match="wait longer, or ask for less") as never:
            batcher.submit(0, [5], 2, patience=15.0)
        assert not never.value.ever, "an idle server takes 16 s"
        assert batcher.waiting == 1

    run(scenario, seconds=8.0)


def test_a_new_client_is_in_time_where_one_with_many_images_is_too_late() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        batcher.submit(0, range(4), 1, client="many")
        await in_step(painter)
        batcher.submit(0, range(4, 8), 1, client="many")
        with pytest.raises(TooLate):
            batcher.submit(0, [8], 1, client="many", patience=16.0)
        batcher.submit(0, [9], 1, client="new", patience=16.0)

    batches = run(scenario, seconds=8.0).batches
    assert 9 in batches[1], "beside those that came before"


@pytest.mark.parametrize(("within", "want"), [(15.9, 0), (16.0, 4), (47.0, 8), (48.0, 10), (math.inf, 10)])
def test_what_is_drawn_in_a_time_are_whole_batches_of_at_most_a_queue(within: float, want: int) -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        assert batcher.most_images(within, steps=2) == want

    run(scenario, max_queue=10, seconds=8.0)


def test_a_batch_that_is_not_full_counts_its_own_time() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        batcher._pace.add(1, 2.0)
        assert batcher.seconds_alone(1, steps=3) == 6.0
        assert batcher.seconds_alone(4, steps=3) == 24.0
        painter.gate.clear()
        batcher.submit(0, [0], 3)
        await in_step(painter)
        assert batcher.seconds_to_finish() == 6.0

    run(scenario, seconds=8.0)


def test_what_cannot_be_drawn_in_time_is_given_up_with_the_step_under_way() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        accepted = batcher.submit(0, range(6), 5)
        await in_step(painter)
        batcher.give_up()
        results = await asyncio.gather(*accepted, return_exceptions=True)
        assert [type(result) for result in results] == [Draining] * 6

    painter = run(scenario)
    assert painter.batches == [[0, 1, 2, 3]], "no further step is taken"
    assert painter.outcomes == {"begun": 4, "given_up": 6}


def test_cancelled_images_are_not_drawn_and_make_room() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        batcher.submit(0, [0], 1)
        await in_step(painter)
        for image in batcher.submit(0, range(1, 9), 1):
            image.cancel()
        await asyncio.sleep(0)
        assert batcher.waiting == 0
        batcher.submit(0, [9], 1)

    assert run(scenario).batches == [[0], [9]]


def test_a_cancelled_image_leaves_the_batch_at_the_next_step() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        (gone,), stays = batcher.submit(0, [0], 9), batcher.submit(0, [1], 3)
        await in_step(painter)
        gone.cancel()
        await asyncio.sleep(0)
        painter.gate.set()
        assert await asyncio.gather(*stays) == [(0, 1)]

    painter = run(scenario)
    assert painter.batches == [[0, 1], [1], [1]]
    assert painter.left == [0]
    assert painter.outcomes == {"begun": 2, "cancelled": 1, "drawn": 1}


def test_a_failed_batch_fails_its_requests_and_no_other() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        with pytest.raises(RuntimeError, match="no such seed"):
            await asyncio.gather(*batcher.submit(0, [-1], 1))
        assert batcher.failures == 1
        assert await asyncio.gather(*batcher.submit(0, [1], 1)) == [(0, 1)]
        assert batcher.failures == 0

    run(scenario)


def test_a_row_that_fails_spoils_no_other_row_of_its_batch() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        accepted = batcher.submit(0, [1, -1, 2], 2)
        first, second, third = await asyncio.gather(*accepted, return_exceptions=True)
        assert (first, third) == ((0, 1), (0, 2))
        assert isinstance(second, RuntimeError)
        assert batcher.failures == 0, "something came of the batch"

    assert run(scenario).batches == [[1, -1, 2], [1], [-1], [2], [1, 2]]


def test_images_that_end_as_errors_count_as_a_failure_where_none_is_good() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        await asyncio.gather(*batcher.submit(0, [-2, -2], 1), return_exceptions=True)
        assert batcher.failures == 1
        await asyncio.gather(*batcher.submit(0, [-2, 5], 1), return_exceptions=True)
        assert batcher.failures == 0

    run(scenario)


def test_an_image_that_is_spoilt_is_drawn_once_more_and_then_an_error_for_itself_alone() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        accepted = batcher.submit(0, [-4, -5, 1], 1)
        saved, spoilt, good = await asyncio.gather(*accepted, return_exceptions=True)
        assert (saved, good) == ((0, -4), (0, 1))
        assert isinstance(spoilt, Flat)
        assert batcher.failures == 0, "something came of the batch"

    painter = run(scenario)
    assert painter.batches == [[-4, -5, 1], [-4, -5], [-4, -5]]
    assert painter.outcomes == {"begun": 3, "redrawn": 2, "drawn": 2, "flat": 1}


def test_a_batch_has_fewer_places_once_memory_ran_out() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        first = batcher.submit(0, range(4), 1)
        await in_step(painter)
        rest = batcher.submit(0, range(4, 8), 1)
        painter.places = 2  # within the step: the engine cuts the batch itself
        painter.gate.set()
        await asyncio.gather(*first, *rest)

    assert run(scenario).batches == [[0, 1, 2, 3], [4, 5], [6, 7]]


def test_when_the_gpu_is_lost_the_loop_ends_and_everything_may_go_elsewhere() -> None:
    async def scenario(batcher: Batcher, _: Painter) -> None:
        accepted = batcher.submit(0, [1, 2, 3, -3, 4], 1)
        results = await asyncio.gather(*accepted, return_exceptions=True)
        assert [type(result) for result in results] == [Draining] * 5
        with pytest.raises(Draining):
            batcher.submit(0, [1], 1)

    with pytest.raises(ContextLost, match="an illegal memory access"):
        run(scenario)


def test_a_step_that_does_not_end_is_seen_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """50 times the measured 2 s are too much; between steps, nothing is."""

    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.now = 1e6
        assert not batcher.is_stuck()
        painter.gate.clear()
        for request, seeds in (("one", [1, 2]), ("two", [3])):
            current_request.set(request)
            batcher.submit(0, seeds, 2)
        await in_step(painter)
        painter.now += 100.0
        assert (batcher.step_under_way, batcher.is_stuck()) == (100.0, False)
        assert not caplog.records
        painter.now += 1.0
        assert batcher.is_stuck()
        assert batcher.is_stuck()
        (record,) = caplog.records
        assert record.fields == {"seconds": 101.0, "images": 3, "requestIds": ["one", "two"]}
        painter.gate.set()
        await in_step(painter)
        assert not batcher.is_stuck()

    run(scenario, seconds=2.0)


def test_draining_draws_what_was_accepted_and_refuses_the_rest() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        accepted = batcher.submit(0, range(6), 1)
        await in_step(painter)
        ended = asyncio.create_task(batcher.drain(asyncio.create_task(asyncio.sleep(0))))
        await asyncio.sleep(0)
        with pytest.raises(Draining):
            batcher.submit(0, [9], 1)
        painter.gate.set()
        assert len(await asyncio.gather(*accepted)) == 6
        await ended

    assert run(scenario).batches == [[0, 1, 2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("steps", "count", "want"),
    [(20, 3, [15, 10, 5]), (20, 0, []), (2, 3, [1]), (1, 2, []), (4, 3, [3, 2, 1])],
)
def test_previews_come_evenly_before_the_image(steps: int, count: int, want: list[int]) -> None:
    """By the steps that are left."""
    shown: list[tuple[int, int]] = []

    async def scenario(batcher: Batcher, painter: Painter) -> None:
        previews = Previews(count, lambda index, drawn: shown.append((index, drawn[2])))
        (image,) = batcher.submit(1, [7], steps, previews=previews)
        assert await image == (1, 7)

    run(scenario)
    assert shown == list(enumerate(want))


def test_a_preview_that_can_not_be_shown_is_left_out() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        (image,) = batcher.submit(1, [-9], 4, previews=Previews(2, lambda *_: pytest.fail("shown")))
        assert await image == (1, -9)

    run(scenario)


def test_a_client_that_fills_the_queue_gives_way_to_another() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        first = batcher.submit(0, range(4), 1, "a")
        await in_step(painter)
        filling = [batcher.submit(0, [seed, seed + 1], 1, "a") for seed in (10, 20, 30, 40)]
        with pytest.raises(QueueFull):
            batcher.submit(0, [50], 1, "a")
        others = [batcher.submit(0, [60, 61], 1, "b"), batcher.submit(0, [70, 71], 1, "b")]
        with pytest.raises(QueueFull):
            batcher.submit(0, [80], 1, "b")
        assert batcher.waiting == 8
        displaced = await asyncio.gather(*filling[2], *filling[3], return_exceptions=True)
        assert {type(each) for each in displaced} == {Displaced}
        assert min(each.seconds for each in displaced) > 0
        painter.gate.set()
        await asyncio.gather(*first, *filling[0], *filling[1], *others[0], *others[1])

    run(scenario)


def test_nobody_gives_way_to_a_request_that_comes_too_late_all_the_same() -> None:
    async def scenario(batcher: Batcher, painter: Painter) -> None:
        painter.gate.clear()
        kept = [batcher.submit(0, range(4), 1, "a")]
        await in_step(painter)
        kept += [batcher.submit(0, [seed], 1, "a") for seed in range(8)]
        with pytest.raises(TooLate):
            batcher.submit(0, [50], 1, "b", patience=1e-9)
        painter.gate.set()
        await asyncio.gather(*(each for one in kept for each in one))

    run(scenario)
