"""Errors as clients read them: OpenAI's {"error": {"message", "type", "code", "param"}}, and under /v2 the
Open Inference Protocol's {"error": "text"}."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

LARGEST_BODY = 512 * 1024
"""Bytes of a request's body: a prompt of 32,000 characters, each written as two escapes."""


class ApiError(Exception):
    """An answer other than 200: `message` is one sentence on what to do, `param` the field it is about."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    def response(self, path: str = "") -> JSONResponse:
        """path: the request's, which decides the shape of the error."""
        if path == "/v2" or path.startswith("/v2/"):
            return JSONResponse({"error": self.message}, self.status, self.headers)
        return JSONResponse({"error": self.detail()}, self.status, self.headers)

    def detail(self) -> dict[str, str | None]:
        """OpenAI's `error` object."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        if self.status == 429:
            kind = "rate_limit_error"
        return {"message": self.message, "type": kind, "code": self.code, "param": self.param}


def shown(name: str) -> str:
    """Replaces a lone surrogate, which JSON can hold and UTF-8 can't, with a question mark."""
    return name[:100].encode("utf-8", "replace").decode("utf-8")


def bad_request(message: str, param: str, code: str = "invalid_value") -> ApiError:
    return ApiError(400, message, code, param)


def too_large() -> ApiError:
    return ApiError(413, f"The body has more than {LARGEST_BODY} bytes.", "request_too_large")


def internal_error() -> ApiError:
    return ApiError(500, "The server failed: its log says why.", "internal_error")


def validation_error(errors: Sequence[Mapping[str, Any]]) -> ApiError:
    """One ApiError from pydantic's list: the first problem, in words that name the field."""
    problem = errors[0]
    if problem["type"] == "json_invalid":
        why = problem.get("ctx", {}).get("error", "it can't be read")
        return bad_request(f"The body is not valid JSON: {why}.", "body", "invalid_json")
    field = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return bad_request(f"{field} is not a parameter of this server.", field, "unknown_parameter")
    if problem["type"] == "missing":
        return bad_request(f"{field} is missing.", field, "missing_required_parameter")
    if problem["type"] == "request":
        return bad_request(problem["msg"], problem["ctx"]["field"])
    if not field:
        return bad_request("The body must be a JSON object.", "body", "invalid_body")
    said = problem["msg"].removeprefix("Value error, ").removeprefix("Input ").removeprefix("String ")
    message = said if said.startswith(field) else f"{field} {said}"
    return bad_request(message if message.endswith(".") else f"{message}.", field)


def add_error_handlers(app: FastAPI) -> None:
    """Unexpected exceptions are left to Telemetry, which logs them."""

    async def api_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ApiError)
        return error.response(request.url.path)

    async def http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        texts = {
            404: ("There is nothing at this path.", "not_found"),
            405: (f"This path does not take {request.method}.", "method_not_allowed"),
        }
        if headers.get("Allow") == "GET":
            headers["Allow"] = "GET, HEAD"
        message, code = texts.get(error.status_code, (str(error.detail), "error"))
        return ApiError(error.status_code, message, code, headers=headers).response(request.url.path)

    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(HTTPException, http_error)
