"""Requests of one connection, one at a time: uvicorn's protocol, without what it and its parser take for a request.

Uvicorn queues all requests that come, adds the trailers of a body to the headers, and takes the body behind an offer
to upgrade for the next request. Here, nothing is parsed before the answer to what came before is complete, and each
request has a parser of its own.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.http.framing import ChunkedBody, Incoming, body_length

MAX_HEAD_BYTES = 32 * 1024
MAX_FRAMING_BYTES = 32 * 1024
"""How much a client may send beside a body: sizes and extensions of chunks, trailers."""
FRAMING_PER_BYTE = 8
"""How much more of that each byte of the body earns, so that a body may come in the smallest chunks."""
MAX_BYTES_AFTER_ANSWER = 256 * 1024
"""How much more is read of a body whose request is answered already; then the connection ends."""


class RefusedError(Exception):
    """The request is refused before it reaches the application; the parser stops there."""


class Part(Enum):
    """What of a request the next bytes belong to."""

    HEAD = auto()
    BODY = auto()
    NONE = auto()  # The request is complete, its answer is not.
    DISCARDED = auto()  # The connection has ended; what still comes is thrown away.


class HeldFlow(FlowControl):
    """Uvicorn's control of reading and writing, which reads no more as long as it is *held*."""

    held = False

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class AnsweringTransport:
    """The transport as uvicorn has it for one answer, with an end of its own: *close*."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class RequestReader(HttpToolsProtocol):
    """Reads a request up to its end, and the next one when it is answered.

    A head has 32 KiB at most, and so has what surrounds a body. What comes meanwhile waits: as much as was received
    at once, since nothing more is read then.
    """

    flow: HeldFlow

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._incoming = Incoming()
        self._has_client_ended = False
        self._begin_message()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # As uvicorn's.
        super().connection_made(transport)
        self.flow = HeldFlow(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._incoming.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._incoming.append(data)
        self._read_on()

    def eof_received(self) -> bool:  # type: ignore[override]  # As asyncio has it.
        """Stay where requests have come whole: a client may end its side and go on reading (RFC 9112, 9.6)."""
        self._has_client_ended = True
        return self._part is Part.NONE

    @abstractmethod
    def _refuse(self, status: HTTPStatus) -> None:
        """Answer with *status*, or cut the answer that has begun, and end the connection."""

    @abstractmethod
    def _close(self) -> None:
        """End the connection behind the answer."""

    def _begin_message(self) -> None:
        """Expect the next request, with a parser that knows nothing of what came before."""
        self.parser = httptools.HttpRequestParser(self)
        self._part = Part.HEAD
        self._has_begun = False
        self._head_bytes = 0
        self._framing_bytes = 0
        self._body_left: int | None = None
        self._chunks = ChunkedBody()
        self._rest_bytes = 0
        self._refusal = HTTPStatus.BAD_REQUEST

    def _read_on(self) -> None:
        """Parse what has come, up to the end of a request whose answer is not complete; then read no more."""
        while self._incoming and self._part in {Part.HEAD, Part.BODY} and not self.transport.is_closing():
            self._read(self._next_part())
        if self._incoming and not self.transport.is_closing():
            self.flow.held = True
            self.flow.pause_reading()
        elif self._has_client_ended and self._part in {Part.HEAD, Part.BODY}:
            self.transport.close()  # Nothing more can come.

    def _next_part(self) -> bytes:
        """Take what has come of the head or the body that is being read, and nothing behind it."""
        if self._part is Part.HEAD:
            return self._incoming.take_head()
        if self._body_left is None:
            return self._incoming.take_chunks(self._chunks)
        return self._incoming.take(self._body_left)

    def _read(self, part: bytes) -> None:
        """Parse *part*, which belongs to one request, or refuse it."""
        if self._part is Part.HEAD:
            self._head_bytes += len(part)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
        else:
            self._framing_bytes += len(part)
        try:
            self._parse(part)
        except httptools.HttpParserError:
            self._refuse(self._refusal)
            return
        if self._part is Part.BODY and self.cycle.response_complete:
            self._rest_bytes += len(part)
        if self._framing_bytes > MAX_FRAMING_BYTES or self._rest_bytes > MAX_BYTES_AFTER_ANSWER:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif self._part is Part.BODY and self._chunks.is_complete:
            self._refuse(HTTPStatus.BAD_REQUEST)  # The parser sees no end where there is one.
        elif self._is_answered:
            self._begin_message()

    @property
    def _is_answered(self) -> bool:
        """Whether the request is complete, and its answer, which need not have waited for the body, is as well."""
        return self._part is Part.NONE and self.cycle.response_complete

    def _parse(self, part: bytes) -> None:
        """Parse *part*; a head that offers to upgrade, again without the offer, as if it had not come (RFC 9110, 7.8).

        With an offer the parser would take the body for bytes of another protocol, and never read it.
        """
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserUpgrade:
            head = [
                b"%b %b HTTP/%b" % (self.scope["method"].encode(), self.url, self.parser.get_http_version().encode())
            ]
            head += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
            self._has_begun = False
            self.parser = httptools.HttpRequestParser(self)
            self.parser.feed_data(b"\r\n".join([*head, b"", b""]))

    # --- What the parser tells ---

    def on_message_begin(self) -> None:
        if self._has_begun:
            raise RefusedError  # A part belongs to one request: see api.http.framing.
        self._has_begun = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._part is Part.HEAD:  # Else a trailer, which is no header (RFC 9110, 6.5.1).
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refusal = HTTPStatus.METHOD_NOT_ALLOWED
            raise RefusedError
        length = body_length(self.parser.get_http_version(), self.headers)
        if self.parser.should_upgrade():
            self.scope["method"] = method.decode()
            return
        super().on_headers_complete()
        self.cycle.transport = AnsweringTransport(self.transport, self._close)  # type: ignore[assignment]  # In part.
        self._part, self._body_left = Part.BODY, length

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._framing_bytes = max(0, self._framing_bytes - (1 + FRAMING_PER_BYTE) * len(body))
        if self._body_left is not None:
            self._body_left -= len(body)

    def on_message_complete(self) -> None:
        if self._part is Part.BODY:  # Else the head is parsed again.
            super().on_message_complete()
            self._part = Part.NONE

    def on_response_complete(self) -> None:
        self.flow.held = False
        super().on_response_complete()
        if self._is_answered:
            self._begin_message()
        self.loop.call_soon(self._read_on)
