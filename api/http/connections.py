"""Connections of clients: how long, how large and how many. Uvicorn itself would let all of them wait for ever."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import secrets
import socket
import struct
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from api.http.deadlines import Deadline
from api.http.middleware import REQUEST_ID_HEADER, SAFE
from api.http.request_reader import Part, RequestReader
from api.settings.trusted_proxies import UNIX_PEER

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 1_000
MAX_DISCARDED_BYTES = 1024 * 1024
HEAD_SECONDS = 10.0
BODY_SECONDS = 20.0
READING_SECONDS = 20.0
MIN_READ_BYTES_PER_SECOND = 1024
"""Bytes in a second: who reads an answer more slowly is given up after :data:`READING_SECONDS`."""
GOODBYE_SECONDS = 5.0
RESET = struct.pack("ii", 1, 0)  # To linger, for no time: socket(7).
REFUSAL_HEADERS = {**SAFE, "Content-Type": "text/plain; charset=utf-8", "Connection": "close"}
MORE_REFUSAL_HEADERS = {HTTPStatus.METHOD_NOT_ALLOWED: {"Allow": "GET, HEAD, POST, OPTIONS"}}


class Turn(Enum):
    """The part that a client is to send next."""

    FIRST_BYTE = auto()
    HEAD = auto()
    BODY = auto()
    NEXT_REQUEST = auto()
    GOODBYE = auto()


class BoundedProtocol(RequestReader):
    """One connection. A head has ten seconds and 32 KiB, a body twenty seconds, the reading of an answer as many.

    What is late gets a 408 (RFC 9110, 15.5.9), a head that is too large a 431 (RFC 6585, 5). Where a process has as
    many connections as it takes, the one that has waited longest for its client makes room for another.
    """

    _waiting: ClassVar[dict[BoundedProtocol, None]] = {}  # In the order in which they began to wait for their clients.

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._awaited: Turn | None = None
        self._sending = Deadline(self.loop, self._give_up_sending)
        self._reading = Deadline(self.loop, self._give_up_reading)
        self._unread = 0  # Bytes of answers, when the deadline for reading them began.
        self._discarded = 0

    # --- What the transport tells ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # As uvicorn's.
        super().connection_made(transport)
        self.client = (UNIX_PEER, 0) if _is_unix(transport) else _as_ipv4(self.client)
        self._await_client()
        if len(self.connections) > MAX_CONNECTIONS:
            longest = next(iter(self._waiting))
            longest._stop_waiting()  # Else the next connection of the same moment would choose it again.
            longest._cut()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._part is Part.DISCARDED:
            self._discarded += len(data)
            if self._discarded > MAX_DISCARDED_BYTES:
                self.transport.abort()
        else:
            super().data_received(data)

    def on_response_complete(self) -> None:
        goes_unasked = self._part is Part.BODY and self.expect_100_continue
        super().on_response_complete()
        self._unset_keepalive_if_required()  # Between requests, the deadline of this class runs.
        self._await_reader()
        if goes_unasked and not self.transport.is_closing():
            self._say_goodbye()  # The client may still send the body or not: what comes next can't be told.

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._await_reader()

    # --- Waiting for the client ---

    @property
    def _turn(self) -> Turn | None:
        """The part that the client is to send; None while it waits for an answer."""
        if self._part is Part.HEAD and not self._head_bytes:
            return Turn.FIRST_BYTE if self.cycle is None else Turn.NEXT_REQUEST
        return {Part.HEAD: Turn.HEAD, Part.BODY: Turn.BODY, Part.DISCARDED: Turn.GOODBYE}.get(self._part)

    def _read_on(self) -> None:
        super()._read_on()
        if not self.transport.is_closing():
            self._await_client()

    def _await_client(self) -> None:
        """Give the client the time that it has for what it is to send, from when its turn began."""
        turn = self._turn
        if turn is self._awaited:
            return
        self._awaited = turn
        self._sending.cancel()
        if turn is not None:
            self._sending.set(self._seconds_for(turn))
        self._note_waiting()

    def _seconds_for(self, turn: Turn) -> float:
        match turn:
            case Turn.BODY:
                return BODY_SECONDS
            case Turn.NEXT_REQUEST:
                return self.timeout_keep_alive
            case Turn.GOODBYE:
                return GOODBYE_SECONDS
        return HEAD_SECONDS

    def _give_up_sending(self) -> None:
        """The client has had its time to send."""
        if self._awaited is Turn.BODY or (self._awaited is Turn.HEAD and self._has_begun):
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self.transport.get_write_buffer_size():  # The last answer is still being read, which has its own deadline.
            self._sending.set(GOODBYE_SECONDS)
        else:
            self.transport.abort()

    def _await_reader(self) -> None:
        """Give the client the time that it has to read, where an answer is complete or can't be written on."""
        self._reading.cancel()
        self._unread = self.transport.get_write_buffer_size()
        has_ended = self._part is Part.DISCARDED or self.cycle is None or self.cycle.response_complete
        if self._unread and (self.flow.write_paused or has_ended):
            self._reading.set(READING_SECONDS)
        self._note_waiting()

    def _give_up_reading(self) -> None:
        """The client has had its time to read; who goes on reading, at a bearable speed, has more."""
        unread = self.transport.get_write_buffer_size()
        if unread and self._unread - unread < MIN_READ_BYTES_PER_SECOND * READING_SECONDS:
            self._cut()
        else:
            self._await_reader()

    def _note_waiting(self) -> None:
        """Go to the end of those that wait for their clients, or leave them."""
        self._waiting.pop(self, None)
        if self._sending or self._reading:
            self._waiting[self] = None

    def _cut(self) -> None:
        """End the connection by a reset: else the system would go on offering what the client does not read."""
        with socket.socket(fileno=os.dup(self.transport.get_extra_info("socket").fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    def _stop_waiting(self) -> None:
        self._sending.cancel()
        self._reading.cancel()
        self._note_waiting()

    # --- Refusing ---

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer with *status* where no other answer to the request has begun, and end the connection."""
        if self.transport.is_closing():
            return
        if self._part is not Part.HEAD:
            if self.cycle.response_started and not self.cycle.response_complete:
                self.transport.abort()
                return
            self.cycle.disconnected = not self.cycle.response_complete
            self.cycle.message_event.set()
        if self._part is Part.HEAD or self.cycle.disconnected:
            self._write_refusal(status)
        self._say_goodbye()

    def _write_refusal(self, status: HTTPStatus) -> None:
        request_id = secrets.token_hex(8)
        logger.info("refused with %d", status, extra={"request_id": request_id})
        headers = REFUSAL_HEADERS | MORE_REFUSAL_HEADERS.get(status, {})
        headers |= {"Content-Length": str(len(status.phrase)), REQUEST_ID_HEADER: request_id}
        head = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
        self.transport.write(STATUS_LINE[status] + f"{head}\r\n{status.phrase}".encode())

    def _close(self) -> None:
        if self._part is Part.NONE and not self._incoming:
            self.transport.close()
        else:
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        """Send no more, and read on for a moment: a connection that is closed on a client which sends loses its answer.

        RFC 9112, 9.6.
        """
        if self._part is Part.DISCARDED or self.transport.is_closing():
            return
        self._part = Part.DISCARDED
        self._incoming.clear()
        self.flow.held = False
        self.flow.resume_reading()
        self.transport.write_eof()
        self._await_client()
        self._await_reader()


def _is_unix(transport: asyncio.Transport) -> bool:
    """Tell by the socket's family: a client over TCP that has gone already has no address either."""
    return bool(transport.get_extra_info("socket").family == socket.AF_UNIX)


def _as_ipv4(address: tuple[str, int] | None) -> tuple[str, int] | None:
    """Return a client's *address*; an IPv4 address that came over IPv6, as itself."""
    if address is None or not address[0].lower().startswith("::ffff:"):
        return address
    mapped = ipaddress.IPv6Address(address[0]).ipv4_mapped
    return (str(mapped), address[1]) if mapped else address
