"""The lifecycle of a server: what it accepts when, and how it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from serve_tools import FakeEngine
from sparsedm.errors import InputError
from sparsedm.serve.cli import listen, serve
from sparsedm.serve.config import EngineSpec, ServeConfig
from sparsedm.serve.drawer import Measured
from sparsedm.serve.engine import Engine
from sparsedm.serve.errors import ApiError
from sparsedm.serve.gpu import ContextLost
from sparsedm.serve.service import ANSWER_SECONDS, LEAVING_NAPS, QUIET_NAPS, Service, spread


def run(
    monkeypatch: pytest.MonkeyPatch,
    scenario: Callable[[Service, FakeEngine], Awaitable[None]],
    seconds: float = 8.0,
    delay: float = 0.0,
    grace: float | None = None,
) -> None:
    """Starts a service whose batches of 4 take `seconds`, and runs a scenario on it."""
    engine = FakeEngine(seconds)
    monkeypatch.setattr(Engine, "load", lambda *_: engine)
    spec = EngineSpec(max_batch_size=4, max_queue=32, max_batch_delay_milliseconds=0, max_steps=30)
    config = ServeConfig(Path("model"), "clothes", spec, None, "", 0, False, delay, grace)

    async def main() -> None:
        service = Service(config, chance=lambda: 0.0)
        await service.start()
        try:
            async with asyncio.timeout(30):
                await scenario(service, engine)
        finally:
            engine.gate.set()
            service.close()

    asyncio.run(main())


def refusal(service: Service, images: int = 1) -> tuple[int, str, str | None]:
    with pytest.raises(ApiError) as refused:
        service.submit(0, range(images))
    return refused.value.status, refused.value.code, refused.value.headers.get("Retry-After")


async def leaving(service: Service) -> asyncio.Task[None]:
    """A stop whose delay has begun."""
    stop = asyncio.create_task(service.stop(service.config.drain_delay))
    while not service.stopping:
        await asyncio.sleep(0)
    return stop


def test_no_more_is_accepted_than_a_stop_leaves_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(service: Service, engine: FakeEngine) -> None:
        # 0.8 of 30 - 5 seconds are 20: two batches of 8 s fit.
        service.submit(0, range(4))
        await asyncio.to_thread(engine.begun.acquire)
        service.submit(0, range(4))
        status, code, retry_after = refusal(service)
        assert (status, code) == (429, "queue_full")
        assert retry_after == "4"

    run(monkeypatch, scenario, delay=5, grace=30)


def test_a_request_that_never_fits_is_told_how_many_do(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(service: Service, _: FakeEngine) -> None:
        with pytest.raises(ApiError, match="n must be at most 8: ") as refused:
            service.submit(0, range(9))
        assert refused.value.status == 400

    run(monkeypatch, scenario, delay=5, grace=30)


def test_what_fits_is_counted_in_the_steps_that_a_request_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(service: Service, _: FakeEngine) -> None:
        with pytest.raises(ApiError, match="n must be at most 4: "):
            service.submit(0, range(8), steps=30)  # 12 s for each four
        service.submit(0, range(16), steps=10)
        assert service.load.waiting_seconds == 16.0

    run(monkeypatch, scenario, delay=5, grace=30)


def test_more_steps_than_the_server_allows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(service: Service, _: FakeEngine) -> None:
        with pytest.raises(ApiError, match="num_inference_steps must be at most 30") as refused:
            service.submit(0, [1], steps=31)
        assert (refused.value.status, refused.value.param) == (400, "num_inference_steps")

    run(monkeypatch, scenario)


def test_who_would_wait_too_long_is_told_whether_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(service: Service, engine: FakeEngine) -> None:
        service.submit(0, range(4))
        await asyncio.to_thread(engine.begun.acquire)
        with pytest.raises(ApiError) as later:
            service.submit(0, [5], patience=10.0)  # 8 s until there is a place, and 8 s
        assert (later.value.status, later.value.code) == (429, "too_late")
        assert later.value.headers["Retry-After"] == "6"
        assert later.value.headers["X-SparseDM-Not-Accepted"] == "true"
        with pytest.raises(ApiError) as never:
            service.submit(0, [5], patience=7.0)
        assert (never.value.status, never.value.code) == (429, "too_late")
        assert never.value.headers == {"X-Should-Retry": "false"}
        assert service.load.measure()[0]["queuedImages"] == 1, "more replicas would help the first one alone"

    run(monkeypatch, scenario)


@pytest.mark.parametrize(
    ("seconds", "chance", "want"),
    [(0.1, 0.0, 1.0), (4.0, 0.0, 4.0), (4.0, 1.0, 6.0), (1e6, 0.0, 119 / 1.5), (1e6, 1.0, 119.0)],
)
def test_those_told_to_come_back_are_spread_within_what_clients_obey(
    seconds: float, chance: float, want: float
) -> None:
    assert spread(seconds, chance) == pytest.approx(want)


def test_batches_too_slow_for_any_stop_are_drawn_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(service: Service, engine: FakeEngine) -> None:
        accepted = service.submit(0, range(4))
        assert refusal(service)[0] == 429
        engine.gate.set()
        assert await asyncio.gather(*accepted) == [0, 1, 2, 3]

    run(monkeypatch, scenario, seconds=100.0, grace=30)
    assert "One batch takes longer" in caplog.text


def test_one_image_that_measured_slower_than_a_whole_batch_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = Measured({1: 30.0, 4: 5.0}, 1.0)
    monkeypatch.setattr(FakeEngine, "warm_up", lambda *_: measured)

    async def scenario(service: Service, _: FakeEngine) -> None:
        assert len(service.submit(0, [1])) == 1

    run(monkeypatch, scenario, grace=30)


def test_without_a_grace_period_only_the_queue_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(service: Service, _: FakeEngine) -> None:
        service.submit(0, range(32))
        assert refusal(service)[:2] == (429, "queue_full")

    run(monkeypatch, scenario)


def test_a_leaving_server_is_not_ready_and_accepts_what_it_can_finish(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(service: Service, engine: FakeEngine) -> None:
        stop = await leaving(service)
        assert not service.ready
        assert service.live
        accepted = service.submit(0, range(8))
        assert refusal(service, images=9) == (503, "draining", "1"), "others have time for it"
        engine.gate.set()
        assert await asyncio.gather(*accepted) == list(range(8))
        stop.cancel()

    run(monkeypatch, scenario, delay=20, grace=25)


def test_after_the_delay_nothing_new_is_accepted_and_all_before_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(service: Service, engine: FakeEngine) -> None:
        accepted = service.submit(0, range(12))
        stop = await leaving(service)
        while service.state != "draining":
            await asyncio.sleep(0.001)
        assert refusal(service) == (503, "draining", "1")
        engine.gate.set()
        await stop
        assert [image.result() for image in accepted] == list(range(12))
        assert not service.busy

    run(monkeypatch, scenario, seconds=0.01, delay=0.01, grace=30)


@pytest.mark.parametrize(
    ("requests", "naps"),
    [
        (0, LEAVING_NAPS),
        (5, LEAVING_NAPS),  # traffic moved soon
        (LEAVING_NAPS + 7, LEAVING_NAPS + 7 + QUIET_NAPS),  # rules that were late led here for longer
        (10_000, 5 * LEAVING_NAPS),  # half of the grace period, ten times the delay
    ],
)
def test_a_server_leaves_until_requests_no_longer_come(
    monkeypatch: pytest.MonkeyPatch, requests: int, naps: int
) -> None:
    async def scenario(service: Service, engine: FakeEngine) -> None:
        engine.gate.set()
        loop, sleep, taken = asyncio.get_running_loop(), asyncio.sleep, 0
        began = loop.time()

        async def nap(seconds: float) -> None:
            nonlocal taken
            taken += 1
            if taken <= requests:
                await asyncio.gather(*service.submit(0, [taken]))
            await sleep(0)

        monkeypatch.setattr(asyncio, "sleep", nap)
        monkeypatch.setattr(loop, "time", lambda: began + taken / LEAVING_NAPS)
        await service.stop(service.config.drain_delay)
        monkeypatch.undo()
        assert taken == naps

    run(monkeypatch, scenario, seconds=0.01, delay=1, grace=10)


def test_right_before_the_kill_what_is_left_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(service: Service, engine: FakeEngine) -> None:
        accepted = service.submit(0, range(4))
        await asyncio.to_thread(engine.begun.acquire)
        await service.stop(0.0)
        assert all(image.exception() is not None for image in accepted)
        assert service.busy, "nothing ends the model's thread but the process"

    run(monkeypatch, scenario, grace=ANSWER_SECONDS + 0.05)


def test_a_server_that_loads_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(ServeConfig(Path("model"), "clothes", EngineSpec(), None, "", 0, False, 20, 30))
    asyncio.run(asyncio.wait_for(service.stop(20), 5))
    assert service.busy
    service.close()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InputError("ArtifactInvalid", "no"), "ArtifactInvalid"),
        (torch.OutOfMemoryError("CUDA out of memory."), "OutOfMemory"),
    ],
)
def test_a_model_that_can_t_be_loaded_ends_the_server(
    error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any) -> Engine:
        raise error

    monkeypatch.setattr(Engine, "load", load)
    service = Service(ServeConfig(Path("model"), "clothes", EngineSpec(), None, "", 0, False))
    with pytest.raises(InputError) as raised:
        asyncio.run(service.start())
    assert raised.value.reason == reason
    assert service.stopping
    service.close()


def test_a_lost_gpu_ends_the_process_and_sends_requests_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine(0.01)
    engine.gate.set()
    engine.broken = ContextLost(RuntimeError("CUDA error: an illegal memory access was encountered"))
    monkeypatch.setattr(Engine, "load", lambda *_: engine)
    service = Service(ServeConfig(Path("model"), "clothes", EngineSpec(), None, "", 0, False))

    async def main() -> None:
        listener = listen("127.0.0.1", 0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.create_task(serve(service, listener))
        async with asyncio.timeout(30), httpx.AsyncClient(base_url=url) as client:
            while (await client.get("/v2/health/ready")).status_code != 200:
                await asyncio.sleep(0)
            answer = await client.post("/v1/images/generations", json={"prompt": "boot"})
            assert answer.status_code == 503
            assert answer.headers["X-SparseDM-Not-Accepted"] == "true"
            with pytest.raises(ContextLost):
                await serving

    asyncio.run(main())
    assert not service.busy
