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
LOCKED_SECONDS = 0.02  # What a transaction aims at: a busy machine, or disk, may take several times as long.
FEWEST_ROWS, MOST_ROWS = 50, 20_000

# Rows that come by ascending key are appended to such a table, which is its own index: building one at the end
# would hold the write lock for minutes.
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
    """A table beside `register_entry`. What was replaced is removed little by little, and its pages are used again."""

    def __init__(self, client: ImmediateSqliteClient) -> None:
        self._client = client
        self._created = False
        self._rows = FEWEST_ROWS

    @classmethod
    @asynccontextmanager
    async def locked(cls, client: ImmediateSqliteClient) -> AsyncIterator[SqliteReplacement]:
        """The only replacement at this time; the lock of a file ends with its process."""
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
            except Exception:  # Not where it is cancelled: this may take minutes, and who interrupts wants an end.
                await new._remove(INCOMING)
                raise

    async def add(self, rows: Rows) -> None:
        await self._begun()
        left = iter(rows)
        while some := list(islice(left, self._rows)):
            await self._in_short(partial(_insert, rows=some))

    async def complete(self) -> None:
        """Nothing but the table: it is its own index, and keeps no statistics."""
        await self._begun()

    async def publish(self, edition: RegisterEdition) -> None:
        async with in_transaction() as transaction:
            for statement in SWAP:
                await transaction.execute_query(statement)
            await RegisterEdition.filter(source=edition.source).delete()
            await edition.save(force_create=True)

    async def clear(self) -> None:
        await self._remove(OUTGOING)

    async def _begun(self) -> None:
        if not self._created:
            await self._client.at_once(lambda connection: connection.execute(CREATE))
            self._created = True

    async def _remove(self, table: str) -> None:
        """Row by row first: dropping a table of millions would hold the write lock while all its pages are freed."""
        if not await self._client.execute_query_dict(EXISTS, [table]):
            return
        while await self._in_short(partial(_delete, table=table, most=self._rows)):
            pass
        await self._client.at_once(partial(_drop, table=table))

    async def _in_short(self, work: Callable[[sqlite3.Connection], int]) -> int:
        """*work* in one transaction, and how many rows it has written: `_rows` of them, as far as there are so many.

        They become more or fewer by how long that took. Afterwards, other writers have as long a turn.
        """
        written, took = await self._client.at_once(work)
        if written == self._rows or took > LOCKED_SECONDS:  # That a few were quick says nothing of many.
            self._rows = max(FEWEST_ROWS, min(MOST_ROWS, int(written * min(2.0, LOCKED_SECONDS / took))))
        await asyncio.sleep(took)
        return written


def _lock_file(database: str) -> IO[str]:
    """The file beside *database*, whichever of its names that is."""
    return Path(f"{Path(database).resolve()}.register.lock").open("w")


def _insert(connection: sqlite3.Connection, rows: Sequence[tuple[str | None, ...]]) -> int:
    return connection.executemany(INSERT, rows).rowcount


def _delete(connection: sqlite3.Connection, table: str, most: int) -> int:
    first = f"SELECT siret FROM {table} ORDER BY siret LIMIT ?"  # noqa: S608  # A constant's name.
    return connection.execute(f"DELETE FROM {table} WHERE siret IN ({first})", [most]).rowcount  # noqa: S608


def _drop(connection: sqlite3.Connection, table: str) -> None:
    connection.execute(f"DROP TABLE {table}")
