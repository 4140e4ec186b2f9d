"""Images as server-sent events, in the names of OpenAI's image generation stream."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sparsedm.serve.errors import ApiError, internal_error

PARTIAL, COMPLETED, ERROR = "image_generation.partial_image", "image_generation.completed", "error"
QUIET_SECONDS = 15.0
"""After which a comment is sent: proxies close what is silent for a minute."""

Events = AsyncIterator[dict[str, Any]]


def partial(index: int, b64_json: str, shared: Mapping[str, Any]) -> dict[str, Any]:
    """shared: size, quality, background and output_format, as in an answer that is not streamed."""
    return {
        "type": PARTIAL, "b64_json": b64_json, "partial_image_index": index, "created_at": int(time.time()),
        **shared,
    }  # fmt: skip


def completed(
    image: Mapping[str, Any], usage: Mapping[str, Any], shared: Mapping[str, Any]
) -> dict[str, Any]:
    """image: one of `data` of an answer that is not streamed."""
    return {"type": COMPLETED, **image, "created_at": int(time.time()), **shared, "usage": usage}


def encoded(event: Mapping[str, Any]) -> bytes:
    """One event; its type stands in the event's name and in its data, as OpenAI's do."""
    return f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode()


class EventStream(Response):
    """Sends events until they end or the client goes. An error becomes an event with `error`, by which
    clients know that no image comes; status 200 has been sent by then.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: Events,
        headers: Mapping[str, str],
        close: Callable[[], None],
        quiet: float = QUIET_SECONDS,
    ) -> None:
        """close: called at the end, however it comes."""
        super().__init__(headers={**headers, "Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self._close = close
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send_all(send))
        leaving = asyncio.create_task(gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            sending.cancel()
            leaving.cancel()
            self._close()

    async def _send_all(self, send: Send) -> None:
        async def write(chunk: bytes, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": chunk, "more_body": more})

        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            async for chunk in self._chunks():
                await write(chunk)
        except ApiError as error:
            await write(_error(error))
        except Exception:
            await write(_error(internal_error()))
            raise  # to the log
        await write(b"", more=False)

    async def _chunks(self) -> AsyncIterator[bytes]:
        """The events, and a comment whenever none comes for a while."""
        while True:
            following = asyncio.ensure_future(anext(self._events, None))
            try:
                while not (await asyncio.wait({following}, timeout=self._quiet))[0]:
                    yield b": waiting\n\n"
                event = following.result()
            finally:
                following.cancel()
            if event is None:
                return
            yield encoded(event)


def _error(error: ApiError) -> bytes:
    return encoded({"type": ERROR, "error": error.detail()})


async def gone(receive: Receive) -> None:
    """Returns when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass
