"""Mails on their way to a transport. Each can be called off until its content is handed over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from api.mail.transports import MailTransport, TransportError

if TYPE_CHECKING:
    from email.message import EmailMessage

SENDING_DEADLINE = timedelta(minutes=12)  # More than a transport's own deadlines.


class CalledOffError(Exception):
    """The relay stops, and nobody has received the mail."""


class InDoubtError(Exception):
    """The relay stops before the mail server has said whether it accepts the mail that it has received."""


@dataclass(eq=False, slots=True)
class _Sending:
    """One mail on its way."""

    timeout: asyncio.Timeout
    is_handed_over: bool = False


class Sendings:
    """All mails on their way. They end together."""

    def __init__(self, transport: MailTransport) -> None:
        self._transport = transport
        self._under_way: set[_Sending] = set()
        self._ends_at: float | None = None

    async def send(self, mail: EmailMessage, *, discard: bool) -> None:
        """Send *mail*, or do the same work and *discard* it.

        :raises TransportError: the transport raises it, or there is no answer in time.
        :raises CalledOffError: see `end`.
        :raises InDoubtError: see `end`.
        """
        if self._ends_at is not None:
            raise CalledOffError
        sending = _Sending(asyncio.timeout(SENDING_DEADLINE.total_seconds()))
        try:
            async with sending.timeout:
                self._under_way.add(sending)
                if discard:
                    await self._transport.rehearse(mail)
                else:
                    await self._transport.send(mail, partial(self._hand_over, sending))
        except TimeoutError:
            if self._ends_at is None:
                raise TransportError("no answer in time") from None
            raise (InDoubtError if sending.is_handed_over else CalledOffError) from None
        finally:
            self._under_way.discard(sending)

    def end(self, seconds: float) -> None:
        """Call off mails that are not handed over, at once, and all others in so many *seconds*. Idempotent."""
        if self._ends_at is not None:
            return
        now = asyncio.get_running_loop().time()
        self._ends_at = now + seconds
        for sending in self._under_way:
            if not sending.timeout.expired():
                sending.timeout.reschedule(self._ends_at if sending.is_handed_over else now)

    def _hand_over(self, sending: _Sending) -> None:
        if self._ends_at is not None:
            raise CalledOffError
        sending.is_handed_over = True
