"""Connections: slow, huge, silent or numerous clients don't block other clients."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.http import uvicorn_protocol
from api.http.connections import BoundedProtocol, Bounds
from api.http.middleware import SAFE
from api.http.request_reader import MAX_HEAD_BYTES
from tests.support.browser import serving
from tests.support.databases import sqlite_only
from tests.support.lines import GUARD_SECONDS, HEAD, QUESTION, REQUEST, is_answered, line

pytestmark = [pytest.mark.anyio, sqlite_only]

SOON = 0.5  # And late enough for a busy machine to have sent what is to be refused.


@pytest.fixture(autouse=True)
def nobody_waits() -> Iterator[None]:
    """Check that no closed connection is remembered."""
    yield
    assert BoundedProtocol._waiting == {}


@pytest.mark.parametrize("bounds", [Bounds(head_seconds=SOON)])
async def test_silent_connection_is_closed(server: str) -> None:
    """A connection on which nothing comes is closed."""
    async with line(server) as silent:
        assert await silent.is_closed()


@pytest.mark.parametrize("bounds", [Bounds(head_seconds=SOON)])
@pytest.mark.parametrize("sent", [b"G", b"POST /graphql HT", HEAD, HEAD + b"Content-Le"])
async def test_slow_head_is_refused(server: str, sent: bytes) -> None:
    """A head that comes drop by drop is refused with 408."""
    async with line(server) as slow:
        await slow.send(sent)
        assert await slow.status() == 408
        assert await slow.is_closed()


async def test_refusal_has_the_headers_and_id_of_an_answer(server: str, caplog: pytest.LogCaptureFixture) -> None:
    """A refusal before the application has the headers of every answer, and its id is in the log."""
    async with line(server) as strange:
        await strange.send(b"what?\r\n\r\n")
        assert await strange.status() == 400
        assert strange.body == b"Bad Request"
        assert {name: strange.headers.get(name) for name in SAFE} == SAFE
        assert strange.headers["connection"] == "close"
    (record,) = [record for record in caplog.records if record.name == "api.http.connections"]
    assert record.getMessage() == "refused with 400"
    assert record.request_id == strange.headers["x-request-id"]  # type: ignore[attr-defined]  # What it brings.


@pytest.mark.parametrize("bounds", [Bounds(head_seconds=SOON)])
async def test_line_breaks_keep_no_connection_open(server: str) -> None:
    """Line breaks between two requests keep no connection open."""
    async with line(server) as slow:
        await slow.send(REQUEST)
        assert await slow.status() == 200
        await slow.send(b"\r\n")
        assert await slow.is_closed()


@pytest.mark.parametrize("bounds", [Bounds(body_seconds=SOON)])
@pytest.mark.parametrize("head", [HEAD + b"Content-Length: 100\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"])
async def test_body_that_never_comes_is_refused(server: str, head: bytes) -> None:
    """A body that never comes is refused with 408, and nothing keeps waiting for it."""
    async with line(server) as slow:
        await slow.send(head)
        assert await slow.status() == 408
        assert await slow.is_closed()


@pytest.mark.parametrize("bounds", [Bounds(head_seconds=SOON)])
async def test_slow_second_request_is_refused(server: str) -> None:
    """Each request on a connection has the same deadlines as the first."""
    async with line(server) as slow:
        await slow.send(REQUEST)
        assert await slow.status() == 200
        await slow.send(HEAD)
        assert await slow.status() == 408


@pytest.mark.parametrize("bounds", [Bounds(body_seconds=SOON)])
async def test_refused_body_is_not_read_to_its_end(server: str) -> None:
    """A body that is too large gets its answer, and is not read to its end."""
    async with line(server) as endless:
        await endless.send(HEAD + b"Content-Length: 10000000000\r\n\r\n" + b" " * 100_000)
        assert await endless.status() == 413
        with pytest.raises(ConnectionError):
            await endless.send_for_ever(b" " * 10_000)


@pytest.mark.parametrize("bounds", [Bounds(reading_seconds=SOON)])
async def test_client_that_never_reads_is_cut_off(server: str) -> None:
    """A client that keeps asking and never reads is cut off."""
    get = b"GET /schema.graphql HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with line(server) as deaf:
        with pytest.raises(ConnectionError):
            await deaf.send_for_ever(get * 100)


@pytest.mark.parametrize(
    ("size", "status"), [(MAX_HEAD_BYTES - 2_000, 200), (MAX_HEAD_BYTES + 2_000, 431), (10 * MAX_HEAD_BYTES, 431)]
)
async def test_head_is_bounded(server: str, size: int, status: int) -> None:
    """A head has 32 KiB at most, in any number of headers."""
    padding = b"X-Padding: " + b"x" * 1000 + b"\r\n"
    head = HEAD + padding * (size // len(padding)) + b"X: " + b"x" * (size % len(padding)) + b"\r\n"
    async with line(server) as client:
        await client.send(head + b"Content-Length: %d\r\n\r\n" % len(QUESTION) + QUESTION)
        assert await client.status() == status


@pytest.mark.parametrize("beginning", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\n"])
async def test_endless_head_is_refused_at_the_limit(server: str, beginning: bytes) -> None:
    """A request line or a header without an end is refused at the limit, and takes no more memory."""
    async with line(server) as endless:
        await endless.send(beginning)
        with pytest.raises(ConnectionError):
            await endless.send_for_ever(b"x" * 10_000)


@pytest.mark.parametrize("bounds", [Bounds(max_connections=5)])
async def test_longest_waiting_connection_is_closed_for_a_new_one(server: str) -> None:
    """With any number of open connections, another is served, and their number stays bounded."""
    async with line(server) as first, line(server) as second, line(server) as third:
        await second.send(HEAD)  # Begins to wait anew with each part of a request.
        await third.send(REQUEST)
        assert await third.status() == 200
        for _ in range(20):
            assert await is_answered(server)
        async with line(server), line(server), line(server), line(server), line(server):
            assert await first.is_closed()
            assert await is_answered(server)
            assert len(BoundedProtocol._waiting) <= 6


@pytest.mark.parametrize("bounds", [Bounds(max_connections=5)])
async def test_burst_of_connections_is_bounded(server: str) -> None:
    """Each of many simultaneous connections makes another one give way."""
    where = urlsplit(server)
    async with asyncio.timeout(GUARD_SECONDS):
        burst = await asyncio.gather(*(_connected(where.hostname, where.port) for _ in range(40)))
        assert await is_answered(server)
    assert len(BoundedProtocol._waiting) <= 6
    for connection in burst:
        connection.close()


async def _connected(host: str | None, port: int | None) -> socket.socket:
    return await asyncio.to_thread(socket.create_connection, (host, port))


@pytest.mark.usefixtures("database_url")
async def test_complete_request_keeps_its_connection() -> None:
    """Only a connection that waits for its client is closed, never one whose request is complete."""
    in_hand, may_answer = asyncio.Event(), asyncio.Event()

    async def hesitate(_: Request) -> Response:
        in_hand.set()
        await may_answer.wait()
        return PlainTextResponse("done")

    app = Starlette(routes=[Route("/graphql", hesitate, methods=["POST"])])
    async with serving(app, Bounds(max_connections=2)) as server, line(server) as first:
        await first.send(REQUEST)
        await in_hand.wait()
        async with line(server) as silent, line(server):
            assert await silent.is_closed()
        may_answer.set()
        assert await first.status() == 200


async def test_malformed_body_that_nobody_reads_is_no_failure(server: str, caplog: pytest.LogCaptureFixture) -> None:
    """A request that is answered without its body, which is malformed, is refused, and the log has no error."""
    async with line(server) as strange:
        await strange.send(b"PUT /graphql HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n")
        assert await strange.status() == 400
        assert await strange.is_closed()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.usefixtures("database_url")
async def test_connection_ends_with_the_answer_that_a_shutdown_interrupts() -> None:
    """A shutdown between the head and the body of an answer lets that answer end, and takes no more requests."""
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    async def hesitate(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        has_begun.set()
        await may_end.wait()
        await send({"type": "http.response.body", "body": b"ok"})

    stack = AsyncExitStack()
    server = await stack.enter_async_context(serving(hesitate))
    async with line(server) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await has_begun.wait()
        shutdown = asyncio.create_task(stack.aclose())
        while await _is_listening(server):  # noqa: ASYNC110  # A shutdown sets no event.
            await asyncio.sleep(0)
        may_end.set()
        assert await client.status() == 200
        assert await client.is_closed()
        await shutdown


async def _is_listening(server: str) -> bool:
    where = urlsplit(server)
    try:
        (await _connected(where.hostname, where.port)).close()
    except OSError:
        return False
    return True


@pytest.mark.usefixtures("database_url")
async def test_headers_that_callers_choose_are_not_kept() -> None:
    """The lines of headers that are kept are the service's own: no caller fills the memory, or the place of others."""
    values = (f"bytes {number}-{number}/1000".encode() for number in range(1000))

    async def answer(_: Scope, __: Receive, send: Send) -> None:
        headers = [(b"content-length", b"0"), (b"content-range", next(values)), (b"vary", b"Accept")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async with serving(answer) as server, line(server) as client:
        for _ in range(3):
            await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert await client.status() == 200
    kept = {name for name, _ in uvicorn_protocol._LINES}
    assert b"vary" in kept
    assert b"content-range" not in kept
