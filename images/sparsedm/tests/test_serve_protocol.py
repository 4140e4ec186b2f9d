"""A connection, byte by byte: timeouts, the limit of connections, and unambiguous framing."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from sparsedm.serve.cli import limits
from sparsedm.serve.protocol import Limits, Protocol

PATIENT = Limits(request=60.0, idle=60.0)
SOON = 0.05
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body that came."""
    try:
        body = await Request(scope, receive).body()
    except ClientDisconnect:
        return
    await PlainTextResponse(b"got:" + body)(scope, receive, send)


def run(limits: Limits, scenario: Callable[[int], Awaitable[None]]) -> None:
    """Runs a scenario with the port of a server that has these limits."""

    async def main() -> None:
        http = partial(Protocol, limits=limits)
        config = uvicorn.Config(echo, http=http, ws="none", port=0, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve())
        while not server.started:
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(30):
                await scenario(server.servers[0].sockets[0].getsockname()[1])
        finally:
            server.should_exit = True
            await serving

    asyncio.run(main())


async def send(port: int, *parts: bytes) -> bytes:
    """What comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


def answers(data: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", data)]


def refusal(data: bytes) -> tuple[int, str]:
    """Of the only answer: its status and its message."""
    assert len(answers(data)) == 1, data
    head, body = data.split(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    assert b"content-type: application/json" in head.lower()
    return answers(data)[0], json.loads(body)["error"]["message"]


CHUNKED = b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: 5\r\n"
HIDDEN = b"0\r\n\r\n" + GET


@pytest.mark.parametrize(
    ("head", "status", "says"),
    [
        (POST + CHUNKED + LENGTH, 400, "exclude each other"),
        (POST + LENGTH + CHUNKED, 400, "exclude each other"),
        (POST + LENGTH + b"Transfer-Encoding:\r\n chunked\r\n", 400, "exclude each other"),
        (POST + LENGTH + b"tRANSFER-eNCODING: CHUNKED\r\n", 400, "exclude each other"),
        (POST + LENGTH + b"Transfer-Encoding: gzip, chunked\r\n", 501, "Only Transfer-Encoding: chunked"),
        (POST + b"Transfer-Encoding: identity\r\n", 501, "Only Transfer-Encoding: chunked"),
        (POST + CHUNKED + CHUNKED, 501, "multiple Transfer-Encoding"),
        (POST + LENGTH + b"Content-Length: 6\r\n", 400, "conflicting Content-Length"),
        (POST + b"Content-Length: 5, 6\r\n", 400, "conflicting Content-Length"),
        (POST + b"Content-Length: +5\r\n", 400, "bad Content-Length"),
        (POST + b"Content-Length : 5\r\n", 400, ""),
        (b"POST / HTTP/1.0\r\nHost: x\r\n" + CHUNKED, 400, "HTTP/1.0 has no Transfer-Encoding"),
        (b"PRI * HTTP/2.0\r\n", 505, "Only HTTP/1.1"),
        (b"GET / HTTP/1.1\r\n", 400, "Host"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n", 431, "head is too large"),
    ],
)
def test_framing_in_doubt_ends_the_connection(head: bytes, status: int, says: str) -> None:
    async def scenario(port: int) -> None:
        found, message = refusal(await send(port, head + b"\r\n" + HIDDEN))
        assert found == status
        assert says in message
        assert message.endswith(".")

    run(PATIENT, scenario)


def test_a_length_said_twice_is_one_length() -> None:
    async def scenario(port: int) -> None:
        answer = await send(port, POST + LENGTH + LENGTH + b"Connection: close\r\n\r\nhello")
        assert answers(answer) == [200]
        assert answer.endswith(b"got:hello")

    run(PATIENT, scenario)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        GET + b"G",
        POST + b"Content-Length: 5\r\n\r\nhel",
        POST + CHUNKED + b"\r\n3\r\nhel\r\n",
    ],
)
def test_half_a_request_is_not_waited_for(sent: bytes) -> None:
    async def scenario(port: int) -> None:
        answer = await send(port, sent)
        assert answers(answer)[-1] == 408
        message = refusal(answer[answer.rindex(b"HTTP/1.1") :])[1]
        assert message == "The request was not complete within 0.05 s."

    run(dataclasses.replace(PATIENT, request=SOON), scenario)


@pytest.mark.parametrize("head", [b"", POST + b"Content-Length: 1000000\r\n\r\n"], ids=["head", "body"])
def test_a_request_that_trickles_gets_no_more_time(head: bytes) -> None:
    async def scenario(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        while not answer.done():
            writer.write(b"x")
            await asyncio.sleep(SOON / 10)
        assert answers(answer.result()) == [408]
        writer.close()

    run(dataclasses.replace(PATIENT, request=SOON), scenario)


@pytest.mark.parametrize("sent", [b"", GET, GET + GET])
def test_an_idle_connection_is_closed_without_a_word(sent: bytes) -> None:
    async def scenario(port: int) -> None:
        assert answers(await send(port, sent)) == [200] * sent.count(b"GET")

    run(dataclasses.replace(PATIENT, idle=SOON), scenario)


def test_a_kept_connection_takes_request_after_request() -> None:
    async def scenario(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(GET)
            assert (await reader.readuntil(b"got:")).startswith(b"HTTP/1.1 200")
        writer.close()

    run(PATIENT, scenario)


def test_the_next_answer_on_an_old_connection_is_its_last() -> None:
    async def scenario(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = b""
        while b"connection: close" not in head.lower():
            writer.write(GET)
            head = await reader.readuntil(b"got:")
            assert head.startswith(b"HTTP/1.1 200"), "no request is lost"
        assert await reader.read() == b""
        writer.close()

    run(dataclasses.replace(PATIENT, age=SOON), scenario)


def test_one_connection_too_many_ends_the_longest_idle_one() -> None:
    async def scenario(port: int) -> None:
        oldest, writer = await asyncio.open_connection("127.0.0.1", port)
        _, busy = await asyncio.open_connection("127.0.0.1", port)
        busy.write(POST + LENGTH + b"\r\nhel")
        await busy.drain()
        third_reader, third = await asyncio.open_connection("127.0.0.1", port)
        third.write(GET)
        await third_reader.readuntil(b"got:")
        assert await oldest.read() == b""
        third.write(POST + LENGTH + b"\r\nhel")
        await third.drain()
        await asyncio.sleep(SOON)  # until the server has read it
        assert refusal(await send(port, b""))[0] == 503, "nobody is idle"
        for client in (writer, busy, third):
            client.close()

    run(dataclasses.replace(PATIENT, connections=2), scenario)


def test_as_many_connections_as_requests_may_wait() -> None:
    assert limits(64).connections == Limits.connections + 64
