"""The private parts of uvicorn that the connections of this service use. Tried on uvicorn 0.54.0.

`tests/test_private_parts.py` fails when a release changes them.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from api.http.framing import Field

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent, HTTPResponseBodyEvent

HANDLED_BY_UVICORN = frozenset({b"connection", b"transfer-encoding"})
CONSTANT = frozenset(
    {
        b"cache-control",
        b"content-security-policy",
        b"content-type",
        b"cross-origin-opener-policy",
        b"cross-origin-resource-policy",
        b"permissions-policy",
        b"referrer-policy",
        b"strict-transport-security",
        b"vary",
        b"x-content-type-options",
        b"x-frame-options",
    }
)
"""Headers with few values, none of which a caller chooses: their lines are kept."""
MAX_LINES = 256
_LINES: dict[Field, bytes] = {}
"""The lines of the headers of answers."""


class HeldFlow(FlowControl):
    """Uvicorn's control of reading and writing, which does not resume reading while it is *held*."""

    held = False

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class AnsweringTransport:
    """The transport that uvicorn gets for answers, with a *close* of our own."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class Exchange(RequestResponseCycle):
    """Uvicorn's exchange of one request and its answer, with a short way for the usual answer.

    Such an answer has one known length and one part, and its connection lasts. Its head waits for its body, and both
    are written at once. Uvicorn searches each header of each answer for forbidden characters, but nearly all of them
    are the same every time: their lines are kept.
    """

    _head: bytes | None = None
    """The head of the answer, while it waits for the body."""

    async def send(self, message: ASGISendEvent) -> None:
        """Send *message* as uvicorn does."""
        if message["type"] == "http.response.start":
            if not self.response_started and self._encode_head(message["status"], message.get("headers", ())):
                return
        elif self._head is not None:
            if message["type"] == "http.response.body" and self._complete(message):
                return
            if not self.disconnected:
                self.transport.write(self._head)
            self._head = None
        await super().send(message)

    def _encode_head(self, status: int, fields: Iterable[Field]) -> bool:
        """Encode the head of a usual answer. Return whether it is one."""
        fields = (*self.default_headers, *fields)
        lines = list(map(_LINES.get, fields))
        length = None
        for place, line in enumerate(lines):
            if line is None:
                name, value = fields[place]
                if name in HANDLED_BY_UVICORN or HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
                    return False
                if name == b"content-length":
                    length = int(value)
                lines[place] = encoded = b"%b: %b\r\n" % (name.lower(), value)
                if name in CONSTANT and len(_LINES) < MAX_LINES:
                    _LINES[name, value] = encoded
        if length is None or not self.keep_alive or self.scope["method"] == "HEAD":
            return False
        self._head = b"%b%b\r\n" % (STATUS_LINE[status], b"".join(lines))  # type: ignore[arg-type]  # None is left.
        self.expected_content_length, self.chunked_encoding = length, False
        self.response_started, self.waiting_for_100_continue = True, False
        return True

    def _complete(self, message: HTTPResponseBodyEvent) -> bool:
        """Write a whole answer. Return False, and write nothing, if *message* is not all of its body."""
        body = message.get("body", b"")
        is_usual = len(body) == self.expected_content_length and not message.get("more_body", False)
        if self._head is None or not is_usual or self.flow.write_paused or self.disconnected:
            return False
        self.transport.write(self._head + body)
        self._head = None
        self.expected_content_length = 0
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:  # The server has begun to shut down.
            self.transport.close()
        self.on_response()
        return True


class UvicornProtocol(HttpToolsProtocol):
    """Uvicorn's protocol of one connection, with names for the state of the current answer."""

    flow: HeldFlow

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # As uvicorn's.
        super().connection_made(transport)
        self.flow = HeldFlow(transport)
        self._answering: Any = AnsweringTransport(self.transport, self._close)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.cycle.__class__ = Exchange  # Before its task runs. Uvicorn lets nobody choose the class.
        self.cycle.transport = self._answering

    def on_response_complete(self) -> None:
        """Count the answer, and read on. Uvicorn's own would also start a timer, and look for queued requests."""
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()

    @abstractmethod
    def _close(self) -> None:
        """End the connection after the answer."""

    @property
    def _has_had_request(self) -> bool:
        """True if a whole head has come on this connection."""
        return self.cycle is not None

    @property
    def _is_answering(self) -> bool:
        """True if the answer to the current request is still incomplete."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _has_begun_answer(self) -> bool:
        """True if a part of the current answer has been sent, but not all of it."""
        return self._is_answering and self.cycle.response_started

    def _disconnect_application(self) -> bool:
        """Tell the application that its client is gone. Return whether its answer is still missing."""
        self.cycle.disconnected = not self.cycle.response_complete
        self.cycle.message_event.set()
        return self.cycle.disconnected


def status_line(status: HTTPStatus) -> bytes:
    """Return the first line of an answer with *status*."""
    return STATUS_LINE[status]
