"""The server as clients meet it: a real process on a real port."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from serve_tools import CLASSES, CONFIG, DRAWN, ServerProcess, wait_for, write_artifact
from sparsedm.artifact.artifact import seal_of
from sparsedm.artifact.components import Components
from sparsedm.cli import main
from sparsedm.files import file_sha256
from sparsedm.models.autoencoder import Autoencoder
from sparsedm.models.text_encoder import TextEncoder
from text_tools import write_autoencoder, write_text_encoder

SLOW = {"steps": 400, "maxBatchSize": 1, "maxQueue": 4}
"""Images are drawn one at a time, so a request for several is in progress while the test looks at it."""


class Operator:
    """A stand-in for the operator's report endpoint."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, str, dict[str, Any]]] = []
        reports = self.reports

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                reports.append((self.path, self.headers.get("Authorization", ""), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/services/ns/clothes/engine"

    def sent_to(self, path: str) -> list[tuple[str, dict[str, Any]]]:
        return [(authorization, body) for to, authorization, body in self.reports if to == path]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("artifact"))


@pytest.fixture(scope="module")
def operator() -> Iterator[Operator]:
    operator = Operator()
    yield operator
    operator.server.shutdown()
    operator.server.server_close()


@pytest.fixture(scope="module")
def server(
    artifact: Path, operator: Operator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "token").write_text("secret\n")
    env = {
        "SPARSEDM_REPORT_URL": operator.url,
        "SPARSEDM_LOAD_URL": operator.url.replace("/engine", "/load"),
        "SPARSEDM_TOKEN_FILE": str(folder / "token"),
    }
    engine = {"steps": 3, "maxSteps": 5, "maxBatchSize": 4, "maxBatchDelayMilliseconds": 20}
    with ServerProcess(artifact, engine, folder / "log", **env) as server:
        yield server


def images(response: httpx.Response) -> list[Image.Image]:
    assert response.status_code == 200, response.text
    return [Image.open(io.BytesIO(base64.b64decode(d["b64_json"]))) for d in response.json()["data"]]


def test_a_prompt_gives_as_many_images_as_asked_for(server: ServerProcess) -> None:
    response = server.generate(prompt="a photo of an ankle boot", n=3, seed=5, size="64x64", model="clothes")
    assert [image.size for image in images(response)] == [(64, 64)] * 3
    body = response.json()
    assert [(d["seed"], d["revised_prompt"]) for d in body["data"]] == [(s, "ankle boot") for s in (5, 6, 7)]
    assert (body["output_format"], body["size"]) == ("png", "64x64")


def test_openai_s_own_nulls_and_names_are_accepted(server: ServerProcess) -> None:
    response = server.generate(
        model=None, n=None, size=None, response_format=None, user="me", output_format="png", quality=None,
        background=None, moderation=None, stream=None, partial_images=None, style=None, seed=None,
        output_compression=None, safety_identifier=None,
    )  # fmt: skip
    assert images(response)[0].size == (32, 32)


def test_parameters_at_openai_s_defaults_are_accepted(server: ServerProcess) -> None:
    response = server.generate(
        n=1, size="auto", response_format="b64_json", output_format="png", quality="auto", background="auto",
        moderation="auto", stream=False, partial_images=0, style="vivid", output_compression=100,
    )  # fmt: skip
    assert images(response)[0].size == (32, 32)
    assert response.json()["background"] == "opaque"
    assert server.generate(quality="standard", background="opaque", moderation="low").status_code == 200


@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_images_come_in_the_format_asked_for(server: ServerProcess, format: str) -> None:
    response = server.generate(output_format=format, output_compression=80, seed=3)
    assert [image.format for image in images(response)] == [format.upper()]
    assert response.json()["output_format"] == format


def test_without_a_seed_each_image_is_another(server: ServerProcess) -> None:
    first, second = (server.generate().json()["data"][0] for _ in range(2))
    assert first["seed"] != second["seed"]


def test_a_image_alone_equals_the_same_in_a_crowd(server: ServerProcess) -> None:
    alone = server.generate(seed=42).json()["data"][0]["b64_json"]

    def batched() -> list[httpx.Response] | None:
        before = server.metric("sparsedm_batch_size_count")
        with ThreadPoolExecutor(8) as pool:
            crowd = list(
                pool.map(lambda i: server.generate(prompt=CLASSES[i % 4], seed=40 + i, n=1), range(8))
            )
        steps = server.metric("sparsedm_batch_size_count") - before
        return crowd if steps < 8 * 3 else None

    crowd = wait_for(batched, "a batch of several requests")
    found = {d["seed"]: d["b64_json"] for response in crowd for d in response.json()["data"]}
    # Request 3 of the crowd has another seed; ask for the same one inside a larger request.
    assert server.generate(seed=40, n=4).json()["data"][2]["b64_json"] == alone
    assert found[43] == server.generate(prompt=CLASSES[3], seed=43).json()["data"][0]["b64_json"]


def test_a_request_has_its_own_number_of_steps(server: ServerProcess) -> None:
    def drawn(**body: Any) -> str:
        return server.generate(seed=42, **body).json()["data"][0]["b64_json"]

    before = server.metric("sparsedm_batch_size_sum")
    of_five = drawn(num_inference_steps=5)
    assert server.metric("sparsedm_batch_size_sum") == before + 5
    assert drawn(num_inference_steps=3) == drawn() == drawn(num_inference_steps=None)
    assert of_five != drawn()
    with ThreadPoolExecutor(3) as pool:
        together = pool.map(lambda steps: drawn(num_inference_steps=steps), (1, 5, 3))
    assert list(together) == [drawn(num_inference_steps=1), of_five, drawn()]


def test_a_request_has_its_own_guidance(server: ServerProcess) -> None:
    def drawn(**body: Any) -> str:
        return server.generate(seed=42, **body).json()["data"][0]["b64_json"]

    assert drawn(guidance_scale=1.5) == drawn() == drawn(guidance_scale=None, negative_prompt="")
    scales = (1, 3, 1.5, 21)
    alone = [drawn(guidance_scale=scale) for scale in scales]
    assert len(set(alone)) == 4
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda scale: drawn(guidance_scale=scale), scales)) == alone


