"""Mails on their way to a transport, which can be called off until their content is handed over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from api.mail.transports import MailTransport, TransportError

if TYPE_CHECKING:
    from email.message import EmailMessage

SENDING_DEADLINE = timedelta(minutes=12)  # Longer than a transport takes by itself to give up.


class CalledOffError(Exception):
    """The relay stops, and nobody has been given the mail."""


class InDoubtError(Exception):
    """The relay's time is over before the mail server has said whether it takes the mail that it has been given."""


@dataclass(eq=False, slots=True)
class _Sending:
    """One mail on its way."""

    timeout: asyncio.Timeout
    is_handed_over: bool = False


class Sendings:
    """All mails on their way, which end together."""

    def __init__(self, transport: MailTransport) -> None:
        self._transport = transport
        self._under_way: set[_Sending] = set()
        self._ends_at: float | None = None

    async def send(self, mail: EmailMessage, *, leaves: bool) -> None:
        """Send *mail*, or do the same work and throw it away.

        :raises TransportError: as the transport does, or there is no answer in time.
        :raises CalledOffError: see `end`.
        :raises InDoubtError: see `end`.
        """
        if self._ends_at is not None:
            raise CalledOffError
        sending = _Sending(asyncio.timeout(SENDING_DEADLINE.total_seconds()))
        try:
            async with sending.timeout:
                self._under_way.add(sending)
                if leaves:
                    await self._transport.send(mail, partial(self._hand_over, sending))
                else:
                    await self._transport.rehearse(mail)
        except TimeoutError:
            if self._ends_at is None:
                raise TransportError("no answer in time") from None
            raise (InDoubtError if sending.is_handed_over else CalledOffError) from None
        finally:
            self._under_way.discard(sending)

    def end(self, seconds: float) -> None:
        """Call off at once what is not handed over yet; break off all else in so many *seconds*. Idempotent."""
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
