"""The endpoints: OpenAI's image generation, the Open Inference Protocol's health and metadata, metrics."""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from sparsedm import __version__
from sparsedm.serve.answer import answer, check_model, infer
from sparsedm.serve.errors import ApiError, add_error_handlers, shown
from sparsedm.serve.infer import (
    EXTENSIONS,
    HEADER_LENGTH,
    configuration,
    inputs,
    outputs,
    read_index_request,
)
from sparsedm.serve.openapi import GENERATION, INDEX, INFERENCE, describe, documented
from sparsedm.serve.service import Service
from sparsedm.serve.telemetry import Telemetry


def create_app(service: Service) -> FastAPI:
    """The application around a service that starts elsewhere."""
    app = FastAPI(
        title="SparseDM", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    add_error_handlers(app)
    if service.config.engine.cors_allowed_origins:
        _allow_origins(app, service.config.engine.cors_allowed_origins)
    app.add_middleware(
        Telemetry, metrics=service.metrics, access_log=service.config.access_log,
        stopping=lambda: service.stopping, by_gateway=lambda: service.by_gateway,
        queued=lambda: service.queued_seconds,
    )  # fmt: skip
    _add_health(app, service)
    _add_models(app, service)
    _add_protocol(app, service)
    _add_protocol_model(app, service)
    describe(app)

    @app.post("/v1/images/generations", **GENERATION)
    async def generate(request: Request) -> Response:
        return await answer(service, request)

    # Everything but the answer itself is left out of the document: nothing is done here.
    @app.post("/v1/images/edits", include_in_schema=False)
    @app.post("/v1/images/variations", include_in_schema=False)
    async def edit(request: Request) -> None:
        raise ApiError(
            404,
            "This server draws images after prompts and changes none: POST a prompt to "
            "/v1/images/generations.",
            "not_found",
        )

    return app


def _allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    """Lets pages of other sites read answers, and the headers that clients act on. No cookies: keys come in
    the Authorization header."""
    app.add_middleware(
        CORSMiddleware, allow_origins=origins, allow_methods=["GET", "HEAD", "POST"], allow_headers=["*"],
        expose_headers=["X-Request-Id", "Retry-After", "Retry-After-Ms", "X-Should-Retry", HEADER_LENGTH],
    )  # fmt: skip


def _add_health(app: FastAPI, service: Service) -> None:
    def said(name: str, good: bool) -> JSONResponse:
        return JSONResponse({name: good}, 200 if good else 503)

    @app.get("/v2/health/live", responses=documented(503))
    async def live() -> JSONResponse:
        return said("live", service.live)

    @app.get("/v2/health/ready", responses=documented(503))
    async def ready() -> JSONResponse:
        return said("ready", service.ready)

    @app.get("/metrics", response_class=PlainTextResponse, responses=documented())
    async def metrics() -> Response:
        return Response(
            generate_latest(service.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )


def _add_models(app: FastAPI, service: Service) -> None:
    def openai_model() -> dict[str, Any]:
        manifest = service.engine.manifest
        return {
            "id": service.config.name,
            "object": "model",
            "created": _created(manifest),
            "owned_by": "sparsedm",
            "classes": service.class_names,
            "pattern": manifest["pattern"],
            "size": f"{service.engine.image_size}x{service.engine.image_size}",
        }

    @app.get("/v1/models", responses=documented(503))
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [openai_model()]}

    @app.get("/v1/models/{name}", responses=documented(404, 503))
    async def model(name: str) -> dict[str, Any]:
        check_model(service, name)
        return openai_model()


def _add_protocol(app: FastAPI, service: Service) -> None:
    """What the Open Inference Protocol and Triton's extensions say of the server."""

    @app.get("/v2", responses=documented())
    async def server() -> dict[str, Any]:
        return {"name": "sparsedm", "version": __version__, "extensions": EXTENSIONS}

    @app.post("/v2/repository/index", **INDEX)
    async def index(request: Request) -> list[dict[str, Any]]:
        only_ready = await read_index_request(request)
        state = "READY" if service.ready else "UNAVAILABLE"
        model = {"name": service.config.name, "version": _version(service), "state": state, "reason": ""}
        return [] if only_ready and not service.ready else [model]


def _add_protocol_model(app: FastAPI, service: Service) -> None:
    """What they say of the model, with its version in the path and without, and inference."""

    def check(name: str, version: str | None) -> None:
        check_model(service, name)
        if version is not None and version != _version(service):
            raise ApiError(
                404, f"There is no version {shown(version)} of {name} here.", "version_not_found", "version"
            )

    async def metadata(request: Request, name: str, version: str | None) -> dict[str, Any]:
        check(name, version)
        given, drawn = inputs(), outputs(service.engine.image_shape)
        versions = [_version(service)]
        return {"name": name, "versions": versions, "platform": "sparsedm", "inputs": given, "outputs": drawn}

    async def config(request: Request, name: str, version: str | None) -> dict[str, Any]:
        check(name, version)
        return configuration(name, service.engine.image_shape)

    async def ready(request: Request, name: str, version: str | None) -> JSONResponse:
        check(name, version)
        return JSONResponse({"name": name, "ready": service.ready}, 200 if service.ready else 503)

    async def statistics(request: Request, name: str, version: str | None) -> dict[str, Any]:
        check(name, version)
        return {"model_stats": [{"name": name, "version": _version(service), **service.metrics.statistics()}]}

    async def infer_images(request: Request, name: str, version: str | None) -> Response:
        check(name, version)
        return await infer(service, request, _version(service))

    _add_versions(app.get, "", metadata, responses=documented(404, 503))
    _add_versions(app.get, "/config", config, responses=documented(404, 503))
    _add_versions(app.get, "/ready", ready, responses=documented(404, 503))
    _add_versions(app.get, "/stats", statistics, responses=documented(404, 503))
    _add_versions(app.post, "/infer", infer_images, **INFERENCE)


def _add_versions(add: Callable[..., Any], end: str, endpoint: Callable[..., Any], **said: Any) -> None:
    """An endpoint of the model, with its version in the path and without."""

    @add(f"/v2/models/{{name}}{end}", name=endpoint.__name__, **said)
    async def newest(request: Request, name: str) -> Any:
        return await endpoint(request, name, None)

    @add(f"/v2/models/{{name}}/versions/{{version}}{end}", name=endpoint.__name__, **said)
    async def of_version(request: Request, name: str, version: str) -> Any:
        return await endpoint(request, name, version)


def _version(service: Service) -> str:
    return service.engine.manifest["weights"]["sha256"][:12]


def _created(manifest: dict[str, Any]) -> int:
    """Seconds since 1970; 0 where the manifest lacks it, as an edited one may."""
    text = manifest.get("provenance", {}).get("createdAt", "")
    try:
        return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
    except (TypeError, ValueError):
        return 0
