"""A reader of one connection's requests, one at a time, on top of uvicorn's protocol.

Uvicorn queues all requests that come, adds the trailers of a body to the headers, and takes the body after an offer to
upgrade for the next request. This reader parses nothing before the previous answer is complete, and gives each request
a parser of its own.
"""

from __future__ import annotations

from abc import abstractmethod
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

import httptools

from api.http.framing import ChunkedBody, Incoming, body_length
from api.http.uvicorn_protocol import UvicornProtocol

MAX_HEAD_BYTES = 32 * 1024
MAX_FRAMING_BYTES = 32 * 1024
"""Bytes that a client may send around a body: sizes and extensions of chunks, trailers."""
FRAMING_PER_BYTE = 8
"""Additional bytes of framing that each byte of the body allows, so that a body may come in the smallest chunks."""
MAX_BYTES_AFTER_ANSWER = 256 * 1024
"""Bytes that are read of a body whose request is answered already; then the connection ends."""


class RefusedError(Exception):
    """The request is refused before it reaches the application. The parser stops when a callback raises this."""


class Part(Enum):
    """The part of a request that the next bytes belong to."""

    HEAD = auto()
    BODY = auto()
    NONE = auto()  # The request is complete, its answer is not.
    DISCARDED = auto()  # The connection has ended; the rest of its bytes is thrown away.


class RequestReader(UvicornProtocol):
    """Reads one request to its end, and the next one after the answer.

    A head has at most 32 KiB, and so has the framing of a body. Bytes that come before the answer wait: at most one
    receipt of them, because reading then pauses.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._incoming = Incoming()
        self._has_client_ended = False
        self._begin_message()

    def connection_lost(self, exc: Exception | None) -> None:
        self._incoming.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._incoming.append(data)
        self._parse_incoming()

    def eof_received(self) -> bool:  # type: ignore[override]  # As asyncio has it.
        """Keep the connection if all requests are whole: a client may end its side and still read (RFC 9112, 9.6)."""
        self._has_client_ended = True
        return self._part is Part.NONE

    @abstractmethod
    def _refuse(self, status: HTTPStatus) -> None:
        """Answer with *status*, or break off an answer that has begun, and end the connection."""

    def _begin_message(self) -> None:
        """Expect the next request, with a parser that knows nothing of earlier ones."""
        self.parser = httptools.HttpRequestParser(self)
        self._part = Part.HEAD
        self._has_begun = False
        self._head_bytes = 0
        self._framing_bytes = 0
        self._body_left = 0
        self._chunks: ChunkedBody | None = None
        self._bytes_after_answer = 0
        self._refusal = HTTPStatus.BAD_REQUEST

    @abstractmethod
    def _note_progress(self) -> None:
        """Note that bytes have been parsed."""

    def _parse_incoming(self) -> None:
        """Parse the bytes that have come, up to the end of an unanswered request; pause reading if some are left."""
        while self._incoming.size and self._expects_bytes and not self.transport.is_closing():
            self._handle(self._take_part())
        if self._incoming.size and not self.transport.is_closing():
            self.flow.held = True
            self.flow.pause_reading()
        elif self._has_client_ended and self._expects_bytes:
            self.transport.close()  # The rest of the request can't come any more.
        if not self.transport.is_closing():
            self._note_progress()

    @property
    def _expects_bytes(self) -> bool:
        """True if the next bytes belong to a head or a body."""
        return self._part is Part.HEAD or self._part is Part.BODY

    def _take_part(self) -> bytes:
        """Take the bytes of the current head or body, and none after its end."""
        if self._part is Part.HEAD:
            return self._incoming.take_head()
        if self._chunks is not None:
            return self._incoming.take_chunks(self._chunks)
        return self._incoming.take(self._body_left)

    def _handle(self, part: bytes) -> None:
        """Parse *part*, which belongs to one request, or refuse the request."""
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
        if self._part is Part.BODY and not self._is_answering:
            self._bytes_after_answer += len(part)
        if self._framing_bytes > MAX_FRAMING_BYTES or self._bytes_after_answer > MAX_BYTES_AFTER_ANSWER:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif self._part is Part.BODY and self._chunks is not None and self._chunks.is_complete:
            self._refuse(HTTPStatus.BAD_REQUEST)  # The parser sees no end where there is one.
        elif self._is_done:
            self._begin_message()

    @property
    def _is_done(self) -> bool:
        """True if both the request and its answer are complete; the answer may be complete first."""
        return self._part is Part.NONE and not self._is_answering

    def _parse(self, part: bytes) -> None:
        """Parse *part*. Parse a head that offers to upgrade a second time, without the offer (RFC 9110, 7.8).

        With an offer, the parser would take the body for bytes of another protocol, and never read it.
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

    # --- Callbacks of the parser ---

    def on_message_begin(self) -> None:
        if self._has_begun:
            raise RefusedError  # A part belongs to one request: see api.http.framing.
        self._has_begun = True
        super().on_message_begin()

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
        self.headers = []  # For trailers, which are no headers (RFC 9110, 6.5.1).
        self._part = Part.BODY
        if length is None:
            self._chunks = ChunkedBody()
        else:
            self._body_left = length

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._framing_bytes = max(0, self._framing_bytes - (1 + FRAMING_PER_BYTE) * len(body))
        if self._chunks is None:
            self._body_left -= len(body)

    def on_message_complete(self) -> None:
        if self._part is Part.BODY:  # Else the head is parsed a second time.
            super().on_message_complete()
            self._part = Part.NONE

    def on_response_complete(self) -> None:
        self.flow.held = False
        super().on_response_complete()
        if self._is_done:
            self._begin_message()
        if self._incoming.size or self._has_client_ended:
            self.loop.call_soon(self._parse_incoming)
