"""Limits of one client's connection: time, size and number. Uvicorn itself would let clients wait for ever."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import struct
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, ClassVar

from api.http.deadlines import Deadline
from api.http.middleware import REQUEST_ID_HEADER, SAFE
from api.http.request_reader import Part, RequestReader
from api.http.uvicorn_protocol import status_line
from api.limits.networks import parse_address
from api.settings.trusted_proxies import UNIX_PEER

logger = logging.getLogger(__name__)

RESET = struct.pack("ii", 1, 0)  # SO_LINGER of zero seconds: socket(7).
REFUSAL_HEADERS = {**SAFE, "Content-Type": "text/plain; charset=utf-8", "Connection": "close"}
MORE_REFUSAL_HEADERS = {HTTPStatus.METHOD_NOT_ALLOWED: {"Allow": "GET, HEAD, POST, OPTIONS"}}


@dataclass(frozen=True, slots=True)
class Bounds:
    """The times, speeds and numbers to which a server holds its clients."""

    max_connections: int = 1_000
    head_seconds: float = 10.0
    body_seconds: float = 20.0
    reading_seconds: float = 20.0
    min_read_bytes_per_second: int = 1024
    """A client that reads an answer more slowly is cut off after :attr:`reading_seconds`."""
    linger_seconds: float = 5.0
    max_discarded_bytes: int = 1024 * 1024
    """Bytes that a client may send while the connection lingers."""


class Awaited(Enum):
    """The next thing that a client has to send."""

    FIRST_BYTE = auto()
    HEAD = auto()
    BODY = auto()
    NEXT_REQUEST = auto()
    END = auto()


class BoundedProtocol(RequestReader):
    """One connection. A client has ten seconds and 32 KiB for a head, twenty seconds each for a body and to read.

    A late request gets a 408 (RFC 9110, 15.5.9), a head that is too large a 431 (RFC 6585, 5). When a process has its
    maximum of connections, a new one takes the place of the one that has waited longest for its client.
    """

    bounds: ClassVar[Bounds] = Bounds()
    _waiting: ClassVar[dict[BoundedProtocol, None]] = {}  # In the order in which they began to wait for their clients.

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._awaited: Awaited | None = None
        self._send_deadline = Deadline(self.loop, self._handle_send_timeout)
        self._read_deadline = Deadline(self.loop, self._handle_read_timeout)
        self._unread = 0  # Bytes of answers, when the deadline for reading them began.
        self._discarded = 0

    # --- Callbacks of the transport ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # As uvicorn's.
        super().connection_made(transport)
        self.client = (UNIX_PEER, 0) if _is_unix(transport) else _as_ipv4(self.client)
        self._update_send_deadline()
        if len(self.connections) > self.bounds.max_connections:
            longest = next(iter(self._waiting))
            longest._stop_waiting()  # Else the next connection of the same moment would choose it again.
            longest._reset()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._send_deadline.close()
        self._read_deadline.close()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._part is Part.DISCARDED:
            self._discarded += len(data)
            if self._discarded > self.bounds.max_discarded_bytes:
                self.transport.abort()
        else:
            super().data_received(data)

    def on_response_complete(self) -> None:
        was_not_asked_for_body = self._part is Part.BODY and self.expect_100_continue
        super().on_response_complete()
        self._update_send_deadline()
        self._restart_read_deadline()
        if was_not_asked_for_body and not self.transport.is_closing():
            self._linger()  # The client may send the body or not, so the next bytes could be either.

    def pause_writing(self) -> None:
        super().pause_writing()
        self._restart_read_deadline()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._restart_read_deadline()

    # --- Deadlines of the client ---

    def _find_awaited(self) -> Awaited | None:
        """Return the next thing that the client has to send; None while it waits for an answer."""
        if self._part is Part.NONE:
            return None
        if self._part is Part.BODY:
            return Awaited.BODY
        if self._part is Part.DISCARDED:
            return Awaited.END
        if self._head_bytes:
            return Awaited.HEAD
        return Awaited.NEXT_REQUEST if self._has_had_request else Awaited.FIRST_BYTE

    def _note_progress(self) -> None:
        self._update_send_deadline()

    def _update_send_deadline(self) -> None:
        """Start the deadline for the next thing that the client has to send, once for each."""
        awaited = self._find_awaited()
        if awaited is self._awaited:
            return
        self._awaited = awaited
        self._send_deadline.cancel()
        if awaited is not None:
            self._send_deadline.set(self._seconds_for(awaited))
        self._update_waiting()

    def _seconds_for(self, awaited: Awaited) -> float:
        match awaited:
            case Awaited.BODY:
                return self.bounds.body_seconds
            case Awaited.NEXT_REQUEST:
                return self.timeout_keep_alive
            case Awaited.END:
                return self.bounds.linger_seconds
        return self.bounds.head_seconds

    def _handle_send_timeout(self) -> None:
        """Refuse a request that has begun; end any other connection, after its client has read the last answer."""
        if self._awaited is Awaited.BODY or (self._awaited is Awaited.HEAD and self._has_begun):
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self.transport.get_write_buffer_size():  # The deadline for reading that answer decides.
            self._send_deadline.set(self.bounds.linger_seconds)
        else:
            self.transport.abort()

    def _restart_read_deadline(self) -> None:
        """Start the deadline for reading, if an answer is complete or no more of it can be written."""
        self._read_deadline.cancel()
        self._unread = self.transport.get_write_buffer_size()
        has_ended = self._part is Part.DISCARDED or not self._is_answering
        if self._unread and (self.flow.write_paused or has_ended):
            self._read_deadline.set(self.bounds.reading_seconds)
        self._update_waiting()

    def _handle_read_timeout(self) -> None:
        """Reset the connection of a client that reads too slowly; give any other more time."""
        unread = self.transport.get_write_buffer_size()
        if unread and self._unread - unread < self.bounds.min_read_bytes_per_second * self.bounds.reading_seconds:
            self._reset()
        else:
            self._restart_read_deadline()

    def _update_waiting(self) -> None:
        """Join the end of the connections that wait for their clients, or leave them."""
        self._waiting.pop(self, None)
        if self._send_deadline or self._read_deadline:
            self._waiting[self] = None

    def _stop_waiting(self) -> None:
        self._send_deadline.cancel()
        self._read_deadline.cancel()
        self._update_waiting()

    # --- Ends of the connection ---

    def _reset(self) -> None:
        """Reset the connection: else the system would go on offering bytes that the client does not read."""
        with socket.socket(fileno=os.dup(self.transport.get_extra_info("socket").fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer with *status*, unless another answer to the request has begun, and end the connection."""
        if self.transport.is_closing():
            return
        is_unanswered = self._part is Part.HEAD
        if self._part is not Part.HEAD:
            if self._has_begun_answer:
                self.transport.abort()
                return
            is_unanswered = self._disconnect_application()
        if is_unanswered:
            self._write_refusal(status)
        self._linger()

    def _write_refusal(self, status: HTTPStatus) -> None:
        request_id = secrets.token_hex(8)
        logger.info("refused with %d", status, extra={"request_id": request_id})
        headers = REFUSAL_HEADERS | MORE_REFUSAL_HEADERS.get(status, {})
        headers |= {"Content-Length": str(len(status.phrase)), REQUEST_ID_HEADER: request_id}
        head = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
        self.transport.write(status_line(status) + f"{head}\r\n{status.phrase}".encode())

    def _close(self) -> None:
        if self._part is Part.NONE and not self._incoming.size:
            self.transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Send no more, and discard input for a moment: closing at once could cost the client its answer.

        RFC 9112, 9.6.
        """
        if self._part is Part.DISCARDED or self.transport.is_closing():
            return
        self._part = Part.DISCARDED
        self._incoming.clear()
        self.flow.held = False
        self.flow.resume_reading()
        self.transport.write_eof()
        self._update_send_deadline()
        self._restart_read_deadline()


def _is_unix(transport: asyncio.Transport) -> bool:
    """Return whether the socket is a Unix socket. A TCP client that has gone already has no address either."""
    return bool(transport.get_extra_info("socket").family == socket.AF_UNIX)


def _as_ipv4(address: tuple[str, int] | None) -> tuple[str, int] | None:
    """Return a client's *address*, an IPv4 address that came over IPv6 in its own form."""
    if address is None or not address[0].lower().startswith("::ffff:"):
        return address
    return str(parse_address(address[0])), address[1]