@pytest.mark.parametrize(
    ("body", "status", "param", "says"),
    [
        ({"prompt": "a cat"}, 400, "prompt", "t-shirt, shirt, dress, ankle boot"),
        ({"prompt": "shirt and dress"}, 400, "prompt", "2 classes"),
        ({"prompt": ""}, 400, "prompt", "prompt should have at least 1 character"),
        ({"prompt": None}, 400, "prompt", "prompt should be a valid string"),
        ({"prompt": ["dress"]}, 400, "prompt", "prompt should be a valid string"),
        ({"n": 0}, 400, "n", "greater than or equal to 1"),
        ({"n": 17}, 400, "n", "less than or equal to 16"),
        ({"n": "2"}, 400, "n", "valid integer"),
        ({"n": 1.5}, 400, "n", "valid integer"),
        ({"size": "33x33"}, 400, "size", "multiple"),
        ({"size": "1024x1024"}, 400, "size", "512x512"),
        ({"response_format": "url"}, 400, "response_format", "b64_json"),
        ({"response_format": "jpeg"}, 400, "response_format", "b64_json"),
        ({"output_format": "gif"}, 400, "output_format", "'png', 'jpeg' or 'webp'"),
        ({"seed": -1}, 400, "seed", "greater than or equal to 0"),
        ({"seed": 2**60}, 400, "seed", "less than or equal to"),
        ({"quality": "hd"}, 400, "quality", "quality must be auto or standard: "),
        ({"background": "transparent"}, 400, "background", "must be auto or opaque: "),
        ({"output_compression": 50}, 400, "output_compression", "absent or 100 for PNG"),
        ({"output_compression": True}, 400, "output_compression", "valid integer"),
        ({"output_format": "webp", "output_compression": 101}, 400, "output_compression", "less than or"),
        ({"moderation": "high"}, 400, "moderation", "must be auto or low: "),
        ({"stream": True, "n": 2}, 400, "n", "n must be 1 with stream: "),
        ({"stream": 0}, 400, "stream", "valid boolean"),
        ({"stream": True, "partial_images": 4}, 400, "partial_images", "less than or equal to 3"),
        ({"partial_images": 2}, 400, "partial_images", "write stream: true"),
        ({"stream": True, "prompt": "a cat"}, 400, "prompt", "t-shirt, shirt, dress, ankle boot"),
        ({"guidance_scale": 0.5}, 400, "guidance_scale", "greater than or equal to 1"),
        ({"guidance_scale": 22}, 400, "guidance_scale", "less than or equal to 21"),
        ({"negative_prompt": "shirt"}, 400, "negative_prompt", "has no text encoder"),
        ({"style": "natural"}, 400, "style", "must be vivid: "),
        ({"num_inference_steps": 6}, 400, "num_inference_steps", "must be at most 5, engine.maxSteps"),
        ({"num_inference_steps": 0}, 400, "num_inference_steps", "greater than or equal to 1"),
        ({"mask": "x"}, 400, "mask", "mask is not a parameter of this server"),
        ({"prompt": "x" * 32_001}, 400, "prompt", "at most 32000 characters"),
        ({"model": "dall-e-3"}, 404, "model", "this server's is clothes"),
    ],
)
def test_a_wrong_request_is_told_its_field(
    server: ServerProcess, body: dict[str, Any], status: int, param: str, says: str
) -> None:
    response = server.generate(**body)
    error = response.json()["error"]
    assert response.status_code == status
    assert error["param"] == param
    assert says in error["message"]
    assert error["type"] == "invalid_request_error"
    assert error["message"].endswith(".")
    assert error["code"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "says"),
    [
        ("POST", "/v1/images/generations", b"{", 400, "not valid JSON"),
        ("POST", "/v1/images/generations", b"[]", 400, "must be a JSON object"),
        (
            "POST",
            "/v1/images/generations",
            b'{"model": "\\ud83d", "prompt": "bag"}',
            400,
            "unexpected end of hex escape",
        ),
        ("POST", "/v1/images/generations", b'{"prompt": "\xff"}', 400, "not UTF-8: byte 12 is 0xff"),
        ("POST", "/v1/images/generations", '{"prompt": "bag"}'.encode("utf-16"), 400, "not UTF-8: byte 0 is"),
        ("POST", "/v1/images/generations", b"{}", 400, "prompt is missing"),
        ("POST", "/v1/images/generations", b" " * 600_000, 413, "524288 bytes"),
        ("GET", "/v1/images/generations", b"", 405, "does not take GET"),
        ("GET", "/nothing", b"", 404, "nothing at this path"),
        ("GET", "/v1/models/other", b"", 404, "no model other"),
        ("GET", "/v1/models/", b"", 404, "nothing at this path"),
        ("POST", "/v1/images/edits", b"{}", 404, "changes none: POST a prompt to /v1/images/generations"),
        ("POST", "/v1/images/variations", b"{}", 404, "changes none"),
    ],
)
def test_errors_have_openai_s_shape(
    server: ServerProcess, method: str, path: str, content: bytes, status: int, says: str
) -> None:
    headers = {"Content-Type": "application/json"} if content else {}
    response = server.client.request(method, path, content=content, headers=headers)
    assert response.status_code == status
    error = response.json()["error"]
    assert says in error["message"]
    assert set(error) == {"message", "type", "code", "param"}


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "/v2/models/other", 404, "no model other"),
        ("GET", "/v2/models/clothes/versions/1", 404, "no version 1"),
        ("GET", "/v2/nothing", 404, "nothing at this path"),
        ("POST", "/v2", 405, "does not take POST"),
        ("POST", "/v2/models/clothes/infer", 400, "The body is not valid JSON"),
        ("POST", "/v2/models/other/infer", 404, "no model other"),
    ],
)
def test_errors_of_the_inference_protocol_are_texts(
    server: ServerProcess, method: str, path: str, status: int, says: str
) -> None:
    response = server.client.request(method, path)
    assert response.status_code == status
    assert set(response.json()) == {"error"}
    assert says in response.json()["error"]


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"Content-Type": "text/plain"}, "Content-Type: application/json"),
        ({"Content-Type": "application/json; charset=utf-16"}, "JSON object in UTF-8"),
        ({}, "Content-Type: application/json"),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, "without Content-Encoding"),
    ],
)
def test_a_body_of_another_type_is_told_the_right_one(
    server: ServerProcess, headers: dict[str, str], says: str
) -> None:
    response = server.client.post("/v1/images/generations", content=b'{"prompt": "bag"}', headers=headers)
    assert response.status_code == 415
    assert says in response.json()["error"]["message"]


