"""The server through the clients that others wrote for its protocols."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import openai
import pytest
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
    "response_format": "b64_json", "style": "vivid", "stream": False, "user": "me",
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
