"""The register's replacement on SQLite: filled, swapped and removed in transactions too short to be felt."""

from __future__ import annotations

import asyncio
import fcntl
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tortoise.transactions import in_transaction

from models.sirene.rows import COLUMNS, INCOMING, ReplacementUnderWayError
from models.sirene.tables import RegisterEdition

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable, Sequence

    from models.database.sqlite import ImmediateSqliteClient
    from models.sirene.rows import Rows

OUTGOING = "register_entry_outgoing"
LOCKED_SECONDS = 0.02  # The aim for a transaction: a busy machine, or disk, may take several times as long.
MIN_ROWS, MAX_ROWS = 50, 20_000

# Rows that come by ascending key are appended to such a table, which is its own index: to build one at the end would
# hold the write lock for minutes.
CREATE = f"""
CREATE TABLE {INCOMING} (
    siret VARCHAR(14) NOT NULL PRIMARY KEY,
    name VARCHAR(200),
    status VARCHAR(10) NOT NULL,
    postal_code VARCHAR(10),
    city VARCHAR(100)
) WITHOUT ROWID
"""
INSERT = f"INSERT INTO {INCOMING} ({', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608  # Constants.
EXISTS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
SWAP = (
    f"ALTER TABLE register_entry RENAME TO {OUTGOING}",
    f"ALTER TABLE {INCOMING} RENAME TO register_entry",
)


class SqliteReplacement:
    """A table beside `register_entry`. The old table is removed little by little, and its pages are used again."""

    def __init__(self, client: ImmediateSqliteClient) -> None:
        self._client = client
        self._created = False
        self._rows = MIN_ROWS

    @classmethod
    @asynccontextmanager
    async def locked(cls, client: ImmediateSqliteClient) -> AsyncIterator[SqliteReplacement]:
        """Yield the only replacement at this time. The lock of a file ends with its process."""
        with await asyncio.to_thread(_lock_file, client.filename) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ReplacementUnderWayError from None
            new = cls(client)
            await new._remove(INCOMING)
            await new._remove(OUTGOING)
            try:
                yield new
            except Exception:  # A cancelled import skips this: it may take minutes, and the operator wants an end.
                await new._remove(INCOMING)
                raise

    async def add(self, rows: Rows) -> None:
        await self._create()
        left = iter(rows)
        while some := list(islice(left, self._rows)):
            await self._in_short(partial(_insert, rows=some))

    async def complete(self) -> None:
        """Make the table, if it had no rows. It is its own index, and has no statistics."""
        await self._create()

    async def publish(self, edition: RegisterEdition) -> None:
        async with in_transaction() as transaction:
            for statement in SWAP:
                await transaction.execute_query(statement)
            await RegisterEdition.filter(source=edition.source).delete()
            await edition.save(force_create=True)

    async def clear(self) -> None:
        await self._remove(OUTGOING)

    async def _create(self) -> None:
        if not self._created:
            await self._client.at_once(lambda connection: connection.execute(CREATE))
            self._created = True

    async def _remove(self, table: str) -> None:
        """Delete the rows, then the table: to drop millions would hold the write lock while their pages are freed."""
        if not await self._client.execute_query_dict(EXISTS, [table]):
            return
        while await self._in_short(partial(_delete, table=table, count=self._rows)):
            pass
        await self._client.at_once(partial(_drop, table=table))

    async def _in_short(self, work: Callable[[sqlite3.Connection], int]) -> int:
        """Do *work*, which writes up to `_rows` rows, in one transaction, and return the number that it has written.

        `_rows` grows or shrinks by the time that this took. Then pause as long, so that others can write.
        """
        written, took = await self._client.at_once(work)
        if written == self._rows or took > LOCKED_SECONDS:  # A few quick rows say nothing of many.
            self._rows = max(MIN_ROWS, min(MAX_ROWS, int(written * min(2.0, LOCKED_SECONDS / took))))
        await asyncio.sleep(took)
        return written


def _lock_file(database: str) -> IO[str]:
    """Open the lock file, which lies beside *database* itself even if its path is a link."""
    return Path(f"{Path(database).resolve()}.register.lock").open("w")


def _insert(connection: sqlite3.Connection, rows: Sequence[tuple[str | None, ...]]) -> int:
    return connection.executemany(INSERT, rows).rowcount


def _delete(connection: sqlite3.Connection, table: str, count: int) -> int:
    first = f"SELECT siret FROM {table} ORDER BY siret LIMIT ?"  # noqa: S608  # A constant's name.
    return connection.execute(f"DELETE FROM {table} WHERE siret IN ({first})", [count]).rowcount  # noqa: S608


def _drop(connection: sqlite3.Connection, table: str) -> None:
    connection.execute(f"DROP TABLE {table}")