def test_a_mark_before_the_json_is_passed_over(server: ServerProcess) -> None:
    body = b'\xef\xbb\xbf{"prompt": "dress"}'
    headers = {"Content-Type": "application/json;charset=UTF-8"}
    assert images(server.client.post("/v1/images/generations", content=body, headers=headers))


@pytest.mark.parametrize("path", ["/v1/models", "/v2/health/ready", "/metrics", "/nothing", "/openapi.json"])
def test_head_is_answered_as_get_without_a_body(server: ServerProcess, path: str) -> None:
    head, get = server.client.head(path), server.client.get(path)
    assert head.status_code == get.status_code
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert head.content == b""
    if path != "/metrics":  # which changes between the two requests
        assert head.headers["Content-Length"] == str(len(get.content))


def test_a_wrong_method_is_told_the_right_ones(server: ServerProcess) -> None:
    assert server.client.delete("/v1/models").headers["Allow"] == "GET, HEAD"
    assert server.client.get("/v1/images/generations").headers["Allow"] == "POST"


def test_a_request_keeps_its_id_or_gets_one(server: ServerProcess) -> None:
    given = server.client.get("/v1/models", headers={"x-request-id": "mine-1"})
    assert given.headers["x-request-id"] == "mine-1"
    made = [server.client.get(path).headers["x-request-id"] for path in ("/v1/models", "/nothing")]
    assert len(set(made)) == 2
    spoilt = server.client.get("/v1/models", headers={"x-request-id": "a b" * 100})
    assert len(spoilt.headers["x-request-id"]) == 32


