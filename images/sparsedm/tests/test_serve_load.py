"""The load that a server reports: what it counts, and how it reaches the operator's leader."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serve_tools import until
from sparsedm.runtime.report_client import Refused
from sparsedm.serve.load import LoadMeter, LoadReporter, Work

SPEED = 40.0
"""Steps of an image in a second: an image of 20 steps takes half a second."""


def images(number: int, steps: int = 20) -> Work:
    return Work(number, number * steps)


class Meter(LoadMeter):
    """With a clock and a queue of images of 20 steps that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0
        self.queue = 0
        super().__init__(lambda: images(self.queue), lambda: SPEED, lambda: self.now)

    def body(self) -> dict[str, float]:
        return self.measure()[0]


def test_an_image_of_more_steps_is_more_load() -> None:
    meter = Meter()
    meter.accepted(images(3, steps=40))
    meter.refused(images(1, steps=10))
    meter.now = 1.0
    body = meter.body()
    assert (body["queuedImages"], body["denoisingSeconds"], body["offeredLoad"]) == (1, 0.25, 3.25)


def test_before_the_first_step_nothing_is_known() -> None:
    meter = LoadMeter(lambda: images(3), lambda: 0.0)
    assert meter.waiting_seconds == 0
    assert meter.measure()[0]["denoisingSeconds"] == 0


def test_requests_are_a_mean_over_the_time_since_the_last_report() -> None:
    meter = Meter()
    with meter.request():
        meter.now = 1.0
        with meter.request():
            meter.now = 3.0
        meter.now = 4.0
    # One request for 4 s, another for 2 s, in 4 s.
    body, totals = meter.measure()
    assert body["requests"] == 1.5
    meter.reported(totals)
    meter.now = 6.0
    assert meter.body()["requests"] == 0
    assert meter.idle


def test_the_report_of_a_request_that_has_just_come_is_not_that_of_an_idle_server() -> None:
    meter = Meter()
    meter.now = 10.0
    with meter.request():
        assert meter.body()["requests"] > 0, "no time has passed since its arrival"
        meter.now = 10.001
    body, totals = meter.measure()
    assert body["requests"] > 0, "it took 1 ms of 10 s"
    meter.reported(totals)
    meter.now = 12.0
    assert meter.body()["requests"] == 0


def test_images_that_wait_are_given_in_seconds_of_this_server() -> None:
    meter = Meter()
    meter.queue = 12
    meter.now = 2.0
    assert meter.body() == {
        "requests": 0, "queuedImages": 12, "denoisingSeconds": 6, "offeredLoad": 0, "stepsPerSecond": 40,
    }  # fmt: skip
    assert meter.waiting_seconds == 6


def test_refused_images_count_as_waiting_and_as_arriving_until_a_report_gets_through() -> None:
    meter = Meter()
    meter.accepted(images(4))
    meter.refused(images(8))
    meter.queue = 2
    meter.now = 3.0
    for _ in range(2):  # the first was lost
        body, totals = meter.measure()
        assert body["queuedImages"] == 10
        assert body["offeredLoad"] == 2, "12 images of half a second, in 3 s"
    meter.reported(totals)
    meter.now = 6.0
    assert (meter.body()["queuedImages"], meter.body()["offeredLoad"]) == (2, 0)


def test_a_load_in_no_time_is_finite() -> None:
    meter = Meter()
    meter.accepted(images(1))
    assert meter.body()["offeredLoad"] == pytest.approx(500)


def reporter(*answers: dict[str, Any] | Refused) -> tuple[LoadReporter, Meter, list[dict[str, Any]]]:
    """A reporter whose operator gives these answers, then {}."""
    meter, left, sent = Meter(), list(answers), []

    def ask(body: dict[str, Any]) -> dict[str, Any]:
        sent.append(body)
        answer = left.pop(0) if left else {}
        if isinstance(answer, Refused):
            raise answer
        return answer

    return LoadReporter(meter, ask), meter, sent


def report(one: LoadReporter) -> float:
    return asyncio.run(one.report())


def test_the_operator_says_how_often_to_report() -> None:
    one, _, _ = reporter({"everySeconds": 5, "idleSeconds": 30})
    assert report(one) == 5
    assert report(one) == 2, "without an answer of its own"


@pytest.mark.parametrize(
    ("given", "want"), [(0, 1), (-3, 1), (1e9, 60), ("2", 2), (None, 2), (True, 2), ([], 2)]
)
def test_an_absurd_rhythm_is_bounded(given: Any, want: float) -> None:
    one, _, _ = reporter({"everySeconds": given})
    assert report(one) == want


def test_a_replica_of_the_operator_that_does_not_lead_is_left_for_another_at_once() -> None:
    other = Refused("HTTP 421 Misdirected Request", status=421)
    one, _, sent = reporter(other, other, {"everySeconds": 3})
    assert report(one) == 3
    assert len(sent) == 3


def test_tries_to_find_the_leader_end() -> None:
    one, meter, sent = reporter(*[Refused("HTTP 421", status=421)] * 20)
    meter.refused(images(1))
    assert report(one) == 2
    assert len(sent) == 8
    assert meter.body()["queuedImages"] == 1, "not lost"


def test_pauses_grow_while_reports_fail_and_the_server_s_wish_comes_first() -> None:
    lost = Refused("connection refused")
    one, _, _ = reporter(lost, lost, lost, Refused("HTTP 429", 7.0, 429), lost, {})
    assert [report(one) for _ in range(6)] == [2, 4, 8, 7, 32, 2]


def test_an_idle_server_reports_its_first_request_before_its_time() -> None:
    async def scenario() -> None:
        one, meter, sent = reporter(*[{"everySeconds": 1, "idleSeconds": 60}] * 10)
        running = asyncio.create_task(one.run())
        async with asyncio.timeout(10):
            await until(lambda: len(sent) == 1)
            with meter.request():
                await until(lambda: len(sent) == 2)
        assert [body["requests"] > 0 for body in sent] == [False, True]
        running.cancel()

    asyncio.run(scenario())
