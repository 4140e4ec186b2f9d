"""The endpoints: OpenAI's image generation, the Open Inference Protocol's health and metadata, metrics."""

from __future__ import annotations

import calendar
import time
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from sparsedm import __version__
from sparsedm.serve.answer import answer, check_model, shown
from sparsedm.serve.errors import ApiError, add_error_handlers, bad_request
from sparsedm.serve.openapi import GENERATION, describe, documented
from sparsedm.serve.service import Service
from sparsedm.serve.telemetry import Telemetry


def create_app(service: Service) -> FastAPI:
    """The application around a service that starts elsewhere."""
    app = FastAPI(
        title="SparseDM", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    add_error_handlers(app)
    app.add_middleware(
        Telemetry, metrics=service.metrics, access_log=service.config.access_log,
        stopping=lambda: service.stopping, queued=lambda: service.queued_seconds,
    )  # fmt: skip
    _add_health(app, service)
    _add_models(app, service)
    _add_protocol(app, service)
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
    """The Open Inference Protocol. Images are asked for at /v1/images/generations: there are no tensors."""

    def check(name: str, version: str | None) -> None:
        check_model(service, name)
        if version is not None and version != _version(service):
            raise ApiError(
                404, f"There is no version {shown(version)} of {name} here.", "version_not_found", "version"
            )

    @app.get("/v2", responses=documented())
    async def server() -> dict[str, Any]:
        return {"name": "sparsedm", "version": __version__, "extensions": []}

    @app.get("/v2/models/{name}", responses=documented(404, 503))
    @app.get("/v2/models/{name}/versions/{version}", responses=documented(404, 503))
    async def metadata(name: str, version: str | None = None) -> dict[str, Any]:
        check(name, version)
        versions = [_version(service)]
        return {"name": name, "versions": versions, "platform": "sparsedm_uvit", "inputs": [], "outputs": []}

    @app.get("/v2/models/{name}/ready", responses=documented(404, 503))
    @app.get("/v2/models/{name}/versions/{version}/ready", responses=documented(404, 503))
    async def model_ready(name: str, version: str | None = None) -> JSONResponse:
        check(name, version)
        return JSONResponse({"name": name, "ready": service.ready}, 200 if service.ready else 503)

    @app.post("/v2/models/{name}/infer", status_code=400, responses=documented(400, 404))
    @app.post("/v2/models/{name}/versions/{version}/infer", status_code=400, responses=documented(400, 404))
    async def infer(name: str, version: str | None = None) -> JSONResponse:
        check(name, version)
        raise bad_request(
            f"{name} takes no tensors: POST a prompt to /v1/images/generations.", "inputs", "no_tensors"
        )


def _version(service: Service) -> str:
    return service.engine.manifest["weights"]["sha256"][:12]


def _created(manifest: dict[str, Any]) -> int:
    """Seconds since 1970; 0 where the manifest lacks it, as an edited one may."""
    text = manifest.get("provenance", {}).get("createdAt", "")
    try:
        return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
    except (TypeError, ValueError):
        return 0
