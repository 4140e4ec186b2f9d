"""The endpoints: OpenAI's image generation, the Open Inference Protocol's health and metadata, metrics."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sparsedm import __version__
from sparsedm.serve.batcher import Draining
from sparsedm.serve.engine import NotFinite
from sparsedm.serve.errors import ApiError, add_error_handlers, bad_request
from sparsedm.serve.images import png_base64, side_of
from sparsedm.serve.prompts import UnknownClass
from sparsedm.serve.service import Service, draining
from sparsedm.serve.telemetry import Telemetry

MOST_IMAGES = 16
LARGEST_SEED = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly."""


def _one_when_null(value: Any) -> Any:
    return 1 if value is None else value


def _b64_json_only(value: Any) -> Any:
    if value == "url":
        raise ValueError(
            "response_format must be b64_json: this server keeps no pictures, so it has no URLs for them."
        )
    return "b64_json" if value is None else value


class GenerationRequest(BaseModel):
    """OpenAI's parameters that this server honours, and `seed`. Any other is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: str = Field(min_length=1, max_length=4000)
    model: str | None = None
    n: Annotated[int, BeforeValidator(_one_when_null)] = Field(1, ge=1, le=MOST_IMAGES)
    size: str | None = Field(None, max_length=16)
    response_format: Annotated[Literal["b64_json"], BeforeValidator(_b64_json_only)] = "b64_json"
    output_format: Literal["png"] | None = None
    seed: int | None = Field(None, ge=0, le=LARGEST_SEED - MOST_IMAGES)
    """The first picture's; each further one has the next. Equal seeds give equal pictures."""
    user: str | None = None
    """Accepted for compatibility; nothing is done with it."""


def create_app(service: Service) -> FastAPI:
    """The application on a service that is being started elsewhere."""
    app = FastAPI(title="SparseDM", version=__version__, docs_url=None, redoc_url=None)
    add_error_handlers(app)
    app.add_middleware(
        Telemetry, metrics=service.metrics, access_log=service.config.access_log,
        stopping=lambda: service.stopping,
    )  # fmt: skip
    _add_health(app, service)
    _add_models(app, service)

    @app.post("/v1/images/generations")
    async def generate(request: Request, body: GenerationRequest) -> JSONResponse:
        started = time.perf_counter()
        config = service.engine.config
        _check_model(service, body.model)
        try:
            side = side_of(body.size, config.image_size)
        except ValueError as error:
            raise bad_request(str(error), "size") from error
        try:
            label = service.label(body.prompt)
        except UnknownClass as error:
            raise bad_request(str(error), "prompt", "unknown_class") from error
        seed = body.seed if body.seed is not None else secrets.randbits(32)
        seeds = [seed + i for i in range(body.n)]
        pictures = await _unless_disconnected(request, service.submit(label, seeds))
        encoded = await asyncio.gather(
            *(asyncio.to_thread(png_base64, picture, side) for picture in pictures)
        )
        service.latencies.add(time.perf_counter() - started)
        name = service.class_name(label)
        data = [
            {"b64_json": text, "seed": own, **({} if name is None else {"revised_prompt": name})}
            for text, own in zip(encoded, seeds, strict=True)
        ]
        return JSONResponse(
            {"created": int(time.time()), "output_format": "png", "size": f"{side}x{side}", "data": data}
        )

    return app


def _check_model(service: Service, name: str | None) -> None:
    if name is not None and name != service.config.name:
        raise ApiError(
            404,
            f"There is no model {name} here: this server's is {service.config.name}.",
            "model_not_found",
            "model",
        )


async def _unless_disconnected(request: Request, pictures: list[asyncio.Future[Any]]) -> list[Any]:
    """The pictures; when the client goes, what still waits is taken out of the queue."""
    drawn = asyncio.gather(*pictures)
    gone = asyncio.create_task(_disconnect(request))
    try:
        await asyncio.wait({drawn, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not drawn.done():
            raise ApiError(499, "The client has gone.", "client_disconnected")
        return list(drawn.result())
    except Draining as error:
        raise draining() from error
    except NotFinite as error:
        raise ApiError(500, f"{error} Try another seed.", "image_not_finite") from error
    except ApiError:
        raise
    except Exception as error:
        # The batcher has logged it.
        raise ApiError(
            500, "The image could not be drawn: the server's log says why.", "drawing_failed"
        ) from error
    finally:
        gone.cancel()
        drawn.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _add_health(app: FastAPI, service: Service) -> None:
    def answer(name: str, good: bool) -> JSONResponse:
        return JSONResponse({name: good}, 200 if good else 503)

    @app.get("/v2/health/live")
    async def live() -> JSONResponse:
        return answer("live", service.live)

    @app.get("/v2/health/ready")
    async def ready() -> JSONResponse:
        return answer("ready", service.ready)

    @app.get("/metrics")
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
            "size": f"{service.engine.config.image_size}x{service.engine.config.image_size}",
        }

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [openai_model()]}

    @app.get("/v1/models/{name}")
    async def model(name: str) -> dict[str, Any]:
        _check_model(service, name)
        return openai_model()

    @app.get("/v2")
    async def server() -> dict[str, Any]:
        return {"name": "sparsedm", "version": __version__, "extensions": []}

    @app.get("/v2/models/{name}")
    async def metadata(name: str) -> dict[str, Any]:
        # Pictures are asked for at /v1/images/generations: there are no tensors to send.
        _check_model(service, name)
        version = service.engine.manifest["weights"]["sha256"][:12]
        return {"name": name, "versions": [version], "platform": "sparsedm_uvit", "inputs": [], "outputs": []}

    @app.get("/v2/models/{name}/ready")
    async def model_ready(name: str) -> JSONResponse:
        _check_model(service, name)
        return JSONResponse({"name": name, "ready": service.ready}, 200 if service.ready else 503)


def _created(manifest: dict[str, Any]) -> int:
    text = manifest.get("provenance", {}).get("createdAt", "1970-01-01T00:00:00Z")
    return int(time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone)
