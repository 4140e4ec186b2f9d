"""The request for images: OpenAI's parameters, read from an untrusted body."""

from __future__ import annotations

import hashlib
import math
from email.message import Message
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from starlette.requests import ClientDisconnect, Request

from sparsedm.serve.errors import LARGEST_BODY, ApiError, bad_request, too_large, validation_error
from sparsedm.serve.images import BEST

MOST_IMAGES = 16
LARGEST_SEED = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly."""


def _one_when_null(value: Any) -> Any:
    return 1 if value is None else value


def _only(*accepted: Any, because: str) -> BeforeValidator:
    """Accepts a parameter at its defaults, or absent, and refuses other values by name."""

    def check(value: Any, info: ValidationInfo) -> Any:
        # In Python, True == 1 and False == 0; in JSON they differ.
        if value is None or any(value == good and type(value) is type(good) for good in accepted):
            return value
        words = [good if isinstance(good, str) else str(good).lower() for good in accepted or ("absent",)]
        raise ValueError(f"{info.field_name} must be {' or '.join(words)}: {because}.")

    return BeforeValidator(check)


class GenerationRequest(BaseModel):
    """OpenAI's parameters and `seed`. Those that this server can't honour are accepted at their defaults
    only; unknown ones are refused, not ignored."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: str = Field(min_length=1, max_length=32_000)
    model: str | None = None
    n: Annotated[int, BeforeValidator(_one_when_null)] = Field(1, ge=1, le=MOST_IMAGES)
    size: str | None = Field(
        None, max_length=16, json_schema_extra={"pattern": r"^(auto|[1-9]\d{0,4}x[1-9]\d{0,4})$"}
    )
    response_format: Annotated[
        Literal["b64_json"] | None,
        _only("b64_json", because="this server keeps no images, so it has no URLs for them"),
    ] = None
    output_format: Literal["png", "jpeg", "webp"] | None = None
    output_compression: int | None = Field(
        None, ge=0, le=100, description="Quality of a JPEG or WebP, 100 the finest, which is the default."
    )
    quality: Annotated[
        Literal["auto", "standard"] | None,
        _only("auto", "standard", because="this server draws in one quality"),
    ] = None
    background: Annotated[
        Literal["auto", "opaque"] | None, _only("auto", "opaque", because="images here have no transparency")
    ] = None
    style: Annotated[Literal["vivid"] | None, _only("vivid", because="this server has no styles")] = None
    complexity: Annotated[None, _only(because="no model here plans an image before it is drawn")] = None
    frame_count: Annotated[None, _only(because="this server draws no GIFs")] = None
    frame_duration_ms: Annotated[None, _only(because="this server draws no GIFs")] = None
    svg: Annotated[None, _only(because="this server draws no SVG")] = None
    moderation: Annotated[
        Literal["auto", "low"] | None, _only("auto", "low", because="this server moderates nothing")
    ] = None
    stream: bool | None = Field(
        None, description="Answers with events as the image comes to be, of one image: n must be 1."
    )
    partial_images: int | None = Field(
        None, ge=0, le=3,
        description="Number of images on the way that a stream shows; fewer where the steps are fewer.",
    )  # fmt: skip
    seed: int | None = Field(
        None, ge=0, le=LARGEST_SEED - MOST_IMAGES,
        description="The first image's; each further one has the next. Equal seeds give equal images.",
    )  # fmt: skip
    num_inference_steps: int | None = Field(
        None, ge=1, le=1000,
        description="Steps of the sampler: by default engine.steps of the server, at most engine.maxSteps.",
    )  # fmt: skip
    guidance_scale: float | None = Field(
        None, ge=1, le=21, allow_inf_nan=False,
        description="How closely to follow the prompt: 1 is not guided, and the default is 1 + "
        "engine.guidance of the server.",
    )  # fmt: skip
    negative_prompt: str | None = Field(
        None, max_length=32_000,
        description="What to lead the image away from; for models with a text encoder, and with guidance.",
    )  # fmt: skip
    user: str | None = Field(None, description="Accepted for compatibility; nothing is done with it.")
    safety_identifier: str | None = Field(
        None, description="Accepted for compatibility; nothing is done with it."
    )

    @field_validator("output_compression")
    @classmethod
    def _png_loses_nothing(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value not in (None, BEST) and info.data.get("output_format") in (None, "png"):
            raise ValueError(
                f"output_compression must be absent or {BEST} for PNG, which loses nothing: write "
                "output_format: jpeg or webp beside it."
            )
        return value

    @model_validator(mode="after")
    def _streams_one_image(self) -> Self:
        if self.stream and self.n != 1:
            raise _about(
                "n", "must be 1 with stream: the events do not say which image they are of. Send a request "
                "for each image.",
            )  # fmt: skip
        if self.partial_images and not self.stream:
            raise _about(
                "partial_images", "must be absent or 0 without stream: write stream: true beside it."
            )
        return self


def _about(field: str, problem: str) -> PydanticCustomError:
    """Of a whole request, but about one field."""
    return PydanticCustomError("request", "{field} {problem}", {"field": field, "problem": problem})


async def read_request(request: Request) -> GenerationRequest:
    """Raises ApiError: 415, 413, 400, or 499 when the client disconnected."""
    _check_type(request)
    body = (await read_body(request)).removeprefix(
        b"\xef\xbb\xbf"
    )  # the byte order mark that some editors write
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad_request(
            f"The body is not UTF-8: byte {error.start} is {body[error.start]:#x}.", "body", "invalid_json"
        ) from error
    try:
        return GenerationRequest.model_validate_json(body)
    except ValidationError as error:
        raise validation_error(error.errors()) from error


def _check_type(request: Request) -> None:
    header = Message()
    header["Content-Type"] = request.headers.get("content-type", "none/none")
    charset = str(header.get_param("charset", "utf-8")).lower()
    if header.get_content_type() != "application/json" or charset not in ("utf-8", "utf8"):
        raise ApiError(
            415, "Send a JSON object in UTF-8 with Content-Type: application/json.", "unsupported_media_type"
        )


async def read_body(request: Request) -> bytes:
    """Raises ApiError: 415, 413, or 499 when the client disconnected."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise ApiError(415, "Send the body without Content-Encoding.", "unsupported_content_encoding")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY:
                raise too_large()
    except ClientDisconnect as error:
        raise client_gone() from error
    return bytes(body)


def client_of(request: Request) -> str:
    """Who asks, for the fair queue: the digest of the Authorization header, and the first address known.

    Neither is checked here. Both, because many clients without a key send the same placeholder, and many
    share an address behind a proxy.
    """
    key = request.headers.get("authorization", "")
    peer = request.client.host if request.client else ""
    address = request.headers.get("x-forwarded-for", "").split(",")[0].strip() or peer
    return f"{hashlib.sha256(key.encode()).hexdigest()} {address}"


def patience_of(request: Request) -> float:
    """Seconds for which the client waits, as OpenAI's clients of Python and of Node say; infinite where it
    says nothing."""
    headers = request.headers
    try:
        seconds = float(headers.get("x-stainless-read-timeout") or headers.get("x-stainless-timeout") or "")
    except ValueError:
        return math.inf
    return seconds if seconds > 0 else math.inf


def client_gone() -> ApiError:
    """No client reads it; the metrics count it, as nginx does."""
    return ApiError(499, "The client has gone.", "client_disconnected")
