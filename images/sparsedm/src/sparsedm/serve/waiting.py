"""The images that wait, in the order in which they will be drawn, which is fair between clients.

The next turn is of the client that was given the fewest denoising steps, and among equals of the image that
has waited longest. A client that comes or comes back starts at the mean of those who wait: being away earns
no turns, and many new clients can't keep an old one waiting (the virtual time of fair queuing: Demers, Keshav
and Shenker, SIGCOMM 1989).
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from sparsedm.serve.prompts import Condition, Guidance


@dataclass
class Previews:
    """What an image's client wants to see of it before it is ready. show: takes an index from 0 and the
    pixels, on the model's thread."""

    count: int
    show: Callable[[int, Any], None]
    shown: int = 0

    def due(self, taken: int, steps: int) -> bool:
        """Whether the next one comes after `taken` steps: they are spread evenly, and the last step's is the
        image itself. Worked example: of 20 steps, 3 come after 5, 10 and 15; of 2 steps, one after the first.
        """
        places = {steps * number // (self.count + 1) for number in range(1, self.count + 1)} - {0}
        return self.shown < len(places) and taken == sorted(places)[self.shown] < steps


@dataclass(eq=False)
class Image:
    """An image that somebody waits for."""

    client: str
    condition: Condition
    seed: int
    steps: int
    since: float
    """When it came, in the event loop's time."""
    result: asyncio.Future[Any]
    guidance: Guidance | None = None
    """None is the engine's own."""
    previews: Previews | None = None
    request_id: str = ""
    row: Any = None
    """The engine's, once it is being drawn."""
    again: bool = False
    """Whether its first try was spoilt."""
    number: int = 0
    """In the order of arrival."""
    request: Sequence[Image] = ()
    """All images of its request, itself among them."""

    @property
    def left(self) -> int:
        """Steps left to take."""
        return self.steps if self.row is None else self.row.left


class FairQueue:
    """Images by client. A turn is an image of one of them."""

    def __init__(self) -> None:
        self._images: dict[str, list[Image]] = {}
        """Each client's, in the order of arrival; no list is empty."""
        self._given: dict[str, float] = {}
        """Steps by client, counted from where it started."""
        self._mean = 0.0
        """Steps that a client would have been given, had it waited from the beginning."""
        self._numbers = count()

    def __len__(self) -> int:
        return sum(map(len, self._images.values()))

    def __iter__(self) -> Iterator[Image]:
        """In the order of `pop`, if nobody comes and nobody goes."""
        heads = []
        for client, images in self._images.items():
            rest = iter(images)
            first = next(rest)
            heads.append((self._given[client], first.number, first, rest))
        heapq.heapify(heads)
        while heads:
            given, _, image, rest = heads[0]
            yield image
            following = next(rest, None)
            if following is None:
                heapq.heappop(heads)
            else:
                heapq.heapreplace(heads, (given + image.steps, following.number, following, rest))

    def push(self, image: Image) -> None:
        image.number = next(self._numbers)
        if image.client not in self._images:
            self._images[image.client] = []
            self._given[image.client] = max(self._mean, self._given.get(image.client, 0.0))
        self._images[image.client].append(image)

    def surplus(self, client: str, coming: int, without: Collection[Image]) -> Sequence[Image]:
        """The request that gives way to `coming` images of a client: the newest, of which no image has a
        place, of the client with most images that wait, if that client still has as many as this one then.

        Empty where there is none. So a client that fills the queue keeps no other from its share, and has
        all of it while it is alone (longest queue drop: McKenney, Stochastic Fairness Queueing, 1990).
        without: images that have given way already.
        """
        waiting = {
            name: [image for image in images if image not in without] for name, images in self._images.items()
        }
        own = len(waiting.pop(client, ())) + coming
        most = max(waiting.values(), key=len, default=[])
        for image in reversed(most):
            if len(most) - len(image.request) >= own and all(each in most for each in image.request):
                return image.request
        return ()

    def pop(self) -> Image:
        """Takes out the image whose turn it is."""
        image = next(iter(self))
        self._mean += image.steps / len(self._images)
        self._given[image.client] += image.steps
        self.discard(image)
        # Who has left and is not ahead of the mean would start at the same place if forgotten.
        self._given = {
            client: given for client, given in self._given.items()
            if client in self._images or given > self._mean
        }  # fmt: skip
        return image

    def discard(self, image: Image) -> None:
        """Takes it out if it is there, without a turn: what is not drawn costs its client nothing."""
        images = self._images.get(image.client, [])
        if image in images:
            images.remove(image)
        if not images:
            self._images.pop(image.client, None)

    def clear(self) -> None:
        self._images.clear()
