"""Pods that train together: which one this is, and where their processes meet.

The pods of an Indexed Job have numbers (JOB_COMPLETION_INDEX). Number 0 holds the store of a round in which
every pod has its place: a pod that starts again finds that it is not among those of the present round, and
waits for the next one. That begins when number 0, whose processes notice the loss, has started again too.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from torch.distributed import DistError, TCPStore

from sparsedm.errors import ConfigError

POLL_SECONDS = 0.2
TELL_SECONDS = 60.0
"""Pause between two lines about those that have not come yet."""
CONNECT_TIMEOUT = timedelta(seconds=5)
STORE_TIMEOUT = timedelta(minutes=5)
LEAVE_SECONDS = 15.0
"""Time that number 0 leaves the others, once all is done, to end before the store does."""

ROUND = "sparsedm/round"
FAILED = "sparsedm/failed"


@dataclass(frozen=True)
class Node:
    """Pod `number` of `count`; `host` and `port` are where number 0 holds the store."""

    number: int = 0
    count: int = 1
    host: str = "127.0.0.1"
    port: int = 0

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Node:
        count = int(env.get("SPARSEDM_NODES") or 1)
        if count == 1:
            return cls()
        host, _, port = env["SPARSEDM_RENDEZVOUS"].rpartition(":")
        return cls(int(env["JOB_COMPLETION_INDEX"]), count, host, int(port))

    def meet(self, processes: int, is_finished: Callable[[], bool]) -> TCPStore | None:
        """The store of this round, once every pod has come with its `processes`. None where the run is found
        to be finished, so that nobody else may come. Pod 0 raises ConfigError where another one has another
        number of processes."""
        if self.count == 1:
            return _hold(0)
        with _ended_by_sigterm():
            if self.number == 0:
                return self._gather(processes)
            return self._join(processes, is_finished)

    def fail(self, store: TCPStore) -> None:
        """Tells the other pods that this one ends without having done its part."""
        if self.count > 1:
            with suppress(DistError):
                store.set(FAILED, "")

    def is_broken(self, store: TCPStore) -> bool:
        """Whether another pod has failed; a store that is gone went with pod 0."""
        if self.count == 1:
            return False
        try:
            return store.check([FAILED])
        except DistError:
            return True

    def leave(self, store: TCPStore) -> None:
        """After a round that ended well: number 0, with whom the store ends, waits for the others."""
        if self.number:
            with suppress(DistError):
                store.set(_left(self.number), "")
            return
        until = time.monotonic() + LEAVE_SECONDS
        others = [_left(number) for number in range(1, self.count)]
        while others and time.monotonic() < until and not store.check(others):
            time.sleep(POLL_SECONDS)

    def _gather(self, processes: int) -> TCPStore:
        store = _hold(self.port)
        others = range(1, self.count)
        told = 0.0
        while missing := [number for number in others if not store.check([_member(number)])]:
            told = _tell(told, f"Waiting for {_names(missing)} of {self.count}.")
            time.sleep(POLL_SECONDS)
        members = [json.loads(store.get(_member(number))) for number in others]
        for number, each in zip(others, members, strict=True):
            _check_equal(number, each["processes"], processes)
        store.set(ROUND, json.dumps([each["id"] for each in members]))
        return store

    def _join(self, processes: int, is_finished: Callable[[], bool]) -> TCPStore | None:
        name = uuid.uuid4().hex
        told = 0.0
        while not is_finished():
            told = _tell(told, f"Waiting for pod 0 of {self.count} at {self.host}:{self.port}.")
            with suppress(OSError, DistError):  # it has not come, or went away
                # torch would log a page about each attempt.
                socket.create_connection((self.host, self.port), CONNECT_TIMEOUT.seconds).close()
                store = TCPStore(self.host, self.port, is_master=False, timeout=CONNECT_TIMEOUT)
                store.set(_member(self.number), json.dumps({"id": name, "processes": processes}))
                while not store.check([ROUND]):
                    time.sleep(POLL_SECONDS)
                if name in json.loads(store.get(ROUND)):
                    store.set_timeout(STORE_TIMEOUT)
                    return store
            time.sleep(POLL_SECONDS)
        return None


def _hold(port: int) -> TCPStore:
    """In this process, so that no other program can take its port."""
    return TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False, timeout=STORE_TIMEOUT)


def _member(number: int) -> str:
    return f"sparsedm/member/{number}"


def _left(number: int) -> str:
    return f"sparsedm/left/{number}"


def _names(numbers: list[int]) -> str:
    return f"pod{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _tell(told: float, sentence: str) -> float:
    """Prints the sentence where the last one is long ago; returns when that was."""
    now = time.monotonic()
    if told and now - told < TELL_SECONDS:
        return told
    print(sentence, flush=True)
    return now


def _check_equal(number: int, processes: int, first: int) -> None:
    if processes != first:
        raise ConfigError(
            [
                f"Pod {number} has {processes} processes (one for each GPU) and pod 0 has {first}: give all "
                "pods the same GPUs by spec.trainer.resources and nodeSelector."
            ]
        )


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """The first process of a container ignores the signal unless it handles it."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
