"""From a request for images to its answer: all of them at once, or one as a stream of events."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sparsedm.models.text_encoder import TextTooLong
from sparsedm.serve.batcher import Displaced, Draining
from sparsedm.serve.errors import ApiError, bad_request, shown
from sparsedm.serve.generation import (
    GenerationRequest,
    client_gone,
    client_of,
    patience_of,
    read_request,
)
from sparsedm.serve.images import BEST, encode_base64
from sparsedm.serve.infer import inference_answer, read_inference
from sparsedm.serve.prompts import Condition, Guidance, Prompt, UnknownClass
from sparsedm.serve.service import Service, draining
from sparsedm.serve.spoilt import Spoilt
from sparsedm.serve.stream import EventStream, completed, gone, partial
from sparsedm.serve.waiting import Previews


@dataclass(frozen=True)
class Order:
    """A request that has been checked: what is drawn, and how its images are written."""

    body: GenerationRequest
    condition: Condition
    guidance: Guidance | None
    size: tuple[int, int]
    """Width and height."""
    seeds: list[int]
    seeded: bool
    """Whether the client chose the seeds."""

    @property
    def shared(self) -> dict[str, Any]:
        """What an answer says of all its images, and an event of its one."""
        return {
            "size": "{}x{}".format(*self.size),
            "quality": "auto",
            "background": "opaque",
            "output_format": self.body.output_format or "png",
        }

    async def encode(self, image: np.ndarray) -> str:
        quality = self.body.output_compression
        return await asyncio.to_thread(
            encode_base64, image, self.size[0], self.body.output_format or "png",
            BEST if quality is None else quality,
        )  # fmt: skip


def check_model(service: Service, name: str | None) -> None:
    """Raises ApiError."""
    if name is not None and name != service.config.name:
        raise ApiError(
            404,
            f"There is no model {shown(name)} here: this server's is {service.config.name}.",
            "model_not_found",
            "model",
        )


def order_of(service: Service, body: GenerationRequest) -> Order:
    """Raises ApiError."""
    check_model(service, body.model)
    try:
        size = service.engine.size_of(body.size)
    except ValueError as error:
        raise bad_request(str(error), "size") from error
    condition = _condition(service, body.prompt, "prompt")
    if isinstance(condition, Prompt):
        condition = replace(condition, size=size)
    guidance = _guidance(service, body)
    seed = body.seed if body.seed is not None else secrets.randbits(32)
    return Order(body, condition, guidance, size, [seed + i for i in range(body.n)], body.seed is not None)


def _condition(service: Service, text: str, field: str) -> Condition:
    try:
        return service.condition(text)
    except UnknownClass as error:
        raise bad_request(str(error), field, "unknown_class") from error
    except TextTooLong as error:
        raise bad_request(f"{error} Shorten the {field}.", field, f"{field}_too_long") from error


def _guidance(service: Service, body: GenerationRequest) -> Guidance | None:
    """None for the engine's own, which is what a request that says nothing gets."""
    scale, negative = body.guidance_scale, body.negative_prompt
    engine = service.engine
    if scale not in (None, 1.0) and not engine.guidable:
        raise bad_request(
            "guidance_scale must be absent or 1: guidance compares what a model draws with and without its "
            "prompt, and this model can't draw without one.",
            "guidance_scale",
        )
    strength = engine.guidance if scale is None else scale - 1.0
    if not negative:
        return None if scale is None else Guidance(strength)
    if engine.no_negative is not None:
        raise bad_request(f"negative_prompt must be absent: {engine.no_negative}.", "negative_prompt")
    if strength <= 0.0 or not engine.guidable:
        raise bad_request(
            "negative_prompt must be absent without guidance: write a guidance_scale above 1 beside it.",
            "negative_prompt",
        )
    return Guidance(strength, _condition(service, negative, "negative_prompt"))


async def answer(service: Service, request: Request) -> Response:
    """Raises ApiError."""
    started = time.perf_counter()
    order = order_of(service, await read_request(request))
    patience = patience_of(request) - (time.perf_counter() - started)
    work = Work(service, order, client_of(request), patience, started)
    if order.body.stream:
        return work.stream()
    return await work.whole(request)


async def infer(service: Service, request: Request, version: str) -> Response:
    """As `answer`, of a request by the Open Inference Protocol."""
    started = time.perf_counter()
    asked = await read_inference(request)
    order = order_of(service, asked.body)
    if asked.seeds is not None:
        order = replace(order, seeds=asked.seeds, seeded=True)
    patience = patience_of(request) - (time.perf_counter() - started)
    work = Work(service, order, client_of(request), patience, started)
    with service.load.request():
        images = await work.drawn(request)
    tensors = {"images": np.stack(images), "seed": np.array(order.seeds, np.int64)}
    return inference_answer(service.config.name, version, asked, tensors, work.headers())


