"""Metrics: what they are called, what they count, and that each is explained."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
import torch
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message, Receive, Scope, Send

from sparsedm.serve.config import EngineSpec, ServeConfig
from sparsedm.serve.metrics import Metrics, outcome_of
from sparsedm.serve.quality import QualityMetrics
from sparsedm.serve.service import Service
from sparsedm.serve.telemetry import Telemetry

DOCS = Path(__file__).parents[3] / "docs" / "serving.md"
BASE_UNITS = ("seconds", "bytes", "ratio")


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Metrics:
    """Of a server with everything, also a GPU."""
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 1)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (3, 4))
    found = Service(ServeConfig(Path("model"), "clothes", EngineSpec(), None, "", 0, False)).metrics
    found.watch_gpu(torch.device("cuda"))
    QualityMetrics(found.registry)
    return found


def names(metrics: Metrics) -> set[str]:
    """As Prometheus stores them, of those that are our own."""
    families = metrics.registry.collect()
    own = (family for family in families if family.name.startswith("sparsedm_"))
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in own}


def test_each_metric_is_explained_and_no_other(metrics: Metrics) -> None:
    table = DOCS.read_text().split("## Metrics")[1].split("\n## ")[0]
    assert set(re.findall(r"`(sparsedm_\w+)", table)) == names(metrics)


def test_names_and_texts_are_those_that_promtool_asks_for(metrics: Metrics) -> None:
    text = generate_latest(metrics.registry).decode()
    for family in text_string_to_metric_families(text):
        if not family.name.startswith("sparsedm_"):
            continue
        assert family.documentation.endswith("."), family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", family.name)
        words = family.name.split("_")
        assert not {"total", "count", "sum", "bucket", family.type} & set(words), family.name
        assert not {"milliseconds", "minutes", "percent", "kilobytes", "megabytes"} & set(words), family.name
        units = [word for word in words if word in BASE_UNITS]
        assert not units or words[-1] == units[-1], f"{family.name}: a unit stands last"


def test_memory_of_the_gpu_is_read_at_each_scrape(metrics: Metrics) -> None:
    kinds = ("allocated", "reserved", "free", "capacity")
    found = [metrics.registry.get_sample_value(f"sparsedm_gpu_memory_{kind}_bytes") for kind in kinds]
    assert found == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("status", "want"),
    [(200, "ok"), (400, "client_error"), (429, "refused"), (500, "server_error"), (503, "refused")],
)
def test_a_request_has_an_outcome(status: int, want: str) -> None:
    assert outcome_of(status) == want


@pytest.mark.parametrize(
    ("statuses", "want"),
    [((200, True), "ok"), ((200, False), None), ((429, True), "refused"), ((499, True), None)],
)
def test_only_whole_answers_have_a_latency(statuses: tuple[int, bool], want: str | None) -> None:
    """A client that goes in the middle, and an answer that breaks off, would make latency look better."""
    status, whole = statuses
    metrics = Metrics()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        if not whole:
            raise ConnectionError
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Message) -> None:
        pass

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def ask() -> None:
        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "client": None}
        await Telemetry(app, metrics, False, lambda: False, lambda: False, lambda: 0.0)(scope, receive, send)

    if whole:
        asyncio.run(ask())
    else:
        with pytest.raises(ConnectionError):
            asyncio.run(ask())
    counted = {
        sample.labels["outcome"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "sparsedm_request_duration_seconds_count"
    }
    assert counted == ({} if want is None else {want: 1})
    assert (
        metrics.registry.get_sample_value(
            "sparsedm_requests_total", {"route": "unknown", "method": "GET", "status": str(status)}
        )
        == 1
    )
