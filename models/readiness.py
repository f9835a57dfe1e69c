"""Readiness of the database: it has all migrations, and it takes writes."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tortoise.transactions import in_transaction

from models.database.connections import DATABASE_FAILURES, connection
from models.database.migration import is_migrated
from models.database.sqlite import ImmediateSqliteClient
from models.outbox import MessageKind, OutboxMessage

READY_SECONDS = 3
ROOM_BYTES = 256 * 1024
NOBODY = ""
"""The recipient of a message that is deleted in its own transaction."""
SPILL = "SELECT count(*) FROM generate_series(1, 20000)"
"""Spills to a file, on the disk where new tables would go: it has more rows than the smallest `work_mem` holds."""


async def is_ready(*, within: float = READY_SECONDS) -> bool:
    """Return whether the database has every migration and takes a write *within* so many seconds."""
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

    Also ask for new disk space: tables may have room left on a full disk.
    """
    client = connection()
    if isinstance(client, ImmediateSqliteClient):
        await asyncio.to_thread(_take_room_beside, client.filename)
    async with in_transaction() as transaction:
        if not isinstance(client, ImmediateSqliteClient):
            await transaction.execute_query("SET LOCAL work_mem = '64kB'")
            await transaction.execute_query(SPILL)
        await OutboxMessage.enqueue(MessageKind.SUMMARY, NOBODY, language="", now=datetime.now(UTC))
        await OutboxMessage.filter(recipient=NOBODY).delete()


def _take_room_beside(filename: str) -> None:
    with tempfile.TemporaryFile(dir=Path(filename).absolute().parent, buffering=0) as file:
        file.write(bytes(ROOM_BYTES))
