"""Reports: merged, throttled, never blocking; the token is read anew; the final report is always tried."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sparsedm.runtime.report_client import ReportClient, termination_message


class Endpoint:
    """A real HTTP server that answers with the next of `answers` (then 204) and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.bodies: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []
        self.arrived = threading.Condition()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with endpoint.arrived:
                    endpoint.bodies.append(body)
                    endpoint.tokens.append(self.headers.get("Authorization"))
                    code, headers = endpoint.answers.pop(0) if endpoint.answers else (204, {})
                    endpoint.arrived.notify_all()
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/finetunes/ns/name/progress"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_for(self, count: int) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.bodies) >= count, timeout=10), self.bodies


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.server.shutdown()
    made.server.server_close()


def client_for(endpoint: Endpoint, tmp_path: Path) -> ReportClient:
    (tmp_path / "token").write_text("first\n")
    return ReportClient.from_environment(
        {
            "SPARSEDM_REPORT_URL": endpoint.url,
            "SPARSEDM_TOKEN_FILE": str(tmp_path / "token"),
            "SPARSEDM_TERMINATION_LOG": str(tmp_path / "termination"),
        }
    )


def test_a_transition_goes_at_once_with_the_token_as_it_is_now(endpoint: Endpoint, tmp_path: Path) -> None:
    client = client_for(endpoint, tmp_path)
    client.update(urgent=True, progress={"step": 1})
    endpoint.wait_for(1)
    (tmp_path / "token").write_text("second")
    client.update(urgent=True, progress={"step": 2})
    endpoint.wait_for(2)
    assert [b["progress"]["step"] for b in endpoint.bodies] == [1, 2]
    assert endpoint.tokens == ["Bearer first", "Bearer second"]
    client.close()


def test_many_updates_are_merged_and_the_last_word_is_flushed(endpoint: Endpoint, tmp_path: Path) -> None:
    client = client_for(endpoint, tmp_path)
    client.update(urgent=True, progress={"step": 0})
    endpoint.wait_for(1)
    for step in range(1, 500):
        client.update(progress={"step": step}, checkpoint={"step": step})
    client.close(fid={"dense": "1"})
    assert len(endpoint.bodies) <= 3
    last = endpoint.bodies[-1]
    assert (last["progress"], last["checkpoint"], last["fid"]) == (
        {"step": 499},
        {"step": 499},
        {"dense": "1"},
    )


def test_updates_within_two_seconds_make_one_post() -> None:
    now, sent, arrived = [100.0], [], threading.Event()

    def post(body: dict[str, Any]) -> None:
        sent.append(body)
        arrived.set()

    client = ReportClient(post, None, clock=lambda: now[0])
    client.update(progress={"step": 1})
    assert arrived.wait(5)
    arrived.clear()
    client.update(progress={"step": 2})
    client.update(progress={"step": 3})
    assert not arrived.wait(0.1)
    now[0] += 2.0
    client.update()  # wakes the thread, which reads the clock again
    assert arrived.wait(5)
    assert sent == [{"progress": {"step": 1}}, {"progress": {"step": 3}}]
    client.close()


def test_a_failure_keeps_what_was_not_sent_and_newer_values_win() -> None:
    now, sent, failing, attempts = [0.0], [], [True], threading.Semaphore(0)

    def post(body: dict[str, Any]) -> None:
        attempts.release()
        if failing[0]:
            raise OSError("connection refused")
        sent.append(body)

    client = ReportClient(post, None, clock=lambda: now[0])
    client.update(urgent=True, progress={"step": 1}, macs={"dense": 5})
    assert attempts.acquire(timeout=5)
    client.update(urgent=True, progress={"step": 2})
    failing[0] = False
    for _ in range(100):  # the thread may still be recording the failure, which delays the next attempt
        now[0] += 4.0
        client.update()
        if attempts.acquire(timeout=0.1):
            break
    client.close()
    assert sent[0] == {"progress": {"step": 2}, "macs": {"dense": 5}}


