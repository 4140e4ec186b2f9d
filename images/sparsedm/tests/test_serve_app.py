"""The endpoints in front of an engine that fails as asked, and the document that describes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from openai import APIError, AsyncOpenAI
from starlette.types import Message

from serve_tools import FakeEngine, until
from sparsedm.runtime.report_client import Ask
from sparsedm.serve.app import _created, create_app
from sparsedm.serve.batcher import Draining
from sparsedm.serve.config import EngineSpec, ServeConfig
from sparsedm.serve.engine import Engine
from sparsedm.serve.service import Service
from sparsedm.serve.spoilt import Flat, NotFinite
from sparsedm.serve.stream import EventStream

GENERATIONS = "/v1/images/generations"
URL = "http://x"
IMAGE = np.zeros((8, 8, 1), np.uint8)

INFER = {"inputs": [{"name": "prompt", "shape": [1], "datatype": "BYTES", "data": ["boot"]}]}

Answers = set[tuple[str, str, int]]
"""(method, path's pattern, status)."""
Scenario = Callable[[httpx.AsyncClient, Service, FakeEngine], Awaitable[None]]


def run(
    monkeypatch: pytest.MonkeyPatch, scenario: Scenario, start: bool = True, origins: tuple[str, ...] = (),
    ask: Ask | None = None,
) -> None:  # fmt: skip
    engine = FakeEngine(0.01)
    engine.image = lambda seed: IMAGE
    engine.gate.set()
    monkeypatch.setattr(Engine, "load", lambda *_: engine)
    spec = EngineSpec(
        max_batch_size=4, max_queue=4, max_batch_delay_milliseconds=0, cors_allowed_origins=origins
    )

    async def main() -> None:
        service = Service(ServeConfig(Path("model"), "clothes", spec, None, "", 0, False), ask=ask)
        if start:
            await service.start()
        transport = httpx.ASGITransport(create_app(service), raise_app_exceptions=False)
        try:
            async with (
                asyncio.timeout(30),
                httpx.AsyncClient(transport=transport, base_url="http://x") as client,
            ):
                await scenario(client, service, engine)
        finally:
            engine.gate.set()
            service.close()

    asyncio.run(main())


async def generate(client: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await client.post(GENERATIONS, json={"prompt": "boot", **body})


@pytest.mark.parametrize(
    ("error", "status", "code", "outcome"),
    [
        (NotFinite(7), 500, "image_not_finite", "not_finite"),
        (Flat(7), 500, "image_flat", "flat"),
        (RuntimeError("out of memory"), 500, "drawing_failed", "failed"),
        (Draining(), 503, "draining", "failed"),
    ],
)
def test_an_image_that_can_t_be_drawn_is_an_error_and_counted(
    error: Exception, status: int, code: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(client: httpx.AsyncClient, service: Service, engine: FakeEngine) -> None:
        engine.image = lambda seed: error
        answer = await generate(client, seed=7)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert f'sparsedm_images_total{{outcome="{outcome}"}} 1.0' in (await client.get("/metrics")).text
        # Within a stream, OpenAI's client takes only an event with `error` for one.
        openai = AsyncOpenAI(base_url=f"{URL}/v1", api_key="any", max_retries=0, http_client=client)
        stream = await openai.images.generate(prompt="boot", stream=True)
        with pytest.raises(APIError) as raised:
            await anext(aiter(stream))
        assert (raised.value.code, raised.value.message) == (code, answer.json()["error"]["message"])
        assert service.load.idle
        assert service.live, "one image is no reason to restart"

    run(monkeypatch, scenario)


def test_a_stream_that_is_silent_sends_comments_and_is_closed_once() -> None:
    sent: list[bytes] = []
    closed: list[bool] = []

    async def main() -> None:
        heard = asyncio.Event()

        async def events() -> AsyncIterator[dict[str, Any]]:
            await heard.wait()
            yield {"type": "x"}

        async def send(message: Message) -> None:
            sent.append(message.get("body", b""))
            if message.get("body", b"").startswith(b":"):
                heard.set()

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        stream = EventStream(events(), {}, lambda: closed.append(True), quiet=0.0)
        async with asyncio.timeout(30):
            await stream({}, receive, send)

    asyncio.run(main())
    assert sent[0] == sent[-1] == b""
    assert set(sent[1:-2]) == {b": waiting\n\n"}
    assert sent[-2] == b'event: x\ndata: {"type":"x"}\n\n'
    assert closed == [True]


def test_an_unforeseen_error_is_logged_once_with_the_request_s_id(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(client: httpx.AsyncClient, service: Service, _: FakeEngine) -> None:
        monkeypatch.setattr(service, "condition", lambda prompt: 1 / 0)
        answer = await generate(client)
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
        (record,) = [record for record in caplog.records if record.exc_info]
        assert record.fields == {"requestId": answer.headers["x-request-id"]}  # type: ignore[attr-defined]

    run(monkeypatch, scenario)


async def provoke(client: httpx.AsyncClient, service: Service, engine: FakeEngine) -> Answers:
    """Every answer that requests can lead to while the model is there."""
    version = engine.manifest["weights"]["sha256"][:12]
    seen: Answers = set()

    async def ask(method: str, pattern: str, name: str = "clothes", **kwargs: Any) -> None:
        path = pattern.format(name=name, version=version)
        seen.add((method, pattern, (await client.request(method, path, **kwargs)).status_code))

    for pattern in ("/v1/models", "/v2", "/v2/health/live", "/v2/health/ready", "/metrics"):
        await ask("GET", pattern)
    v2 = "/v2/models/{name}"
    versioned = f"{v2}/versions/{{version}}"
    about = [f"{of}{end}" for of in (v2, versioned) for end in ("", "/ready", "/config", "/stats")]
    for pattern in ("/v1/models/{name}", *about):
        await ask("GET", pattern)
        await ask("GET", pattern, name="other")
    await provoke_drawing(ask, client, service, engine)
    return seen


async def provoke_drawing(
    ask: Callable[..., Awaitable[None]], client: httpx.AsyncClient, service: Service, engine: FakeEngine
) -> None:
    """Every answer of the endpoints that take bodies. `ask` takes a method, a path's pattern, a request."""
    v2 = "/v2/models/{name}"
    drawing = {
        GENERATIONS: {"prompt": "boot"},
        f"{v2}/infer": INFER,
        f"{v2}/versions/{{version}}/infer": INFER,
    }
    for pattern in drawing:
        await ask("POST", pattern, json={})
        await ask("POST", pattern, name="other", json={"prompt": "boot", "model": "other"})
        await ask("POST", pattern, json=drawing[pattern])
    for pattern in (*drawing, "/v2/repository/index"):
        await ask("POST", pattern, content=b"x", headers={"Content-Encoding": "gzip"})
        await ask("POST", pattern, content=b"x" * 600_000, headers={"Content-Type": "application/json"})
    for body in (b"", b"x"):
        await ask("POST", "/v2/repository/index", content=body)
    engine.image = NotFinite
    for pattern, body in drawing.items():
        await ask("POST", pattern, json=body)
    engine.image = lambda seed: IMAGE
    engine.gate.clear()
    before = []
    for place in ("drawing", "waiting"):
        before.append(asyncio.create_task(generate(client, n=4)))
        while not getattr(service._batcher, place):
            await asyncio.sleep(0)
    for pattern, body in drawing.items():
        await ask("POST", pattern, json=body)
    engine.gate.set()
    await asyncio.gather(*before)


async def provoke_without_a_model(client: httpx.AsyncClient, service: Service) -> Answers:
    seen = set()
    version = "/v2/models/{name}/versions/{version}"
    of = ("/v2/models/{name}", version)
    about = [f"{model}{end}" for model in of for end in ("", "/ready", "/config", "/stats")]
    for pattern in ("/v1/models", "/v1/models/{name}", "/v2/health/ready", *about):
        path = pattern.format(name="clothes", version="1")
        seen.add(("GET", pattern, (await client.get(path)).status_code))
    for pattern in (GENERATIONS, "/v2/models/{name}/infer", f"{version}/infer", "/v2/repository/index"):
        path = pattern.format(name="clothes", version="1")
        body = {"prompt": "boot"} if pattern == GENERATIONS else INFER
        seen.add(("POST", pattern, (await client.post(path, json=body)).status_code))
    dead = {"failures": 3, "drawing": 0, "seconds_to_finish": lambda self: 0.0}
    service._batcher = type("Dead", (), dead)()  # type: ignore[assignment]
    seen.add(("GET", "/v2/health/live", (await client.get("/v2/health/live")).status_code))
    return seen


def test_the_document_promises_every_answer_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: Answers = set()
    documents = []

    async def whole(client: httpx.AsyncClient, service: Service, engine: FakeEngine) -> None:
        documents.append((await client.get("/openapi.json")).json())
        seen.update(await provoke(client, service, engine))

    async def without(client: httpx.AsyncClient, service: Service, _: FakeEngine) -> None:
        seen.update(await provoke_without_a_model(client, service))

    run(monkeypatch, whole)
    run(monkeypatch, without, start=False)
    promised = {
        (method.upper(), path, int(status))
        for path, operations in documents[0]["paths"].items()
        for method, operation in operations.items()
        for status in operation["responses"]
    }
    assert promised - seen == set(), "promised, and never comes"
    assert seen - promised == set(), "comes, and was not promised"


@pytest.mark.parametrize(
    ("origins", "want"), [((), None), (("http://a.example",), "http://a.example"), (("*",), "*")]
)
def test_pages_of_the_allowed_sites_may_read_answers(
    origins: tuple[str, ...], want: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(client: httpx.AsyncClient, service: Service, _: FakeEngine) -> None:
        asked = {"Origin": "http://a.example", "Access-Control-Request-Method": "POST",
                 "Access-Control-Request-Headers": "authorization,x-stainless-os"}  # fmt: skip
        preflight = await client.options(GENERATIONS, headers=asked)
        answer = await client.post(GENERATIONS, json={}, headers={"Origin": "http://a.example"})
        for each in (preflight, answer):
            assert each.headers.get("Access-Control-Allow-Origin") == want
        assert answer.status_code == 400, "an error can be read too"
        assert (preflight.status_code == 200) == (want is not None)
        if want is not None:
            assert "x-stainless-os" in preflight.headers["Access-Control-Allow-Headers"]
            assert "X-Request-Id" in answer.headers["Access-Control-Expose-Headers"]
        other = await client.get("/v2", headers={"Origin": "http://b.example"})
        assert other.headers.get("Access-Control-Allow-Origin") == ("*" if want == "*" else None)

    run(monkeypatch, scenario, origins=origins)


@pytest.mark.parametrize("by_gateway", [True, False])
def test_clients_that_kept_a_connection_are_sent_to_the_gateway_where_requests_go_by_it(
    by_gateway: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(client: httpx.AsyncClient, service: Service, _: FakeEngine) -> None:
        await until(lambda: bool(reports) and service.by_gateway is by_gateway)
        direct = await client.get("/v1/models")
        forwarded = await client.get("/v1/models", headers={"X-SparseDM-By-Gateway": "true"})
        assert (direct.status_code, forwarded.status_code) == (200, 200)
        assert direct.headers.get("connection") == ("close" if by_gateway else None)
        assert "connection" not in forwarded.headers

    reports: list[object] = []

    def ask(body: object) -> dict[str, object]:
        reports.append(body)
        return {"byGateway": by_gateway}

    run(monkeypatch, scenario, ask=ask)


@pytest.mark.parametrize("zone", ["UTC", "America/St_Johns", "Asia/Kolkata"])
def test_created_is_the_same_everywhere(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert _created({"provenance": {"createdAt": "2026-07-01T12:00:00Z"}}) == 1_782_907_200
    finally:
        monkeypatch.undo()
        time.tzset()
    assert _created({"provenance": {"createdAt": "yesterday"}}) == 0
