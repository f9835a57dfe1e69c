"""Requests of one connection: their beginnings and ends, and their answers in order."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.http.connections import BoundedProtocol, Bounds
from api.http.request_reader import MAX_FRAMING_BYTES
from tests.support.browser import serving
from tests.support.databases import sqlite_only
from tests.support.lines import HEAD, QUESTION, REQUEST, is_answered, line, until

pytestmark = [pytest.mark.anyio, sqlite_only]

CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n"
CHUNK = b"%x\r\n%b\r\n" % (len(QUESTION), QUESTION)
SIZED = HEAD + b"Content-Length: %d\r\n" % len(QUESTION)
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
OFFERS = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n",
    "websocket": b"Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n",
    "several": b"Upgrade: a/1\r\nConnection: upgrade\r\nUpgrade: b\r\n",
}
PAUSE = (
    0.02  # Between bytes that should arrive in separate segments. If too short, the test shows less, but never fails.
)


class Recorder:
    """An application that answers with the request, and records it."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.size = 0
        routes = [Route("/{path:path}", self.answer, methods=["GET", "POST", "HEAD"])]
        self.app = Starlette(routes=routes)

    async def answer(self, request: Request) -> Response:
        body = (await request.body()).decode()
        seen = {"path": request.url.path, "body": body, "headers": request.headers.raw}
        self.seen.append(seen)
        await self.may_answer.wait()
        return JSONResponse({"path": seen["path"], "body": body, "padding": "x" * self.size})


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def recording(recorder: Recorder, bounds: Bounds, database_url: str) -> AsyncIterator[str]:
    """Serve the recorder, and give its address."""
    async with serving(recorder.app, bounds) as url:
        yield url


# --- Trailers ---


@pytest.mark.parametrize("at_once", [True, False])
async def test_trailers_are_no_headers(recording: str, recorder: Recorder, at_once: bool) -> None:
    """Trailers become headers neither of their request nor of the next."""
    trailers = b"0\r\nX-Forwarded-For: 192.0.2.1\r\nX-Request-Id: abcdefgh\r\nConnection: close\r\n\r\n"
    async with line(recording) as client:
        for part in [CHUNKED + b"\r\n" + CHUNK + trailers] if at_once else [CHUNKED + b"\r\n", CHUNK, trailers]:
            await client.send(part)
            await asyncio.sleep(PAUSE)
        assert await client.status() == 200
        await client.send(REQUEST)
        assert await client.status() == 200
    for seen in recorder.seen:
        assert {name for name, _ in seen["headers"]} <= {
            b"host",
            b"content-type",
            b"transfer-encoding",
            b"content-length",
        }
        assert seen["body"] == QUESTION.decode()


@pytest.mark.parametrize("beginning", [b"0\r\n", b"0\r\nX: ", b"1;", b"1\r\n{\r\n1;x="])
@pytest.mark.parametrize("more", [b"a:\r\n" * 1000, b"x" * 4000])
async def test_framing_of_a_body_is_bounded(server: str, beginning: bytes, more: bytes) -> None:
    """Endless trailers and chunk extensions are refused, and take no more memory."""
    async with line(server) as endless:
        await endless.send(CHUNKED + b"\r\n" + beginning)
        with pytest.raises(ConnectionError):
            await endless.send_for_ever(more)


async def test_body_may_come_in_the_smallest_chunks(recording: str, recorder: Recorder) -> None:
    """The framing of a body is bounded in proportion to the body."""
    body = b"x" * MAX_FRAMING_BYTES
    async with line(recording) as client:
        await client.send(CHUNKED + b"\r\n" + b"1\r\nx\r\n" * len(body) + b"0\r\n\r\n")
        assert await client.status() == 200
    assert recorder.seen[0]["body"] == body.decode()


async def test_body_of_empty_lines_is_a_body(recording: str, recorder: Recorder) -> None:
    """Empty lines in a chunk end no request, in any segmentation."""
    body = b"\r\n\r\n0\r\n\r\n" * 20
    async with line(recording) as client:
        await client.send_in_parts(CHUNKED + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) + REQUEST, 3)
        assert [await client.status(), await client.status()] == [200, 200]
    assert recorder.seen[0]["body"] == body.decode()


async def test_rest_of_a_refused_body_is_bounded(server: str) -> None:
    """A body that is refused for its size is not read to its end."""
    for framing in (b"Content-Length: 100000000\r\n", b"Transfer-Encoding: chunked\r\n"):
        async with line(server) as client:
            await client.send(HEAD + framing + b"\r\n")
            with pytest.raises(ConnectionError):
                await client.send_for_ever(b"10000\r\n" + b"x" * 65_536 + b"\r\n")


@pytest.mark.parametrize("requests", [1, 4])
async def test_client_that_ends_its_side_is_answered(recording: str, recorder: Recorder, requests: int) -> None:
    """A client that ends its side gets every answer, and then the end of the connection."""
    recorder.may_answer.clear()
    async with line(recording) as client:
        await client.send(REQUEST * requests)
        client.end()
        await until(lambda: recorder.seen)
        recorder.may_answer.set()
        assert [await client.status() for _ in range(requests)] == [200] * requests
        assert await client.is_closed()


