"""The server through the clients that others wrote for its protocols."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
import tritonclient.http as triton
from PIL import Image

from serve_tools import ServerProcess, write_artifact


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    engine = {"steps": 4, "maxBatchSize": 4, "maxQueue": 8, "maxBatchDelayMilliseconds": 0}
    with ServerProcess(write_artifact(folder / "model"), engine, folder / "log") as server:
        yield server


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as client:
        yield client


def opened(b64_json: str | None) -> Image.Image:
    assert b64_json is not None
    return Image.open(io.BytesIO(base64.b64decode(b64_json)))


DEFAULTS: dict[str, Any] = {
    "model": "clothes", "n": 1, "size": "auto", "quality": "auto", "background": "auto",
    "output_format": "png", "output_compression": 100, "moderation": "auto", "partial_images": 0,
    "response_format": "b64_json", "style": "vivid", "stream": False, "user": "me", "safety_identifier": "me",
    "complexity": None, "frame_count": None, "frame_duration_ms": None, "svg": None,
}  # fmt: skip


@pytest.mark.parametrize("given", [{}, DEFAULTS, dict.fromkeys(DEFAULTS)], ids=["none", "all", "nulls"])
def test_openai_s_parameters_at_their_defaults(client: openai.OpenAI, given: dict[str, Any]) -> None:
    answer = client.images.generate(prompt="a dress", **given)
    assert answer.data is not None
    assert opened(answer.data[0].b64_json).size == (32, 32)
    assert answer.data[0].revised_prompt == "dress"
    assert (answer.size, answer.output_format, answer.background) == ("32x32", "png", "opaque")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


def test_openai_s_stream_gives_partial_images_and_the_image(client: openai.OpenAI) -> None:
    given = {"prompt": "a dress", "extra_body": {"seed": 3}, "output_format": "webp"}
    whole = client.images.generate(**given).data[0].b64_json
    *partial, last = client.images.generate(**given, stream=True, partial_images=3)
    assert [(event.type, event.partial_image_index) for event in partial] == [
        ("image_generation.partial_image", index) for index in range(3)
    ]
    assert (last.type, last.b64_json) == ("image_generation.completed", whole)
    assert last.usage.output_tokens > 0
    assert {opened(event.b64_json).format for event in (*partial, last)} == {"WEBP"}
    assert len({event.b64_json for event in (*partial, last)}) == 4
    for event in (*partial, last):
        assert (event.size, event.quality, event.background) == ("32x32", "auto", "opaque")
        assert event.output_format == "webp"
        assert event.created_at > 0
    (alone,) = client.images.generate(**given, stream=True)
    assert alone.b64_json == whole


@pytest.mark.parametrize(
    ("given", "error", "code"),
    [
        ({"n": 17}, openai.BadRequestError, "invalid_value"),
        ({"prompt": "a cat"}, openai.BadRequestError, "unknown_class"),
        ({"prompt": "a cat", "stream": True}, openai.BadRequestError, "unknown_class"),
        ({"frame_count": 9}, openai.BadRequestError, "invalid_value"),
        ({"model": "dall-e-3"}, openai.NotFoundError, "model_not_found"),
        (
            {"timeout": 0.002, "extra_headers": {"X-Stainless-Read-Timeout": "600"}},  # or it is refused
            openai.APITimeoutError,
            None,
        ),
        ({"extra_headers": {"X-Stainless-Read-Timeout": "0.001"}}, openai.RateLimitError, "too_late"),
        ({"extra_headers": {"Content-Type": "text/plain"}}, openai.APIStatusError, "unsupported_media_type"),
    ],
)
def test_openai_s_client_knows_the_errors(
    client: openai.OpenAI, given: dict[str, Any], error: type[openai.APIError], code: str | None
) -> None:
    with pytest.raises(error) as raised:
        client.images.generate(**{"prompt": "a dress", **given})
    assert raised.value.code == code
    if isinstance(raised.value, openai.APIStatusError):
        assert raised.value.request_id


def test_openai_s_client_lists_the_model(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["clothes"]
    assert client.models.retrieve("clothes").owned_by == "sparsedm"


@pytest.fixture(scope="module")
def triton_client(server: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.url.removeprefix("http://")) as client:
        yield client


def tensor(name: str, datatype: str, values: list[Any], binary: bool) -> triton.InferInput:
    dtype = {"BYTES": np.object_, "INT64": np.int64, "INT32": np.int32, "FP32": np.float32}[datatype]
    given = triton.InferInput(name, [len(values)], datatype)
    given.set_data_from_numpy(np.array(values, dtype), binary_data=binary)
    return given


def test_triton_s_client_learns_what_there_is(triton_client: triton.InferenceServerClient) -> None:
    client = triton_client
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("clothes")
    assert not client.is_model_ready("other")
    assert {"binary_tensor_data", "statistics"} <= set(client.get_server_metadata()["extensions"])
    (listed,) = client.get_model_repository_index()
    metadata = client.get_model_metadata("clothes", listed["version"])
    assert (listed["name"], listed["state"]) == ("clothes", "READY")
    assert metadata["versions"] == [listed["version"]]
    assert metadata["outputs"][0] == {"name": "images", "datatype": "UINT8", "shape": [-1, 32, 32, 1]}
    config = client.get_model_config("clothes")
    assert [each["name"] for each in config["input"]] == [each["name"] for each in metadata["inputs"]]
    assert [each["optional"] for each in config["input"]] == [False, True, True, True, True]
    assert config["input"][0] == {
        "name": "prompt", "data_type": "TYPE_STRING", "dims": [1], "optional": False
    }  # fmt: skip


@pytest.mark.parametrize("binary", [True, False])
def test_triton_s_client_gets_the_pixels_of_the_other_endpoint(
    triton_client: triton.InferenceServerClient, server: ServerProcess, binary: bool
) -> None:
    given = [
        tensor("prompt", "BYTES", [b"a dress"], binary),
        tensor("seed", "INT64", [7, 3], binary),
        tensor("num_inference_steps", "INT32", [2], binary),
        tensor("guidance_scale", "FP32", [2.5], binary),
    ]
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("images", "seed")]
    for outputs in (wanted, None):
        answer = triton_client.infer("clothes", given, outputs=outputs, request_id="mine")
        assert answer.get_response()["id"] == "mine"
        assert answer.as_numpy("seed").tolist() == [7, 3]
        pixels = answer.as_numpy("images")
        assert (pixels.shape, pixels.dtype) == ((2, 32, 32, 1), np.uint8)
        for seed, own in zip((7, 3), pixels, strict=True):
            body = {"prompt": "a dress", "seed": seed, "num_inference_steps": 2, "guidance_scale": 2.5}
            drawn = server.generate(**body).json()["data"][0]["b64_json"]
            assert (np.asarray(opened(drawn)) == own[:, :, 0]).all()
    only = triton_client.infer("clothes", given, outputs=wanted[1:])
    assert only.as_numpy("images") is None


def test_triton_s_client_reads_what_was_counted(triton_client: triton.InferenceServerClient) -> None:
    def read() -> dict[str, Any]:
        (found,) = triton_client.get_inference_statistics("clothes")["model_stats"]
        return found

    before, steps = read(), tensor("num_inference_steps", "INT32", [2], False)
    triton_client.infer("clothes", [tensor("prompt", "BYTES", [b"dress"], False), steps])
    with pytest.raises(triton.InferenceServerException):
        triton_client.infer("clothes", [steps])
    after = read()
    assert (after["name"], len(after["version"])) == ("clothes", 12)
    assert after["last_inference"] > before["last_inference"]
    assert after["inference_count"] - before["inference_count"] == 1
    assert after["execution_count"] - before["execution_count"] == 2
    for what, more in {"success": 1, "fail": 1, "queue": 1, "compute_infer": 2, "cache_hit": 0}.items():
        was, now = (found["inference_stats"][what] for found in (before, after))
        assert now["count"] - was["count"] == more, what
        assert (now["ns"] > was["ns"]) == (more > 0), what
    versioned = triton_client.get_inference_statistics("clothes", after["version"])
    assert versioned["model_stats"][0]["inference_count"] == after["inference_count"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([("prompt", "BYTES", [b"a cat"])], "t-shirt, shirt, dress, ankle boot"),
        ([("seed", "INT64", [1])], "inputs lacks prompt."),
        ([("prompt", "BYTES", [b"bag", b"dress"])], "prompt must have 1 element by its shape."),
        ([("prompt", "BYTES", [b"dress"]), ("seed", "INT64", [-1])], "seed must lie between 0 and"),
        ([("prompt", "BYTES", [b"dress"]), ("seed", "INT32", [1])], "seed must be INT64."),
        ([("prompt", "BYTES", [b"dress"]), ("mask", "INT32", [1])], "inputs has no mask: this model takes"),
        ([("prompt", "BYTES", [b"dress"])] * 2, "inputs has prompt twice."),
        ([("prompt", "BYTES", [b"dress"]), ("guidance_scale", "FP32", [0.5])], "guidance_scale should be"),
        ([("prompt", "BYTES", [b"dress"]), ("num_inference_steps", "INT32", [9])], "must be at most 4"),
    ],
)
@pytest.mark.parametrize("binary", [True, False])
def test_triton_s_client_is_told_what_is_wrong(
    triton_client: triton.InferenceServerClient, given: list[Any], says: str, binary: bool
) -> None:
    with pytest.raises(triton.InferenceServerException, match=re.escape(says)) as error:
        triton_client.infer("clothes", [tensor(*each, binary) for each in given])
    assert error.value.status() == "400"


def infer(
    server: ServerProcess, *tensors: dict[str, Any], behind: bytes = b"", **more: Any
) -> httpx.Response:
    head = json.dumps({"inputs": tensors, **more}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))} if behind else {}
    return server.client.post("/v2/models/clothes/infer", content=head + behind, headers=headers)


PROMPT = {"name": "prompt", "shape": [1], "datatype": "BYTES"}


@pytest.mark.parametrize(
    ("tensors", "behind", "says"),
    [
        ([], b"", "inputs"),
        ([{**PROMPT, "data": ["a", "b"]}], b"", "prompt has 2 elements, and 1 by its shape."),
        ([{**PROMPT, "data": [7]}], b"", "data of prompt must be BYTES."),
        ([{**PROMPT, "parameters": {"binary_data_size": 9}}], b"\x05\0\0\0", "of which 4 are left"),
        ([{**PROMPT, "parameters": {"binary_data_size": 4}}], b"\x05\0\0\0", "after its length in 4 bytes"),
        ([{**PROMPT, "parameters": {"binary_data_size": 2}}], b"\x05\0", "after its length in 4 bytes"),
        ([{**PROMPT, "parameters": {"binary_data_size": 5}}], b"\x01\0\0\0\xff", "prompt is not UTF-8."),
        ([{**PROMPT, "data": ["dress"]}], b"more", "4 bytes after the JSON belong to no input."),
        (
            [{**PROMPT, "data": ["dress"]},
             {"name": "seed", "shape": [2], "datatype": "INT64", "parameters": {"binary_data_size": 8}}],
            b"12345678", "seed has 8 bytes, which are not 2 INT64.",
        ),
    ],
)  # fmt: skip
def test_tensors_that_do_not_fit_are_refused(
    server: ServerProcess, tensors: list[dict[str, Any]], behind: bytes, says: str
) -> None:
    answer = infer(server, *tensors, behind=behind)
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert answer.json()["error"].endswith(".")


def test_an_inference_request_as_json_alone(server: ServerProcess) -> None:
    nested = {**PROMPT, "data": [["dress"]]}
    answer = infer(server, nested, outputs=[{"name": "seed"}], id="7").json()
    assert (answer["model_name"], answer["id"]) == ("clothes", "7")
    assert [(each["name"], each["shape"]) for each in answer["outputs"]] == [("seed", [1])]
    assert "images and seed" in infer(server, nested, outputs=[{"name": "x"}]).json()["error"]
    wrong = server.client.post(
        "/v2/models/clothes/infer", content=b"{}", headers={"Inference-Header-Content-Length": "3"}
    )
    assert "at most 2 here" in wrong.json()["error"]


SCHEMATHESIS = """
seed = 1

[parameters]
"path.name" = "clothes"
"path.version" = "{version}"

[generation]
max-examples = 5
database = "none"

[[operations]]
include-name = "POST /v1/images/generations"
# No schema says which prompts name a class, nor which sizes and numbers of steps a model has.
checks.positive_data_acceptance.expected-statuses = [200, 400, 404]

[[operations]]
include-path-regex = "/infer$"
checks.positive_data_acceptance.expected-statuses = [200, 400]
"""


def test_schemathesis_finds_nothing_that_the_document_does_not_say(
    server: ServerProcess, tmp_path: Path
) -> None:
    """All phases: examples, coverage, fuzzing, stateful; and all checks."""
    version = server.client.get("/v2/models/clothes").json()["versions"][0]
    config = tmp_path / "schemathesis.toml"
    config.write_text(SCHEMATHESIS.format(version=version))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", "--no-color"]
    done = subprocess.run(
        [*command, f"{server.url}/openapi.json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Tested: 18" in done.stdout
    assert "internal_error" not in server.log()
