"""The OpenAPI document: only what the server really answers."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from sparsedm.serve.generation import GenerationRequest

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


class Image(BaseModel):
    b64_json: str
    seed: int
    revised_prompt: str | None = None


class Images(BaseModel):
    created: int
    background: str
    output_format: str
    size: str
    data: list[Image]


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses` for answers other than 200, whose bodies `describe` adds."""
    return {status: {"description": WORDS[status]} for status in statuses}


GENERATION: dict[str, Any] = {
    "responses": {200: {"model": Images}, **documented(400, 404, 413, 415, 429, 500, 503)},
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": GenerationRequest.model_json_schema()}},
        }
    },
}
"""The body is read by generation.py, so FastAPI does not know of it."""


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
    components["Error"] = Error.model_json_schema(ref_template="#/components/schemas/{model}")
    components.update(components["Error"].pop("$defs"))
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            for status, response in operation["responses"].items():
                if status != "200":
                    response["content"] = {"application/json": {"schema": _error_at(path, status)}}
    return schema


def _error_at(path: str, status: str) -> dict[str, Any]:
    if path.startswith("/v2"):
        # "Not ready" is no error: the body is that of the readiness check.
        return {"type": "object", **({} if status == "503" else {"required": ["error"]})}
    return {"$ref": "#/components/schemas/Error"}