def test_retry_after_is_honoured(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.answers = [(429, {"Retry-After": "0"}), (503, {"Retry-After": "0"})]
    client = client_for(endpoint, tmp_path)
    client.update(urgent=True, progress={"step": 1})
    endpoint.wait_for(3)
    assert [b["progress"]["step"] for b in endpoint.bodies] == [1, 1, 1]
    client.close()


def test_the_last_word_is_tried_again_for_a_while(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.answers = [(503, {})]
    client = client_for(endpoint, tmp_path)
    client.close(error={"reason": "X", "message": "y"})
    assert [b["error"]["reason"] for b in endpoint.bodies] == ["X", "X"]


def test_a_redirect_does_not_carry_the_token_away(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.answers = [(307, {"Location": endpoint.url + "/elsewhere"}), (204, {})]
    client = client_for(endpoint, tmp_path)
    client.update(urgent=True, progress={"step": 1})
    endpoint.wait_for(1)
    client.close()
    assert len(endpoint.bodies) == 2, "the redirect counts as a failure and the last word is posted again"


def test_nobody_listens_and_closing_does_not_hang(tmp_path: Path) -> None:
    client = ReportClient.from_environment(
        {"SPARSEDM_REPORT_URL": "http://127.0.0.1:9/x", "SPARSEDM_TERMINATION_LOG": str(tmp_path / "t")}
    )
    client.update(progress={"step": 1})
    client.close(timeout=0.1, fid={"dense": "1"})
    assert json.loads((tmp_path / "t").read_text()) == {"progress": {"step": 1}, "fid": {"dense": "1"}}


def test_without_a_url_only_the_termination_message_is_written(tmp_path: Path) -> None:
    client = ReportClient.from_environment({"SPARSEDM_TERMINATION_LOG": str(tmp_path / "t")})
    client.update(progress={"step": 3})
    client.close()
    assert json.loads((tmp_path / "t").read_text()) == {"progress": {"step": 3}}


def test_an_unwritable_termination_log_is_no_error(tmp_path: Path) -> None:
    client = ReportClient.from_environment({"SPARSEDM_TERMINATION_LOG": str(tmp_path / "no" / "dir")})
    client.close()


def test_a_termination_message_begins_with_what_is_needed_most() -> None:
    state = {"progress": {"step": 3}, "checkpoint": {"step": 3}, "model": {"uri": "pvc://a/b"}}
    state["error"] = {"reason": "DatasetMissing", "message": "There is no data set."}
    message = termination_message(state)
    assert message.startswith(b'{"error":{"reason":"DatasetMissing","message":"There is no data set."}')
    assert list(json.loads(message)) == ["error", "model", "progress", "checkpoint"]


def test_a_termination_message_fits_and_drops_what_matters_least() -> None:
    state = {
        "progress": {"step": 1, "history": [{"step": i, "distance": "1.00"} for i in range(200)]},
        "fid": {"dense": "1.00"},
        "error": {"reason": "X", "message": "é" * 3000},
    }
    message = termination_message(state)
    assert len(message) <= 4096
    told = json.loads(message)
    assert told["fid"] == {"dense": "1.00"}
    assert told["error"]["reason"] == "X"
    assert "history" not in told.get("progress", {})


def test_a_muted_client_posts_nothing_more_and_still_leaves_its_last_word(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    log = tmp_path / "termination"
    client = ReportClient.from_environment(
        {"SPARSEDM_REPORT_URL": endpoint.url, "SPARSEDM_TERMINATION_LOG": str(log)}
    )
    client.update(urgent=True, progress={"step": 1})
    endpoint.wait_for(1)
    client.mute()
    client.close(error={"reason": "Superseded", "message": "Another trainer."})
    assert [list(body) for body in endpoint.bodies] == [["progress"]]
    assert json.loads(log.read_text())["error"]["reason"] == "Superseded"