@pytest.mark.parametrize("sent", [b"", REQUEST[:-1], REQUEST + REQUEST[:-1]])
async def test_incomplete_request_ends_with_its_client(recording: str, recorder: Recorder, sent: bytes) -> None:
    """The server does not wait for the rest of a request whose client has ended its side."""
    async with line(recording) as client:
        await client.send(sent)
        client.end()
        for _ in range(sent.count(b"\r\n\r\n") - 1):
            assert await client.status() == 200
        assert await client.is_closed()


# --- Offers to upgrade ---


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("head", "body"),
    [
        (HEAD + b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED),
        (CHUNKED, b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)),
    ],
    ids=["length", "chunks"],
)
async def test_offer_to_upgrade_is_ignored(
    recording: str, recorder: Recorder, offer: bytes, *, at_once: bool, head: bytes, body: bytes
) -> None:
    """An offer to upgrade changes nothing: the body stays a body, and is never the next request."""
    async with line(recording) as client:
        whole = head + offer + b"\r\n" + body
        parts = [whole] if at_once else [head + offer + b"\r\n", *(body[at : at + 9] for at in range(0, len(body), 9))]
        for part in parts:
            await client.send(part)
            await asyncio.sleep(PAUSE)
        assert await client.status() == 200
        assert json.loads(client.body)["body"] == SMUGGLED.decode()
        await client.send(REQUEST)
        assert await client.status() == 200
        assert json.loads(client.body)["path"] == "/graphql"
    assert [seen["path"] for seen in recorder.seen] == ["/graphql", "/graphql"]


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
async def test_offer_without_a_body_is_ignored(recording: str, offer: bytes) -> None:
    """After an offer without a body, the next bytes are the next request."""
    get = b"GET /%d HTTP/1.1\r\nHost: localhost\r\n"
    async with line(recording) as client:
        await client.send(get % 1 + offer + b"\r\n" + get % 2 + offer + b"\r\n" + get % 3 + b"\r\n")
        for number in (1, 2, 3):
            assert await client.status() == 200
            assert json.loads(client.body)["path"] == f"/{number}"


@pytest.mark.parametrize("at_once", [True, False])
async def test_nothing_after_connect_is_a_request(recording: str, recorder: Recorder, at_once: bool) -> None:
    """CONNECT is refused, and nothing after it is read as a request."""
    connect = b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED)
    async with line(recording) as client:
        await client.send(connect + SMUGGLED if at_once else connect)
        assert await client.status() == 405
        assert "POST" in client.headers["allow"]
        if not at_once:
            await client.send(SMUGGLED)
        assert await client.is_closed()
    assert recorder.seen == []


async def test_unread_offer_of_a_body_ends_the_connection(server: str) -> None:
    """A refusal instead of 100 Continue ends the connection, because the client may or may not send the body."""
    async with line(server) as client:
        await client.send(SIZED.replace(b"application/json", b"text/plain") + b"Expect: 100-continue\r\n\r\n")
        assert await client.status() == 415
        await client.send(SMUGGLED)
        assert await client.is_closed()


# --- One after another ---


async def test_requests_are_read_one_at_a_time(recording: str, recorder: Recorder) -> None:
    """Of many pipelined requests, one is processed, and the others wait unread."""
    recorder.may_answer.clear()
    process = psutil.Process()
    async with line(recording) as client:
        await client.send(REQUEST)
        await until(lambda: recorder.seen)
        before = process.memory_info().rss
        flood = asyncio.create_task(client.send_for_ever(SMUGGLED * 10_000))
        done, _ = await asyncio.wait([flood], timeout=1)
        assert not done
        assert len(recorder.seen) == 1
        (protocol,) = holding_back()
        assert protocol._incoming.size <= 1024 * 1024
        assert protocol.flow.read_paused
        assert not protocol.pipeline
        flood.cancel()
        assert process.memory_info().rss - before < 64 * 1024 * 1024
        recorder.may_answer.set()


def holding_back() -> list[BoundedProtocol]:
    """Return the connections that hold back received bytes."""
    return [one for one in gc.get_objects() if isinstance(one, BoundedProtocol) and one._incoming.size]


async def test_all_of_many_requests_are_answered(recording: str, recorder: Recorder) -> None:
    """Waiting requests are answered in order, in any segmentation."""
    requests = b"".join(
        b"POST /%d HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (number, len(body), body)
        if number % 3
        else b"POST /%d HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nA: b\r\n\r\n"
        % (number, len(body), body)
        for number, body in enumerate([b"\r\n\r\n" * 3 + b"x", SMUGGLED] * 150)
    )
    async with line(recording) as client:
        sending = asyncio.create_task(client.send_in_parts(requests, 997))
        for number in range(300):
            assert await client.status() == 200
            assert json.loads(client.body)["path"] == f"/{number}"
        await sending
    assert {seen["path"] for seen in recorder.seen} == {f"/{number}" for number in range(300)}


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"PROPFIND"])
async def test_body_is_never_a_request_with_any_method(recording: str, recorder: Recorder, method: bytes) -> None:
    """A body is a body with any method, and never a request."""
    get = b"GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n"
    sized = b"%b / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
    async with line(recording) as client:
        await client.send(sized % (method, len(SMUGGLED), SMUGGLED) + get)
        await until(lambda: [seen for seen in recorder.seen if seen["path"] == "/next"])
    assert "/smuggled" not in {seen["path"] for seen in recorder.seen}