def test_answers_tell_the_gateway_what_is_queued_and_what_they_took(server: ServerProcess) -> None:
    one, three, short = (
        server.client.post("/v1/images/generations", json={"prompt": "shirt", "n": n, **more})
        for n, more in ((1, {}), (3, {}), (3, {"num_inference_steps": 1}))
    )
    assert float(one.headers["X-SparseDM-Queued-Seconds"]) >= 0
    took = [float(answer.headers["X-SparseDM-Denoising-Seconds"]) for answer in (one, three, short)]
    assert took[1] > 2 * took[0] > 0
    assert took[2] < 0.6 * took[1], "one step instead of three"
    refused = server.client.post("/v1/images/generations", json={"prompt": 7})
    assert "X-SparseDM-Queued-Seconds" in refused.headers
    assert "X-SparseDM-Denoising-Seconds" not in refused.headers


def test_a_client_that_offers_http_2_goes_on_with_1_1_in_silence(server: ServerProcess) -> None:
    headers = {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAMAAABkAAQAAP__",
    }
    assert server.client.get("/v1/models", headers=headers).status_code == 200
    assert "pgrade" not in server.log()


def test_clients_that_leave_are_no_errors(server: ServerProcess) -> None:
    head = b"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    body = b'{"prompt": "dress", "n": 16}'
    whole, half = (head + b"Content-Length: %d\r\n\r\n" % length + body for length in (28, 99))
    gone = 'status="499"'
    before = server.client.get("/metrics").text.count(gone)
    for request in (whole, half, head):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(request)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # a reset
    wait_for(lambda: server.client.get("/metrics").text.count(gone) > before, "the count of those who left")
    wait_for(lambda: server.metric("sparsedm_queue_images") == 0, "an empty queue")
    assert server.generate().status_code == 200
    assert '"error"' not in server.log()


def test_models_are_listed_for_both_protocols(server: ServerProcess) -> None:
    get = lambda path: server.client.get(path).json()  # noqa: E731
    listed = get("/v1/models")
    assert listed["object"] == "list"
    assert listed["data"] == [get("/v1/models/clothes")]
    assert listed["data"][0]["classes"] == CLASSES
    assert get("/v2")["name"] == "sparsedm"
    assert get("/v2/models/clothes")["platform"] == "sparsedm"
    assert get("/v2/models/clothes/ready") == {"name": "clothes", "ready": True}
    assert get("/v2/health/live") == {"live": True}
    assert get("/v2/health/ready") == {"ready": True}


def test_metrics_count_requests_batches_and_images(server: ServerProcess) -> None:
    before = server.metric(DRAWN)
    server.generate(n=3)
    assert server.metric(DRAWN) == before + 3
    assert server.metric("sparsedm_queue_images") == 0
    assert server.metric("sparsedm_requests_in_flight") == 0
    assert server.metric("sparsedm_waiting_denoising_seconds") == 0
    assert server.metric("sparsedm_ready") == 1
    text = server.client.get("/metrics").text
    assert 'sparsedm_requests_total{method="POST",route="/v1/images/generations",status="200"}' in text
    assert 'backend="dense",device="cpu",pattern="2:4",precision="fp32"' in text
    assert "/nothing" not in text, "clients must not make up series"