@dataclass(frozen=True)
class Work:
    """An order of a client that waits for `patience` seconds; `started` is when its request came."""

    service: Service
    order: Order
    client: str
    patience: float
    started: float

    async def whole(self, request: Request) -> JSONResponse:
        with self.service.load.request():
            images = await self.drawn(request)
            encoded = await asyncio.gather(*(self.order.encode(image) for image in images))
        data = [self._datum(*image) for image in zip(encoded, self.order.seeds, strict=True)]
        answer = {"created": int(time.time()), **self.order.shared, "data": data, "usage": self._usage()}
        return JSONResponse(answer, headers=self.headers())

    async def drawn(self, request: Request) -> list[np.ndarray]:
        """When the client disconnects, its images leave the queue, and the batch at the next step. Raises
        ApiError."""
        drawing = asyncio.create_task(_all(self._submit(None)))
        leaving = asyncio.create_task(gone(request.receive))
        try:
            await asyncio.wait({drawing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not drawing.done():
                raise client_gone()
            images = drawing.result()
        except Exception as error:
            raise self._failure(error) from error
        finally:
            leaving.cancel()
            drawing.cancel()
        self._note(images)
        return images

    def stream(self) -> EventStream:
        loop, news = asyncio.get_running_loop(), asyncio.Queue[Any]()

        def show(index: int, pixels: np.ndarray) -> None:
            loop.call_soon_threadsafe(news.put_nowait, (index, pixels))

        with ExitStack() as stack:
            stack.enter_context(self.service.load.request())
            (image,) = self._submit(Previews(self.order.body.partial_images or 0, show))
            stack.callback(image.cancel)
            image.add_done_callback(news.put_nowait)
            return EventStream(self._events(news), self.headers(), stack.pop_all().close)

    async def _events(self, news: asyncio.Queue[Any]) -> AsyncIterator[dict[str, Any]]:
        """Previews, then the image. Raises ApiError."""
        while isinstance(came := await news.get(), tuple):
            index, pixels = came
            yield partial(index, await self.order.encode(pixels), self.order.shared)
        try:
            image = came.result()
        except Exception as error:
            raise self._failure(error) from error
        datum = self._datum(await self.order.encode(image), self.order.seeds[0])
        self._note([image])
        yield completed(datum, self._usage(), self.order.shared)

    def _submit(self, previews: Previews | None) -> list[asyncio.Future[np.ndarray]]:
        order = self.order
        return self.service.submit(
            order.condition, order.seeds, order.body.num_inference_steps, self.client, self.patience,
            order.guidance, previews,
        )  # fmt: skip

    def _note(self, images: list[np.ndarray]) -> None:
        """What the server measures of images that are on their way to a client."""
        body, engine = self.order.body, self.service.config.engine
        if body.num_inference_steps in (None, engine.steps) and self.order.guidance is None:
            # Others have another quality.
            self.service.served(self.order.condition, images, self.order.seeded)
        self.service.latencies.add(time.perf_counter() - self.started)

    def _failure(self, error: Exception) -> ApiError:
        """What the client is told where an image was not drawn."""
        if isinstance(error, ApiError):
            return error
        if isinstance(error, Draining):
            return draining()
        if isinstance(error, Displaced):
            body = self.order.body
            return self.service.displaced(error, len(self.order.seeds), body.num_inference_steps)
        if isinstance(error, Spoilt):
            return ApiError(500, f"{error} Try another seed.", error.code)
        # The batcher has logged it.
        return ApiError(500, "The image could not be drawn: the server's log says why.", "drawing_failed")

    def _datum(self, b64_json: str, seed: int) -> dict[str, Any]:
        name = self.service.class_name(self.order.condition)
        return {"b64_json": b64_json, "seed": seed, **({} if name is None else {"revised_prompt": name})}

    def _usage(self) -> dict[str, Any]:
        """Tokens that the text encoder read of the prompt, and those that the network drew."""
        text = self.service.engine.text_tokens(self.order.condition)
        drawn = len(self.order.seeds) * self.service.engine.tokens
        return {
            "input_tokens": text,
            "input_tokens_details": {"text_tokens": text, "image_tokens": 0},
            "output_tokens": drawn,
            "output_tokens_details": {"text_tokens": 0, "image_tokens": drawn},
            "total_tokens": text + drawn,
        }

    def headers(self) -> dict[str, str]:
        took = self.service.denoising_seconds(len(self.order.seeds), self.order.body.num_inference_steps)
        return {"X-SparseDM-Denoising-Seconds": f"{took:.3f}"}


async def _all(images: list[asyncio.Future[Any]]) -> list[Any]:
    """A task can be cancelled silently; the future that `gather` returns logs the cancellation."""
    return await asyncio.gather(*images)
