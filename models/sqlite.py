"""Tortoise's SQLite engine, with transactions that take the write lock when they begin.

Tortoise begins deferred transactions: one that reads and then writes, while another process has written in
between, fails at once with "database is locked", whatever the busy timeout. `BEGIN IMMEDIATE` waits instead.
"""

from __future__ import annotations

import sqlite3

from tortoise.backends.base.client import TransactionalDBClient, TransactionContext
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionContext, SqliteTransactionWrapper
from tortoise.connection import get_connections
from tortoise.exceptions import OperationalError


class ImmediateTransactionWrapper(SqliteTransactionWrapper):
    """The connection of one transaction."""

    async def begin(self) -> None:
        try:
            await self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as exc:
            raise OperationalError(exc) from exc


class ImmediateTransactionContext(SqliteTransactionContext):
    """`async with` around one transaction, which owns the connection's lock from before BEGIN to after COMMIT."""

    async def __aenter__(self) -> TransactionalDBClient:
        await self._trxlock.acquire()
        try:
            await self.ensure_connection()
            await self.connection.begin()
        except BaseException:  # A lock that is kept here, where Tortoise keeps it, would end all work for good.
            self._trxlock.release()
            raise
        self.token = get_connections().set(self.connection_name, self.connection)
        return self.connection  # type: ignore[no-any-return]  # Untyped in Tortoise.


class ImmediateSqliteClient(SqliteClient):
    """One connection, whose transactions are all immediate."""

    def _in_transaction(self) -> TransactionContext:
        return ImmediateTransactionContext(ImmediateTransactionWrapper(self), self._lock)


client_class = ImmediateSqliteClient