def test_the_operator_is_told_the_engine_with_the_pod_s_token(
    server: ServerProcess, operator: Operator, artifact: Path
) -> None:
    sent = lambda: operator.sent_to("/v1/services/ns/clothes/engine")  # noqa: E731
    authorization, body = wait_for(lambda: [one for one in sent() if "engine" in one[1]], "a report")[0]
    assert authorization == "Bearer secret"
    assert set(body) - {"loading"} == {"engine", "model"}
    assert sent()[0][1]["loading"]["phase"] in ("Reading", "Checking"), "the first thing that is told"
    engine = body["engine"]
    assert (engine["backend"], engine["sparseLayers"], engine["device"]) == ("dense", 0, "cpu")
    assert float(engine["latencyMilliseconds"]["p50"]) > 0
    assert len(body["model"]["sha256"]) == 64
    assert body["model"]["uri"] == artifact.as_uri()


def test_the_operator_is_told_the_load_with_the_pod_s_token(
    server: ServerProcess, operator: Operator
) -> None:
    sent = lambda: operator.sent_to("/v1/services/ns/clothes/load")  # noqa: E731
    before = len(wait_for(sent, "a load"))
    server.generate(n=4)
    authorization, body = wait_for(
        lambda: [one for one in sent()[before:] if one[1]["offeredLoad"] > 0], "the load of four images"
    )[0]
    assert authorization == "Bearer secret"
    assert set(body) == {"requests", "queuedImages", "denoisingSeconds", "offeredLoad", "stepsPerSecond"}
    assert body["stepsPerSecond"] == pytest.approx(server.metric("sparsedm_steps_per_second"), rel=0.5)


def test_each_request_but_probes_is_a_line_of_the_log(server: ServerProcess) -> None:
    server.generate(prompt="a cat")
    server.client.get("/v1/models?key=secret", headers={"x-request-id": "mine-2"})
    wait_for(lambda: "mine-2" in server.log(), "the line, written after the answer")
    lines = [json.loads(line) for line in server.log().splitlines()]
    assert [line["message"] for line in lines if line["message"] != "request"] == ["Ready."]
    refused, listed = lines[-2:]
    assert (refused["method"], refused["path"], refused["status"]) == ("POST", "/v1/images/generations", 400)
    assert refused["milliseconds"] > 0
    assert (listed["path"], listed["requestId"]) == ("/v1/models", "mine-2")
    assert not [line for line in lines if line.get("path") in ("/v2/health/ready", "/metrics")]


def test_full_disconnected_and_draining(artifact: Path, tmp_path: Path) -> None:
    """One slow server through the rest of its life."""
    with ServerProcess(artifact, SLOW, tmp_path / "log") as server, ThreadPoolExecutor(4) as pool:
        _a_full_queue_answers_429(server, pool)
        _a_client_that_leaves_makes_room(server, pool)
        _a_client_that_leaves_ends_its_image_at_the_next_step(server)
        _a_stream_shows_the_image_as_it_comes_and_ends_with_its_client(server, pool)
        _what_would_come_too_late_is_refused_at_once(server, pool)
        _a_client_with_one_image_does_not_wait_for_all_of_another_s(server, pool)
        _sigterm_finishes_what_was_accepted(server, pool)


def _a_full_queue_answers_429(server: ServerProcess, pool: ThreadPoolExecutor) -> None:
    first = pool.submit(server.generate, seed=1, n=4)
    wait_for(lambda: server.metric("sparsedm_drawing_images") == 1, "the first image")
    second = server.generate(seed=2, n=4)
    assert second.status_code == 429
    assert second.json()["error"]["code"] == "queue_full"
    assert second.headers["X-SparseDM-Not-Accepted"] == "true"
    assert int(second.headers["Retry-After"]) >= 1
    assert float(second.headers["X-SparseDM-Queued-Seconds"]) > 0
    assert server.generate(n=5).json()["error"]["param"] == "n", "more than the queue ever holds"
    assert first.result().status_code == 200


