"""The register's replacement on SQLite: filled, swapped and removed in transactions too short to be felt."""

from __future__ import annotations

import asyncio
import fcntl
import time
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tortoise.transactions import in_transaction

from models.register.rows import COLUMNS, INCOMING, ReplacementUnderWayError
from models.register.tables import RegisterEdition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tortoise.backends.base.client import BaseDBAsyncClient

    from models.register.rows import Rows

OUTGOING = "register_entry_outgoing"
LOCKED_SECONDS = 0.02  # What a transaction aims at: at most 0.1 is promised, on a machine that is busy too.
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
SWAP = (
    f"ALTER TABLE register_entry RENAME TO {OUTGOING}",
    f"ALTER TABLE {INCOMING} RENAME TO register_entry",
)


class SqliteReplacement:
    """A table beside `register_entry`. What was replaced is removed little by little, and its pages are used again."""

    def __init__(self) -> None:
        self._pace = _Pace()
        self._created = False

    @classmethod
    @asynccontextmanager
    async def locked(cls, client: BaseDBAsyncClient) -> AsyncIterator[SqliteReplacement]:
        """The only replacement at this time; the lock of a file ends with its process."""
        file = client.filename  # type: ignore[attr-defined]  # The dialect says which client it is.
        with await asyncio.to_thread(Path(f"{file}.register.lock").open, "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ReplacementUnderWayError from None
            new = cls()
            await new.discard()
            await new.clear()
            yield new

    async def add(self, rows: Rows) -> None:
        await self._begun()
        left = iter(rows)
        while some := list(islice(left, self._pace.rows)):
            async with self._pace.transaction() as transaction:
                await transaction.execute_many(INSERT, some)  # type: ignore[arg-type]  # Tuples do as well.
                self._pace.written = len(some)

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

    async def discard(self) -> None:
        await self._remove(INCOMING)

    async def _begun(self) -> None:
        if not self._created:
            async with in_transaction() as transaction:
                await transaction.execute_query(CREATE)
            self._created = True

    async def _remove(self, table: str) -> None:
        """Row by row first: dropping a table of millions would hold the write lock while all its pages are freed."""
        if not await _exists(table):
            return
        first = f"SELECT siret FROM {table} ORDER BY siret LIMIT ?"  # noqa: S608  # A constant's name.
        deleted = 1
        while deleted:
            async with self._pace.transaction() as transaction:
                deleted, _ = await transaction.execute_query(
                    f"DELETE FROM {table} WHERE siret IN ({first})",  # noqa: S608
                    [self._pace.rows],
                )
                self._pace.written = deleted
        async with in_transaction() as transaction:
            await transaction.execute_query(f"DROP TABLE {table}")


class _Pace:
    """How many rows one transaction takes, by how long the last ones took."""

    def __init__(self) -> None:
        self.rows = FEWEST_ROWS
        self.written = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[BaseDBAsyncClient]:
        """A transaction that is to write as many *rows*, and to say how many it has *written*.

        Afterwards, other writers have their turn.
        """
        async with in_transaction() as transaction:
            began = time.perf_counter()
            yield transaction
        took = time.perf_counter() - began
        if self.written == self.rows or took > LOCKED_SECONDS:  # That a few were quick says nothing of many.
            self.rows = max(FEWEST_ROWS, min(MOST_ROWS, int(self.written * min(2.0, LOCKED_SECONDS / took))))
        await asyncio.sleep(took)


async def _exists(table: str) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return bool(await RegisterEdition._meta.db.execute_query_dict(query, [table]))
