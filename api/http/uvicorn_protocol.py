"""The private parts of uvicorn that the connections of this service use. Tried on uvicorn 0.54.0.

`tests/test_private_parts.py` fails when a release changes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol


class HeldFlow(FlowControl):
    """Uvicorn's control of reading and writing, which does not resume reading while it is *held*."""

    held = False

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class AnsweringTransport:
    """The transport that uvicorn gets for one answer, with a *close* of our own."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class UvicornProtocol(HttpToolsProtocol):
    """Uvicorn's protocol of one connection, with names for the state of the current answer."""

    flow: HeldFlow

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # As uvicorn's.
        super().connection_made(transport)
        self.flow = HeldFlow(transport)

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

    def _set_answer_close(self, close: Callable[[], None]) -> None:
        """Have uvicorn call *close* when it would close the connection behind the answer."""
        transport: Any = AnsweringTransport(self.transport, close)
        self.cycle.transport = transport

    def _disconnect_application(self) -> bool:
        """Tell the application that its client is gone. Return whether its answer is still missing."""
        self.cycle.disconnected = not self.cycle.response_complete
        self.cycle.message_event.set()
        return self.cycle.disconnected

    def _cancel_keep_alive_timer(self) -> None:
        """Cancel uvicorn's own timer between requests."""
        self._unset_keepalive_if_required()


def status_line(status: HTTPStatus) -> bytes:
    """Return the first line of an answer with *status*."""
    return STATUS_LINE[status]
