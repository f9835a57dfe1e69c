"""The one place that wires the relay from settings, and runs it."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from api.clock import utc_now
from api.mail.composer import Composer
from api.mail.letters import LetterWriter
from api.mail.relay import CONCURRENT_SENDINGS, Relay
from api.mail.transports import MailTransport, open_transport
from api.shutdown import SHUTDOWN_SECONDS, STOP_SIGNALS
from models.database.connections import database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from api.settings.environment import Settings


def build_relay(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = utc_now,
    transport: MailTransport | None = None,
    seconds_to_stop: float = SHUTDOWN_SECONDS,
    concurrent_sendings: int = CONCURRENT_SENDINGS,
) -> Relay:
    """Return the relay that empties the outbox into the transport of `GUICHET_MAIL_URL`."""
    composer = Composer(sender=settings.mail_from, sign_in_url=settings.sign_in_url)
    return Relay(
        transport=transport or open_transport(settings.mail_url, helo_name=settings.mail_helo_name),
        letters=LetterWriter(composer=composer, activation_url=settings.activation_url, clock=clock),
        mailbox_limit=(settings.rate_limits or {}).get("mailbox"),
        clock=clock,
        seconds_to_stop=seconds_to_stop,
        concurrent_sendings=concurrent_sendings,
    )


async def deliver(settings: Settings, *, once: bool = False, parent: int | None = None) -> Counter[str]:
    """Relay due messages, *once* or until SIGINT, SIGTERM, or the end of the process with the sentinel *parent*."""
    loop = asyncio.get_running_loop()
    async with _open_relay(settings) as relay:
        for stop in STOP_SIGNALS:
            loop.add_signal_handler(stop, relay.stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        if parent is not None:
            loop.add_reader(parent, _stop_once, loop, parent, relay)
        if once:
            return await relay.deliver_due()
        await relay.run()
        if parent is not None:
            loop.remove_reader(parent)
        return Counter()


def _stop_once(loop: asyncio.AbstractEventLoop, parent: int, relay: Relay) -> None:
    """Stop *relay*, and stop watching *parent*: its sentinel stays readable, and would keep the loop busy."""
    loop.remove_reader(parent)
    relay.stop()


@asynccontextmanager
async def _open_relay(settings: Settings) -> AsyncIterator[Relay]:
    async with database(settings.database_url):
        yield build_relay(settings)
