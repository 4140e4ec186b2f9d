"""The order in which images of several clients are drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from sparsedm.serve.waiting import FairQueue, Image


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def filled(loop: asyncio.AbstractEventLoop, *images: tuple[str, int]) -> FairQueue:
    """A queue of (client, steps), whose seeds are their places."""
    queue = FairQueue()
    for seed, (client, steps) in enumerate(images):
        queue.push(image(loop, client, steps, seed))
    return queue


def image(loop: asyncio.AbstractEventLoop, client: str, steps: int, seed: int) -> Image:
    return Image(client, None, seed, steps, 0.0, loop.create_future())


def popped(queue: FairQueue) -> str:
    """The clients, in the order of their turns."""
    order = [image.client for image in queue]
    taken = [queue.pop().client for _ in range(len(queue))]
    assert taken == order, "the order that was foreseen"
    return "".join(taken)


def test_one_client_s_images_come_in_their_order(loop: asyncio.AbstractEventLoop) -> None:
    queue = filled(loop, ("a", 5), ("a", 1), ("a", 3))
    assert [each.seed for each in queue] == [0, 1, 2]
    assert len(queue) == 3


@pytest.mark.parametrize(
    ("images", "want"),
    [
        ([("a", 1)] * 4 + [("b", 1)] * 2, "ababaa"),
        ([("a", 1), ("a", 1), ("b", 1), ("c", 1)], "abca"),
        ([("a", 4), ("a", 4), ("b", 1), ("b", 1), ("b", 1), ("b", 1), ("b", 1)], "abbbbab"),
    ],
)
def test_turns_are_shared_by_steps_and_not_by_images(
    images: list[tuple[str, int]], want: str, loop: asyncio.AbstractEventLoop
) -> None:
    assert popped(filled(loop, *images)) == want


def test_who_was_away_has_saved_nothing(loop: asyncio.AbstractEventLoop) -> None:
    queue = filled(loop, *[("a", 1)] * 10)
    for _ in range(6):
        queue.pop()
    for seed in range(3):
        queue.push(image(loop, "b", 1, seed))
    assert popped(queue) == "abababa"


def test_what_is_taken_out_without_a_turn_costs_nothing(loop: asyncio.AbstractEventLoop) -> None:
    queue = filled(loop, ("a", 1), ("a", 50), ("b", 1), ("b", 1), ("a", 1))
    dear = next(each for each in queue if each.steps == 50)
    queue.discard(dear)
    queue.discard(dear)
    assert len(queue) == 4
    assert popped(queue) == "abba"


def test_ever_new_clients_do_not_keep_an_old_one_waiting(loop: asyncio.AbstractEventLoop) -> None:
    queue = filled(loop, ("old", 1), ("old", 1), ("old", 1))
    turns = []
    for seed in range(10):
        queue.push(image(loop, f"new {seed}", 1, seed))
        turns.append(queue.pop().client)
    assert turns.count("old") == 3


def test_clients_that_have_gone_are_forgotten(loop: asyncio.AbstractEventLoop) -> None:
    queue = FairQueue()
    for seed in range(100):
        queue.push(image(loop, f"client {seed}", 1, seed))
        queue.pop()
    assert len(queue._given) <= 2


@pytest.mark.parametrize(
    ("waiting", "coming", "want"),
    [
        ("aaaaa", 1, [4]),
        ("aaaaa", 2, [4]),
        ("aaaaa", 5, []),  # the other would have fewer then
        ("aab", 1, [1]),
        ("ab", 1, []),
        ("ccccab", 1, [3]),
        ("cc", 9, []),
    ],
)
def test_the_newest_request_of_who_waits_with_most_images_gives_way(
    waiting: str, coming: int, want: list[int], loop: asyncio.AbstractEventLoop
) -> None:
    """Requests of one image each; "n" is the client that comes."""
    queue = filled(loop, *((client, 1) for client in waiting))
    for each in queue:
        each.request = [each]
    assert [each.seed for each in queue.surplus("n", coming, ())] == want


def test_a_request_gives_way_as_a_whole_and_only_while_none_of_it_is_drawn(
    loop: asyncio.AbstractEventLoop,
) -> None:
    queue = filled(loop, *[("a", 1)] * 6)
    images = list(queue)
    for request in (images[:2], images[2:4], images[4:]):
        for each in request:
            each.request = request
    queue.discard(images[5])
    assert queue.surplus("n", 1, ()) == images[2:4]
    assert queue.surplus("n", 1, images[2:4]) == images[:2]
    assert queue.surplus("a", 1, ()) == ()
