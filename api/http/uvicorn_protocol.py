"""The private parts of uvicorn that the connections of this service use. Tried on uvicorn 0.54.0.

`tests/test_private_parts.py` fails when a release changes them.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

Field: TypeAlias = tuple[bytes, bytes]
"""One header."""

HANDLED_BY_UVICORN = frozenset({b"connection", b"transfer-encoding"})
VARYING = frozenset({b"date", b"etag", b"x-request-id"})
"""Headers that differ from answer to answer, so that it would be no use to keep their lines."""
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
    """Uvicorn's exchange of one request and its answer, with a short way for the usual head of an answer.

    Uvicorn searches each header of each answer for forbidden characters. Nearly all of them are the same every time.
    """

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start" and not (self.response_started or self.flow.write_paused):
            head = self._encode_head(message["status"], [*self.default_headers, *message.get("headers", ())])
            if head is not None and not self.disconnected:
                self.response_started, self.waiting_for_100_continue = True, False
                self.transport.write(head)
                return
        await super().send(message)

    def _encode_head(self, status: int, fields: Sequence[Field]) -> bytes | None:
        """Return the head of a lasting connection's answer with one known length; None for any other."""
        lines = [STATUS_LINE[status]]
        lengths = 0
        for field in fields:
            line = _LINES.get(field)
            if line is None:
                name, value = field
                if name in HANDLED_BY_UVICORN or HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
                    return None
                line = b"%b: %b\r\n" % (name.lower(), value)
                if name == b"content-length":
                    self.expected_content_length, self.chunked_encoding = int(value), False
                    lengths += 1
                elif name not in VARYING and len(_LINES) < MAX_LINES:
                    _LINES[field] = line
            lines.append(line)
        if lengths != 1 or not self.keep_alive:
            return None
        lines.append(b"\r\n")
        return b"".join(lines)


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
