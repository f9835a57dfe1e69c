"""Tortoise's engine for SQLite, with transactions that take the write lock when they begin.

Tortoise begins deferred transactions. One that reads, and writes after another process has written, fails at once with
"database is locked", in spite of the busy timeout. `BEGIN IMMEDIATE` waits instead.

This overrides private parts of Tortoise, and calls one of aiosqlite. Tried on Tortoise 1.1.9 and aiosqlite 0.22.1;
`tests/test_private_parts.py` fails when a release changes them.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from typing import Any, TypeVar

from tortoise.backends.base.client import ConnectionWrapper, TransactionalDBClient, TransactionContext
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionContext, SqliteTransactionWrapper
from tortoise.connection import get_connections
from tortoise.exceptions import OperationalError

T = TypeVar("T")


class ImmediateTransactionWrapper(SqliteTransactionWrapper):
    """The connection of one transaction."""

    async def begin(self) -> None:
        """Begin the transaction. Roll it back if the caller is cancelled meanwhile: else nobody would end it."""
        beginning = asyncio.ensure_future(self._begin())
        try:
            await asyncio.shield(beginning)
        except asyncio.CancelledError:
            await asyncio.wait([beginning])
            if beginning.exception() is None:
                await self._connection.rollback()
            raise

    async def _begin(self) -> None:
        try:
            await self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as exc:
            raise OperationalError(exc) from exc


class ImmediateTransactionContext(SqliteTransactionContext):
    """`async with` around one transaction. It holds the connection's lock from before BEGIN to after COMMIT."""

    async def __aenter__(self) -> TransactionalDBClient:
        await self._trxlock.acquire()
        try:
            await self.ensure_connection()
            await self.connection.begin()
        except BaseException:  # Tortoise would keep the lock here, and all later work would wait for ever.
            self._trxlock.release()
            raise
        self.token = get_connections().set(self.connection_name, self.connection)
        return self.connection  # type: ignore[no-any-return]  # Untyped in Tortoise.


class ReleasingConnectionWrapper(ConnectionWrapper[Any]):
    """`async with` around one query. It releases the lock if the connection can't be opened."""

    async def __aenter__(self) -> Any:
        await self._lock.acquire()
        try:
            await self.ensure_connection()
        except BaseException:  # As above: the second query would wait for ever.
            self._lock.release()
            raise
        return self.connection


class ImmediateSqliteClient(SqliteClient):
    """One connection; all of its transactions are immediate."""

    async def create_connection(self, with_db: bool) -> None:
        """Open the file; finish that even if the caller is cancelled.

        Interrupted, aiosqlite would leave a thread behind, or a connection without its pragmas.
        """
        opening = asyncio.ensure_future(self._open(with_db))
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            await asyncio.wait([opening])
            opening.exception()  # Retrieved, so that asyncio does not log it. The next caller tries again.
            raise

    async def _open(self, with_db: bool) -> None:
        await asyncio.to_thread(_check_openable, self.filename)
        try:
            await super().create_connection(with_db)
        except BaseException:
            await self.close()
            raise

    def acquire_connection(self) -> ConnectionWrapper[Any]:
        return ReleasingConnectionWrapper(self._lock, self)

    def _in_transaction(self) -> TransactionContext:
        return ImmediateTransactionContext(ImmediateTransactionWrapper(self), self._lock)

    async def at_once(self, work: Callable[[sqlite3.Connection], T]) -> tuple[T, float]:
        """Run *work* in one transaction. Return its result, and the seconds for which it held the write lock.

        All of it runs in the connection's own thread. Other transactions hold the lock while each statement goes
        through the event loop, which takes long on a busy machine.
        """
        async with self.acquire_connection() as connection:
            try:
                done: tuple[T, float] = await connection._execute(_transact, connection._conn, work)
            except sqlite3.OperationalError as exc:
                raise OperationalError(exc) from exc
            return done


def _transact(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> tuple[T, float]:
    connection.execute("BEGIN IMMEDIATE")
    began = time.perf_counter()
    try:
        result = work(connection)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    return result, time.perf_counter() - began


def _check_openable(filename: str) -> None:
    try:
        sqlite3.connect(filename).close()
    except sqlite3.OperationalError as exc:
        raise OperationalError(exc) from exc


client_class = ImmediateSqliteClient
