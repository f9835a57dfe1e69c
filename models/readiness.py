"""Whether the database is ready: it is migrated, and takes what people bring."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tortoise.connection import get_connections
from tortoise.transactions import in_transaction

from models.database.connections import DATABASE_FAILURES, is_migrated
from models.database.sqlite import ImmediateSqliteClient
from models.outbox import MessageKind, OutboxMessage

READY_SECONDS = 3
ROOM_BYTES = 256 * 1024
NOBODY = ""
"""The recipient of a message that no other transaction ever sees."""
# More rows than the least memory holds go to a file, which lies where new tables of the database do.
SPILL = "SELECT count(*) FROM generate_series(1, 20000)"


async def is_ready(*, within: float = READY_SECONDS) -> bool:
    """Whether the database has every migration of this code and has taken a write, *within* so many seconds."""
    try:
        async with asyncio.timeout(within):
            if not await is_migrated():
                return False
            await _write()
    except DATABASE_FAILURES:
        return False
    return True


async def _write() -> None:
    """Write as a sign-up does, and leave nothing behind.

    Tables may have room left on a disk that is full: so new room is asked for, too.
    """
    (connection,) = get_connections().all()
    if isinstance(connection, ImmediateSqliteClient):
        await asyncio.to_thread(_take_room_beside, connection.filename)
    async with in_transaction() as transaction:
        if not isinstance(connection, ImmediateSqliteClient):
            await transaction.execute_query("SET LOCAL work_mem = '64kB'")
            await transaction.execute_query(SPILL)
        await OutboxMessage.enqueue(MessageKind.SUMMARY, NOBODY, language="", now=datetime.now(UTC))
        await OutboxMessage.filter(recipient=NOBODY).delete()


def _take_room_beside(filename: str) -> None:
    with tempfile.TemporaryFile(dir=Path(filename).absolute().parent, buffering=0) as file:
        file.write(bytes(ROOM_BYTES))