def _a_client_that_leaves_makes_room(server: ServerProcess, pool: ThreadPoolExecutor) -> None:
    drawn = server.metric(DRAWN)
    first = pool.submit(server.generate, seed=1, n=2)
    wait_for(lambda: server.accepted() == drawn + 2, "the first request")
    body = b'{"prompt": "dress", "n": 2}'
    head = (
        "POST /v1/images/generations HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(head.encode() + body)
        wait_for(lambda: server.accepted() == drawn + 4, "the second request")
    wait_for(lambda: server.metric("sparsedm_queue_images") == 0, "room")
    assert first.result().status_code == 200
    wait_for(lambda: server.metric("sparsedm_drawing_images") == 0, "the end of drawing")
    assert server.metric(DRAWN) == drawn + 2, "room came by leaving, not by drawing"


def _a_client_that_leaves_ends_its_image_at_the_next_step(server: ServerProcess) -> None:
    drawn, steps = server.metric(DRAWN), server.metric("sparsedm_batch_size_count")
    body = b'{"prompt": "dress"}'
    head = (
        "POST /v1/images/generations HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(head.encode() + body)
        wait_for(lambda: server.metric("sparsedm_drawing_images") == 1, "the image")
    wait_for(lambda: server.metric("sparsedm_drawing_images") == 0, "its end")
    assert server.metric(DRAWN) == drawn, "it was never finished"
    assert server.metric("sparsedm_batch_size_count") - steps < SLOW["steps"]


def _a_stream_shows_the_image_as_it_comes_and_ends_with_its_client(
    server: ServerProcess, pool: ThreadPoolExecutor
) -> None:
    body = {"prompt": "dress", "stream": True, "partial_images": 3, "seed": 3}
    drawn, steps = server.metric(DRAWN), server.metric("sparsedm_batch_size_count")
    with server.client.stream("POST", "/v1/images/generations", json=body) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert next(response.iter_lines()) == "event: image_generation.partial_image"
    wait_for(lambda: server.metric("sparsedm_requests_in_flight") == 0, "the end of the request")
    wait_for(lambda: server.metric("sparsedm_drawing_images") == 0, "the end of drawing")
    assert server.metric(DRAWN) == drawn, "it was never finished"
    assert SLOW["steps"] // 4 <= server.metric("sparsedm_batch_size_count") - steps < SLOW["steps"]


def _what_would_come_too_late_is_refused_at_once(server: ServerProcess, pool: ThreadPoolExecutor) -> None:
    waiting = pool.submit(server.generate, seed=1, n=3)
    wait_for(lambda: server.metric("sparsedm_queue_images") == 2, "two images that wait")
    needed = server.metric("sparsedm_waiting_denoising_seconds")

    def ask(seconds: float) -> httpx.Response:
        headers = {"X-Stainless-Read-Timeout": f"{seconds:.3f}"}
        return server.client.post("/v1/images/generations", json={"prompt": "dress"}, headers=headers)

    later, never = ask(needed), ask(0.001)  # an image takes half of what two take
    assert (later.status_code, never.status_code) == (429, 429)
    assert later.json()["error"]["code"] == never.json()["error"]["code"] == "too_late"
    assert 1 <= int(later.headers["Retry-After"]) < 120
    assert 1000 <= int(later.headers["Retry-After-Ms"]) < 120_000
    assert never.headers["X-Should-Retry"] == "false"
    assert "ask for less" in never.json()["error"]["message"]
    assert ask(600).status_code == 200
    assert waiting.result().status_code == 200


def _a_client_with_one_image_does_not_wait_for_all_of_another_s(
    server: ServerProcess, pool: ThreadPoolExecutor
) -> None:
    drawn = server.metric(DRAWN)
    many = pool.submit(server.generate, seed=1, n=4)
    wait_for(lambda: server.metric("sparsedm_drawing_images") == 1, "the first of many images")
    headers = {"Authorization": "Bearer other"}
    one = server.client.post("/v1/images/generations", json={"prompt": "dress"}, headers=headers)
    assert one.status_code == 200
    assert server.metric(DRAWN) - drawn <= 4, "the other client's first, and its turns since"
    assert not many.done()
    assert many.result().status_code == 200


def _sigterm_finishes_what_was_accepted(server: ServerProcess, pool: ThreadPoolExecutor) -> None:
    drawn = server.metric(DRAWN)
    drawing = pool.submit(server.generate, seed=1, n=2)
    wait_for(lambda: server.accepted() == drawn + 2, "the first request")
    waiting = pool.submit(server.generate, seed=2, n=2)
    wait_for(lambda: server.accepted() == drawn + 4, "the second request")
    server.terminate()
    wait_for(lambda: server.status("/v2/health/ready") == 503, "the end of readiness")
    refused = server.generate(seed=3)
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "draining"
    assert refused.headers["X-SparseDM-Not-Accepted"] == "true"
    assert server.status("/v2/health/live") == 200
    assert images(drawing.result())
    assert images(waiting.result())
    assert server.exit_code() == 0


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("weights", "digest"),
        ("pattern", "more than 2 non-zeros in 4"),
        ("missing", "There is no manifest.json"),
        ("replaced", "it was replaced"),
        ("classes", '"shirt" and "SHIRT", are both "shirt"'),
    ],
)
def test_a_model_that_is_not_what_it_says_is_never_served(
    spoil: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = write_artifact(tmp_path / "model")
    _spoil(directory, spoil, monkeypatch)
    monkeypatch.setenv("SPARSEDM_TERMINATION_LOG", str(tmp_path / "termination"))
    monkeypatch.delenv("SPARSEDM_REPORT_URL", raising=False)
    assert main(["serve", "--model", str(directory), "--host", "127.0.0.1", "--port", "0"]) == 3
    error = json.loads((tmp_path / "termination").read_text())["error"]
    assert says in error["message"]
    assert error["reason"]
    assert says in capsys.readouterr().err


def _spoil(directory: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, manifest = directory / "model.safetensors", directory / "manifest.json"
    if how == "weights":
        data = bytearray(weights.read_bytes())
        data[-1] ^= 1
        weights.write_bytes(data)
    elif how == "pattern":
        # Dense weights under a right digest: only the pattern itself gives them away.
        torch.manual_seed(0)
        other = json.loads(manifest.read_text())
        tensors = load_file(weights)
        save_file({name: t.normal_() if t.dim() == 2 else t for name, t in tensors.items()}, weights)
        other["weights"]["sha256"] = file_sha256(weights)
        manifest.write_text(json.dumps(other))
    elif how == "classes":
        other = {**json.loads(manifest.read_text()), "classes": ["shirt", "SHIRT", "dress", "bag"]}
        manifest.write_text(json.dumps({**other, "seal": seal_of(other)}))
    elif how == "missing":
        manifest.unlink()
    else:
        monkeypatch.setenv("SPARSEDM_MODEL_SHA256", "0" * 64)


def test_a_model_of_latents_draws_what_a_prompt_says(tmp_path: Path) -> None:
    components = Components(
        Autoencoder(write_autoencoder(tmp_path / "vae"), 0.2),
        TextEncoder(write_text_encoder(tmp_path / "clip", 6, 16)),
    )
    config = replace(CONFIG, channels=4, num_classes=0, context_tokens=6, context_width=16)
    model = write_artifact(tmp_path / "model", config, None, components=components)
    with ServerProcess(model, {"steps": 2}, tmp_path / "log") as server:
        red, bag = (server.generate(prompt=text, seed=1) for text in ("red", "bag"))
        assert [image.size for image in images(red) + images(bag)] == [(64, 64)] * 2
        assert red.json()["data"][0]["b64_json"] != bag.json()["data"][0]["b64_json"]
        assert red.json()["data"][0] == server.generate(prompt="red", seed=1).json()["data"][0]
        assert "revised_prompt" not in red.json()["data"][0]
        assert red.json()["usage"]["input_tokens_details"] == {"text_tokens": 6, "image_tokens": 0}
        less = server.generate(prompt="red", seed=1, negative_prompt="bag")
        assert images(less)[0].tobytes() != images(red)[0].tobytes()
        unguided = server.generate(prompt="red", negative_prompt="bag", guidance_scale=1).json()["error"]
        assert (unguided["param"], "above 1" in unguided["message"]) == ("negative_prompt", True)
        long = server.generate(prompt="red", negative_prompt="a bag, and more").json()["error"]
        assert (long["code"], long["param"]) == ("negative_prompt_too_long", "negative_prompt")
        refused = server.generate(prompt="a bag, and more").json()["error"]
        assert (refused["code"], refused["param"]) == ("prompt_too_long", "prompt")
        assert refused["message"].endswith("and this model reads 6. Shorten the prompt.")


def test_a_taken_port_is_one_sentence(artifact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", "--model", str(artifact), "--host", "127.0.0.1", "--port", str(port)]) == 2
    assert f"can't listen on port {port}" in capsys.readouterr().err
