"""The endpoints: OpenAI's image generation, the Open Inference Protocol's health and metadata, metrics."""

from __future__ import annotations

import asyncio
import calendar
import secrets
import time
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from sparsedm import __version__
from sparsedm.models.text_encoder import TextTooLong
from sparsedm.serve.batcher import Draining
from sparsedm.serve.errors import ApiError, add_error_handlers, bad_request
from sparsedm.serve.generation import client_gone, client_of, patience_of, read_request
from sparsedm.serve.images import BEST, encode_base64, side_of
from sparsedm.serve.openapi import GENERATION, describe, documented
from sparsedm.serve.prompts import UnknownClass
from sparsedm.serve.service import Service, draining
from sparsedm.serve.spoilt import Spoilt
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
    async def generate(request: Request) -> JSONResponse:
        started = time.perf_counter()
        body = await read_request(request)
        _check_model(service, body.model)
        try:
            side = side_of(body.size, service.engine.image_size)
        except ValueError as error:
            raise bad_request(str(error), "size") from error
        try:
            condition = service.condition(body.prompt)
        except UnknownClass as error:
            raise bad_request(str(error), "prompt", "unknown_class") from error
        except TextTooLong as error:
            raise bad_request(f"{error} Shorten the prompt.", "prompt", "prompt_too_long") from error
        format = body.output_format or "png"
        quality = BEST if body.output_compression is None else body.output_compression
        seed = body.seed if body.seed is not None else secrets.randbits(32)
        seeds = [seed + i for i in range(body.n)]
        with service.load.request():
            patience = patience_of(request) - (time.perf_counter() - started)
            waiting = service.submit(condition, seeds, body.num_inference_steps, client_of(request), patience)
            images = await _unless_disconnected(request, waiting)
            if body.num_inference_steps in (None, service.config.engine.steps):
                service.served(condition, images, body.seed is not None)  # others have another quality
            encoded = await asyncio.gather(
                *(asyncio.to_thread(encode_base64, image, side, format, quality) for image in images)
            )
        service.latencies.add(time.perf_counter() - started)
        took = service.denoising_seconds(body.n, body.num_inference_steps)
        name = service.class_name(condition)
        data = [
            {"b64_json": text, "seed": own, **({} if name is None else {"revised_prompt": name})}
            for text, own in zip(encoded, seeds, strict=True)
        ]
        return JSONResponse(
            {
                "created": int(time.time()),
                "background": "opaque",
                "output_format": format,
                "size": f"{side}x{side}",
                "data": data,
            },
            headers={"X-SparseDM-Denoising-Seconds": f"{took:.3f}"},
        )

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


def _check_model(service: Service, name: str | None) -> None:
    if name is not None and name != service.config.name:
        raise ApiError(
            404,
            f"There is no model {_shown(name)} here: this server's is {service.config.name}.",
            "model_not_found",
            "model",
        )


def _shown(name: str) -> str:
    """Replaces a lone surrogate, which JSON can hold and UTF-8 can't, with a question mark."""
    return name[:100].encode("utf-8", "replace").decode("utf-8")


async def _unless_disconnected(request: Request, images: list[asyncio.Future[Any]]) -> list[Any]:
    """The images. When the client disconnects, its images leave the queue, and the batch at the next step."""
    drawn = asyncio.create_task(_all(images))
    gone = asyncio.create_task(_disconnect(request))
    try:
        await asyncio.wait({drawn, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not drawn.done():
            raise client_gone()
        return list(drawn.result())
    except Draining as error:
        raise draining() from error
    except Spoilt as error:
        raise ApiError(500, f"{error} Try another seed.", error.code) from error
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


async def _all(images: list[asyncio.Future[Any]]) -> list[Any]:
    """A task can be cancelled silently; the future that `gather` returns logs the cancellation."""
    return await asyncio.gather(*images)


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _add_health(app: FastAPI, service: Service) -> None:
    def answer(name: str, good: bool) -> JSONResponse:
        return JSONResponse({name: good}, 200 if good else 503)

    @app.get("/v2/health/live", responses=documented(503))
    async def live() -> JSONResponse:
        return answer("live", service.live)

    @app.get("/v2/health/ready", responses=documented(503))
    async def ready() -> JSONResponse:
        return answer("ready", service.ready)

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
        _check_model(service, name)
        return openai_model()


def _add_protocol(app: FastAPI, service: Service) -> None:
    """The Open Inference Protocol. Images are asked for at /v1/images/generations: there are no tensors."""

    def check(name: str, version: str | None) -> None:
        _check_model(service, name)
        if version is not None and version != _version(service):
            raise ApiError(
                404, f"There is no version {_shown(version)} of {name} here.", "version_not_found", "version"
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
