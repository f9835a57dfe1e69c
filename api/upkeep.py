"""The chores that the service does each hour, beside the requests."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from api.logs import trace_of
from models.retention import purge
from models.sirene.tables import RegisterEdition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from datetime import datetime

logger = logging.getLogger(__name__)

EVERY_SECONDS = 3600
GRACE_SECONDS = 10


@asynccontextmanager
async def upkeep(clock: Callable[[], datetime]) -> AsyncIterator[None]:
    """Run the chores now, and each hour until the block ends."""
    running = asyncio.create_task(_run_hourly(clock))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running], timeout=GRACE_SECONDS)


async def _run_hourly(clock: Callable[[], datetime]) -> None:
    while True:
        for chore in CHORES:
            try:
                await chore(clock())
            except Exception as exc:
                logger.error("%s fails; another try follows in an hour\n%s", chore.__name__, trace_of(exc))
        await asyncio.sleep(EVERY_SECONDS)


async def purge_expired_data(now: datetime) -> None:
    """Delete data that has served its purpose: see `models.retention`."""
    await purge(now=now)


async def warn_of_stale_register(now: datetime) -> None:
    """Warn once a day, in one of all processes, that the register is old."""
    if register := await RegisterEdition.claim_reminder(now=now):
        logger.warning(
            "The register is of the edition of %s, %d days old: guichet import-sirene loads a newer one",
            register.edition,
            register.age(now=now).days,
        )


CHORES: tuple[Callable[[datetime], Awaitable[None]], ...] = (purge_expired_data, warn_of_stale_register)
