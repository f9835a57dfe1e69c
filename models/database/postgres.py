"""Tortoise's engine for PostgreSQL, with our own connections, and transactions that always release theirs.

Tortoise keeps a connection whose BEGIN fails. Each failure, when a server goes down, would cost a place of the pool for
good.

This overrides private parts of Tortoise. Tried on Tortoise 1.1.9; `tests/test_private_parts.py` fails when a release
changes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    NestedTransactionContext,
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.connection import get_connections
from tortoise.exceptions import OperationalError, TransactionManagementError

from models.database.postgres_connections import PostgresConnection, connect

if TYPE_CHECKING:
    from collections.abc import Callable

ISOLATION = "read_committed"
"""The isolation that the code is written for. A stricter default would fail racing statements without need."""


class ReleasingTransactionContext(TransactionContextPooled):
    """`async with` around one transaction. It holds a connection of the pool from BEGIN to COMMIT."""

    async def __aenter__(self) -> TransactionalDBClient:
        await self.ensure_connection()
        pool = self.client._parent._pool
        self.client._connection = await pool.acquire()
        try:
            await self.client.begin()
        except BaseException:
            await pool.release(self.client._connection)
            raise
        self.token = get_connections().set(self.connection_name, self.client)
        return self.client


class StatementContext(PoolConnectionWrapper[Any]):
    """`async with` around one statement; in a transaction of its own if nothing else can set the isolation."""

    __slots__ = ("_transaction",)

    async def __aenter__(self) -> Any:
        connection = await super().__aenter__()
        self._transaction = connection.transaction(isolation=ISOLATION) if connection.needs_isolation else None
        if self._transaction is not None:
            try:
                await self._transaction.start()
            except BaseException:
                await super().__aexit__(None, None, None)
                raise
        return connection

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        try:
            if self._transaction is not None:
                await (self._transaction.commit() if exc_type is None else self._transaction.rollback())
        finally:
            await super().__aexit__(exc_type, exc_val, exc_tb)


class PostgresTransaction(TransactionWrapper):
    """One transaction, or a savepoint in one."""

    async def begin(self) -> None:
        self.transaction = self._connection.transaction(isolation=ISOLATION)
        await self.transaction.start()

    async def savepoint(self) -> None:
        self.transaction = self._connection.transaction()
        await self.transaction.start()

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(PostgresTransaction(self))

    async def _expire_connections(self) -> None:
        await self._parent._expire_connections()

    async def _translate_exceptions(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await _leave_standby(self, super()._translate_exceptions(func, *args, **kwargs))


class PostgresClient(AsyncpgDBClient):
    """A pool of connections."""

    connection_class = PostgresConnection

    async def create_pool(self, **options: Any) -> asyncpg.Pool:
        return await asyncpg.create_pool(None, connect=connect, **options)

    def acquire_connection(self) -> StatementContext:
        return StatementContext(self, self._pool_init_lock)

    def _in_transaction(self) -> TransactionContext:
        return ReleasingTransactionContext(PostgresTransaction(self), self._pool_init_lock)

    async def _translate_exceptions(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await _leave_standby(self, super()._translate_exceptions(func, *args, **kwargs))


async def _leave_standby(client: PostgresClient | PostgresTransaction, work: Any) -> Any:
    """Await *work*. If the server has become a standby, drop all connections: the next caller finds the primary.

    After a switchover, the pool would keep its connections to the former primary.
    """
    try:
        return await work
    except TransactionManagementError as exc:
        if not isinstance(exc.__cause__, asyncpg.ReadOnlySQLTransactionError):
            raise
        await client._expire_connections()
        raise OperationalError(
            exc.__cause__
        ) from exc.__cause__  # After a TransactionManagementError, Tortoise wouldn't roll back.


client_class = PostgresClient
