"""The OpenAPI document: only what the server really answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from sparsedm.serve.generation import GenerationRequest
from sparsedm.serve.infer import IndexRequest, InferRequest

WORDS = {
    400: "The request is wrong: the message names the parameter.",
    404: "There is no such model here.",
    413: "The body is too large.",
    415: "The body is not JSON in UTF-8.",
    429: "The queue is full, or the image would come too late: try again after Retry-After.",
    500: "The image could not be drawn, or is not finite.",
    503: "The model is being loaded, or the server is stopping.",
}


class Detail(BaseModel):
    message: str
    type: str
    code: str
    param: str | None


class Error(BaseModel):
    """OpenAI's shape."""

    error: Detail


class ProtocolError(BaseModel):
    """The Open Inference Protocol's shape."""

    error: str


class Image(BaseModel):
    b64_json: str
    seed: int
    revised_prompt: str | None = None


class TokenDetails(BaseModel):
    text_tokens: int
    image_tokens: int


class Usage(BaseModel):
    input_tokens: int
    input_tokens_details: TokenDetails
    output_tokens: int
    output_tokens_details: TokenDetails
    total_tokens: int


class Images(BaseModel):
    created: int
    size: str
    quality: str
    background: str
    output_format: str
    data: list[Image]
    usage: Usage


class OutputTensor(BaseModel):
    name: str
    datatype: str
    shape: list[int]
    data: list[int] | None = None
    parameters: dict[str, int] | None = None


class InferResponse(BaseModel):
    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


MODELS = (GenerationRequest, InferRequest, IndexRequest, InferResponse, Error, ProtocolError)
"""Their schemas stand under components."""
PLACE = "#/components/schemas/{model}"


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses` for answers other than 200, whose bodies `describe` adds."""
    return {status: {"description": WORDS[status]} for status in statuses}


def _reference(model: type[BaseModel]) -> dict[str, Any]:
    return {"schema": {"$ref": PLACE.format(model=model.__name__)}}


def _body(required: bool, content: Mapping[str, Any]) -> dict[str, Any]:
    """The server reads bodies itself, so FastAPI does not know of them."""
    return {"requestBody": {"required": required, "content": content}}


TEXT, BYTES = {"schema": {"type": "string"}}, {"schema": {"type": "string", "format": "binary"}}

GENERATION: dict[str, Any] = {
    "responses": {
        200: {"model": Images, "content": {"text/event-stream": TEXT}},
        **documented(400, 404, 413, 415, 429, 500, 503),
    },
    "openapi_extra": _body(True, {"application/json": _reference(GenerationRequest)}),
}
INFERENCE: dict[str, Any] = {
    "responses": {
        200: {"model": InferResponse, "content": {"application/octet-stream": BYTES}},
        **documented(400, 404, 413, 415, 429, 500, 503),
    },
    "openapi_extra": _body(
        True, {"application/json": _reference(InferRequest), "application/octet-stream": BYTES}
    ),
}
INDEX: dict[str, Any] = {
    "responses": documented(400, 413, 415, 503),
    "openapi_extra": _body(False, {"application/json": _reference(IndexRequest)}),
}


def describe(app: FastAPI) -> None:
    """FastAPI's document, without the 422 that it adds to every parameter, and with the shapes of errors."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _corrected(
                get_openapi(title=app.title, version=app.version, routes=app.routes)
            )
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _corrected(schema: dict[str, Any]) -> dict[str, Any]:
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    for model in MODELS:
        own = model.model_json_schema(ref_template=PLACE)
        components.update(own.pop("$defs", {}))
        components[model.__name__] = own
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            for status, response in operation["responses"].items():
                if status != "200":
                    response["content"] = {"application/json": {"schema": _error_at(path, status)}}
    return schema


def _error_at(path: str, status: str) -> dict[str, Any]:
    if not path.startswith("/v2"):
        return _reference(Error)["schema"]
    if status == "503" and path.endswith(("/ready", "/live")):
        # "Not ready" is no error: the body is that of the check, or an error while there is no model.
        return {"type": "object"}
    return _reference(ProtocolError)["schema"]
