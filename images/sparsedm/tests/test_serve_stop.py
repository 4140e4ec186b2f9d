"""How a server stops, as seen by the kubelet and by clients: a real process and real signals."""

from __future__ import annotations

import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from serve_tools import SOURCES, ServerProcess, wait_for, write_artifact
from sparsedm.serve.protocol import Limits

SLOW = {"steps": 400, "maxBatchSize": 1, "maxQueue": 16}
"""Images are drawn one at a time, so a few of them keep the server at work while the test looks at it."""


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("artifact"))


def test_sigterm_during_the_imports_ends_the_process(artifact: Path, tmp_path: Path) -> None:
    def as_a_container_s_first_process() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    begun = tmp_path / "begun"
    # Python runs a handler between two of its own instructions, so the endless import has to have some.
    forever = f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\nwhile True: time.sleep(0.01)\n"
    (tmp_path / "torch.py").write_text(forever)
    path = os.pathsep.join((str(tmp_path), str(SOURCES)))
    with closing(
        ServerProcess(artifact, {}, tmp_path / "log", before=as_a_container_s_first_process, PYTHONPATH=path)
    ) as server:
        wait_for(begun.exists, "the import of torch")
        server.terminate()
        assert server.exit_code() == 0
    assert server.log() == ""


def test_sigterm_while_the_model_loads_ends_the_process_at_once(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    os.mkfifo(tmp_path / "model" / "manifest.json")  # reading it blocks for ever
    with closing(ServerProcess(tmp_path / "model", {}, tmp_path / "log")) as server:
        wait_for(lambda: server.status("/v2/health/live") == 200, "the server")
        assert server.status("/v2/health/ready") == 503
        server.terminate()
        assert server.exit_code() == 0
    assert "Traceback" not in server.log()


def test_a_leaving_server_serves(artifact: Path, tmp_path: Path) -> None:
    env = {"SPARSEDM_DRAIN_DELAY_SECONDS": "600", "SPARSEDM_GRACE_SECONDS": "900"}
    with ServerProcess(artifact, {"steps": 3}, tmp_path / "log", **env) as server:
        server.terminate()
        wait_for(lambda: server.status("/v2/health/ready") == 503, "the end of readiness")
        answer = server.generate()
        assert answer.status_code == 200, answer.text
        assert answer.headers["Connection"] == "close"
        live = server.client.get("/v2/health/live")
        assert (live.status_code, live.headers["Connection"]) == (200, "close")
        assert "Traceback" not in server.log()


def test_a_server_leaves_for_the_delay_and_then_ends_whatever_connections_are_open(
    artifact: Path, tmp_path: Path
) -> None:
    env = {"SPARSEDM_DRAIN_DELAY_SECONDS": "3", "SPARSEDM_GRACE_SECONDS": "300"}
    with ServerProcess(artifact, {"steps": 3}, tmp_path / "log", **env) as server:
        connecting = time.monotonic()
        address = ("127.0.0.1", server.port)
        head = b"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        with (
            socket.create_connection(address),
            socket.create_connection(address) as half_head,
            socket.create_connection(address) as half_body,
        ):
            half_head.sendall(head)
            half_body.sendall(head + b'Content-Length: 100\r\n\r\n{"prompt"')
            begun = time.monotonic()
            server.terminate()
            assert server.exit_code() == 0
            assert time.monotonic() - begun >= 3
            assert time.monotonic() - connecting < Limits.idle, "the server waited for an idle connection"
        assert "Traceback" not in server.log()


def test_a_second_sigterm_cuts_nothing(artifact: Path, tmp_path: Path) -> None:
    with ServerProcess(artifact, SLOW, tmp_path / "log") as server, ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(server.generate, seed=seed, n=4) for seed in range(3)]
        wait_for(lambda: server.accepted() == 12, "the requests")
        server.terminate()
        wait_for(lambda: server.status("/v2/health/ready") == 503, "the end of readiness")
        refused = server.generate()
        assert (refused.status_code, refused.headers["Connection"]) == (503, "close")
        assert refused.headers["Retry-After"] == "1"
        server.terminate()
        assert [answer.result().status_code for answer in answers] == [200] * 3
        assert server.exit_code() == 0
        assert server.log().count("Stopping") == 1


def test_a_second_interrupt_does_not_wait(artifact: Path, tmp_path: Path) -> None:
    with ServerProcess(artifact, SLOW, tmp_path / "log") as server, ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(server.generate, seed=seed, n=4) for seed in range(4)]
        wait_for(lambda: server.metric("sparsedm_queue_images") >= 4, "the queue")
        server.process.send_signal(signal.SIGINT)
        wait_for(lambda: server.status("/v2/health/ready") == 503, "the end of readiness")
        server.process.send_signal(signal.SIGINT)
        assert server.exit_code() == 0
        # Those that were accepted; others may find the port closed.
        assert 503 in [answer.result().status_code for answer in answers if not answer.exception()]
        assert "Traceback" not in server.log()