@pytest.mark.parametrize("size", [0, 1_000_000])
async def test_malformed_request_interrupts_no_answer(
    recording: str, recorder: Recorder, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    """A malformed request does not interrupt the answer before it; its refusal follows, and the connection ends."""
    recorder.may_answer.clear()
    recorder.size = size
    async with line(recording) as client:
        await client.send(REQUEST + b"\x00what?\r\n\r\n" + SMUGGLED)
        await until(lambda: recorder.seen)
        recorder.may_answer.set()
        assert await client.status() == 200
        assert json.loads(client.body)["padding"] == "x" * size
        assert await client.status() == 400
        assert await client.is_closed()
    assert len(recorder.seen) == 1
    assert [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []


async def test_clients_that_leave_log_no_errors(
    recording: str, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """A hundred clients that leave within their request write no error to the log."""
    recorder.may_answer.clear()
    for _ in range(20):
        async with line(recording) as client:
            await client.send(REQUEST * 5 + b"\x00\r\n\r\n")
    await until(lambda: len(recorder.seen) == 20)
    recorder.may_answer.set()
    async with line(recording) as client:
        await client.send(REQUEST)
        assert await client.status() == 200
    assert [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []


async def test_refusal_reaches_client_that_still_sends(server: str) -> None:
    """A client that is still sending can read its refusal."""
    async with line(server) as client:
        await client.send(b"GET / HTTP/1.1\r\nX: " + b"x" * 500_000)
        assert await client.status() == 431
        assert await client.is_closed()


async def test_last_answer_reaches_client_that_still_sends(server: str) -> None:
    """A client that is still sending can read an answer that ends the connection."""
    body = b" " * 900_000
    async with line(server) as client:
        await client.send(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        await client.send(body[:100_000])
        assert await client.status() == 413
        assert client.headers["connection"] == "close"
        for start in range(100_000, len(body), 100_000):
            await client.send(body[start : start + 100_000])
            await asyncio.sleep(PAUSE)
        assert await client.is_closed()


# --- Deadlines ---


@pytest.mark.parametrize("bounds", [Bounds(reading_seconds=0.5)])
async def test_client_that_sends_and_never_reads_is_cut_off(recording: str, recorder: Recorder) -> None:
    """A client that never reads its answer is cut off, even if it keeps sending."""
    recorder.size = 20_000_000
    async with line(recording) as deaf:
        await deaf.send(REQUEST)
        await until(lambda: BoundedProtocol._waiting)
        with pytest.raises(ConnectionError):
            await deaf.send_for_ever(SMUGGLED, pause=PAUSE)


@pytest.mark.parametrize("bounds", [Bounds(max_connections=3)])
async def test_clients_that_never_read_are_closed_for_a_new_one(recording: str, recorder: Recorder) -> None:
    """When none of the maximum of clients reads, a new client is served at once."""
    recorder.size = 20_000_000
    async with line(recording) as one, line(recording) as two, line(recording) as three:
        for deaf in (one, two, three):
            await deaf.send(REQUEST)
        await until(lambda: sum(bool(each._read_deadline) for each in BoundedProtocol._waiting) == 3)
        for deaf in (one, two, three):
            await deaf.send(SMUGGLED)
        recorder.size = 0
        async with line(recording) as client:
            await client.send(REQUEST)
            assert await client.status() == 200


@pytest.mark.parametrize("bounds", [Bounds(reading_seconds=0.2)])
async def test_slow_reader_gets_the_whole_answer(recording: str, recorder: Recorder) -> None:
    """A client that reads slowly, but fast enough, gets the whole answer."""
    recorder.size = 20_000_000
    async with line(recording) as slow:
        await slow.send(REQUEST)
        read = 0
        while read < recorder.size:
            read += len(await slow.receive(1_000_000))
            await asyncio.sleep(PAUSE)


@pytest.mark.parametrize("bounds", [Bounds(body_seconds=0.5)])
@pytest.mark.parametrize("sent", [CHUNKED + b"\r\n1;", CHUNKED + b"\r\n0\r\nX: "])
async def test_slow_chunk_extensions_do_not_extend_the_deadline(server: str, sent: bytes) -> None:
    """Chunk extensions and trailers, sent drop by drop, do not extend the deadline of the body."""
    async with line(server) as slow:
        await slow.send(sent)
        dripping = asyncio.create_task(slow.send_for_ever(b"x", pause=PAUSE))
        assert await slow.status() == 408
        dripping.cancel()
    assert await is_answered(server)
