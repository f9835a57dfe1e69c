"""Leases of messages that are being sent: renewed again and again, so that no other relay sends them as well."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from models.outbox import LEASE, OutboxMessage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime

RENEWAL_SECONDS = LEASE.total_seconds() / 3


@asynccontextmanager
async def renewing(
    messages: Sequence[OutboxMessage], owner: str, *, clock: Callable[[], datetime]
) -> AsyncIterator[None]:
    """Renew the lease of *owner* on *messages* until the block ends, even if the mail server is slow."""
    over = asyncio.Event()
    task = asyncio.create_task(_renew_until(over, messages, owner, clock))
    try:
        yield
    finally:
        over.set()
        await task


async def _renew_until(
    over: asyncio.Event, messages: Sequence[OutboxMessage], owner: str, clock: Callable[[], datetime]
) -> None:
    while not over.is_set():
        try:
            async with asyncio.timeout(RENEWAL_SECONDS):
                await over.wait()
        except TimeoutError:
            with suppress(Exception):  # The lease may then run out and a second copy leave; the relay logs that.
                await OutboxMessage.renew(messages, owner, now=clock())
