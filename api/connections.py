"""Connections of clients: uvicorn's protocol, with bounds on how long, how large and how many.

Uvicorn gives a client all the time it wants to send a request or to read an answer, and takes a head of any size.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.middleware import REQUEST_ID_HEADER, SAFE

logger = logging.getLogger(__name__)

MOST_CONNECTIONS = 1_000
LARGEST_HEAD = 32 * 1024
HEAD_SECONDS = 10.0
BODY_SECONDS = 20.0
READING_SECONDS = 20.0
REFUSAL_HEADERS = {**SAFE, "Content-Type": "text/plain; charset=utf-8", "Connection": "close"}


class HeadTooLargeError(Exception):
    """The request line and the headers are larger than :data:`LARGEST_HEAD`."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A head has ten seconds and 32 KiB, a body twenty seconds, the reading of an answer as many.

    What is late gets a 408 (RFC 9110, 15.5.9), a head that is too large a 431 (RFC 6585, 5). Where a process has as
    many connections as it takes, the one that has waited longest for its client makes room for another.
    """

    _waiting: ClassVar[dict[BoundedProtocol, None]] = {}  # In the order in which they began to wait for their clients.

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes: int | None = None  # Of a head that is not complete.
    _refusal = HTTPStatus.BAD_REQUEST

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # As uvicorn's.
        super().connection_made(transport)
        self._await_client(HEAD_SECONDS)
        if len(self.connections) > MOST_CONNECTIONS:
            longest = next(iter(self._waiting))
            longest._await_client(None)  # Else the next connection of the same moment would choose it again.
            longest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._await_client(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._deadline is None and self._is_idle:  # What came begins no request: line breaks, say.
            self._await_client(HEAD_SECONDS)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._await_client(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > LARGEST_HEAD:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise HeadTooLargeError  # Which the parser reports as what it can't read.
        self._head_bytes = None
        super().on_headers_complete()
        self._await_client(BODY_SECONDS)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._await_client(None)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_idle:  # Else the next of several requests is in hand.
            self._await_client(READING_SECONDS)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_client(READING_SECONDS)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._await_client(None)

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal)

    @property
    def _is_idle(self) -> bool:
        """Whether no request is in hand."""
        return self.cycle is None or self.cycle.response_complete

    def _await_client(self, seconds: float | None) -> None:
        """Give the client *seconds* from now; None where it is not its turn."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._waiting.pop(self, None)
        if seconds is not None:
            self._waiting[self] = None
            self._deadline = self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        """The client has had its time."""
        self._deadline = None
        if self._head_bytes is not None or (not self._is_idle and not self.flow.write_paused):
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self._waits_between_requests:
            self._await_client(None)
        else:
            self.transport.abort()

    @property
    def _waits_between_requests(self) -> bool:
        """Whether all answers have been read, and uvicorn's own time-out for the next request runs."""
        return self.timeout_keep_alive_task is not None and not self.transport.get_write_buffer_size()

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer with *status* where no other answer has begun, and close."""
        self._head_bytes = None
        if self.transport.is_closing() or self.pipeline or (not self._is_idle and self.cycle.response_started):
            self.transport.abort()
            return
        request_id = secrets.token_hex(8)
        logger.info("refused with %d", status, extra={"request_id": request_id})
        headers = REFUSAL_HEADERS | {"Content-Length": str(len(status.phrase)), REQUEST_ID_HEADER: request_id}
        head = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
        self.transport.write(STATUS_LINE[status] + f"{head}\r\n{status.phrase}".encode())
        self.transport.close()
        self._await_client(READING_SECONDS)
