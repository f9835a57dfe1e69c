"""Where the data lives: a URL becomes connections; migrations are applied and looked up."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
from tortoise import Tortoise
from tortoise.connection import get_connections
from tortoise.exceptions import BaseORMException
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget

import models.migrations
from models.database.postgres_connections import DatabaseEncodingError
from models.database.url import tortoise_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tortoise.backends.base.client import BaseDBAsyncClient

LATEST = MigrationTarget(app_label="models", name="__latest__")
# What a database raises that is away, or not as expected: some of them come through Tortoise as they are.
DATABASE_FAILURES = (
    BaseORMException,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    sqlite3.Error,
    DatabaseEncodingError,
)
LASTING = (DatabaseEncodingError, asyncpg.ClientConfigurationError)
"""Failures that waiting does not mend."""
WITHOUT_MIGRATIONS = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)
MIGRATION_LOCK = 0x6775_6963_6865_7400  # "guichet" in ASCII: the key of PostgreSQL's advisory lock.
LOCK_EVERY_SECONDS = 0.5
START_SECONDS = 3
# A transaction that only holds a lock is idle for as long as the migrations take.
WITHOUT_DEADLINES = """
SELECT set_config(name, '0', true) FROM pg_settings
WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')
"""


@asynccontextmanager
async def database(url: str) -> AsyncIterator[None]:
    """Connections to *url* for everything in this process, until the block ends. They open when first used."""
    await Tortoise.init(config=tortoise_config(url), _enable_global_fallback=True)
    try:
        yield
    finally:
        await Tortoise.close_connections()


async def migrate(url: str) -> None:
    """Bring the database to the newest schema, making an SQLite file where there is none.

    Idempotent; of two at once, the second waits for the first and finds nothing to do.
    """
    config = tortoise_config(url)
    (connection,) = config["connections"].values()
    file = connection["credentials"].get("file_path")
    async with database(url):
        if file is None and await is_migrated():  # Most starts of most replicas end here, without a lock.
            return
        async with _locked_by_server() if file is None else _locked_by_file(Path(file)):
            await MigrationExecutor(_connection(), config["apps"]).migrate([LATEST])


async def check_encoding(url: str) -> None:
    """Check that what people type can be stored. A database that is away is not waited for.

    :raises DatabaseEncodingError: it can't: see the message for the remedy.
    :raises asyncpg.ClientConfigurationError: this machine lacks what the URL asks for, as the root certificate.
    """
    async with database(url):
        try:
            async with asyncio.timeout(START_SECONDS):
                await _connection().execute_query("SELECT 1")
        except LASTING:
            raise
        except DATABASE_FAILURES:
            return


@asynccontextmanager
async def _locked_by_file(file: Path) -> AsyncIterator[None]:
    file = await asyncio.to_thread(file.resolve)  # Of two names for it, both wait at one lock.
    await asyncio.to_thread(file.parent.mkdir, parents=True, exist_ok=True)
    with await asyncio.to_thread(Path(f"{file}.lock").open, "w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield


@asynccontextmanager
async def _locked_by_server() -> AsyncIterator[None]:
    """Hold the lock of migrations, in a transaction of its own.

    A lock of the session would stay with a pooler's connection. To wait for it in the server would keep a
    connection of the pooler from whoever holds it: so it is tried again and again.
    """
    while True:
        async with _connection().acquire_connection() as connection, connection.transaction():
            await connection.fetch(WITHOUT_DEADLINES)
            if await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", MIGRATION_LOCK):
                yield
                return
        await asyncio.sleep(LOCK_EVERY_SECONDS)


async def is_migrated() -> bool:
    """Whether the database has every migration that this code knows."""
    try:
        rows = await _connection().execute_query_dict("SELECT name FROM tortoise_migrations WHERE app = 'models'")
    except DATABASE_FAILURES as exc:
        if lacks_migrations(exc):
            return False
        raise
    return known_migrations() <= {row["name"] for row in rows}


def lacks_migrations(failure: BaseException) -> bool:
    """Whether a database failed because it is not migrated, or not to the newest schema."""
    causes = (failure, *failure.args)  # Tortoise hands on what the database raised.
    return any(
        isinstance(cause, WITHOUT_MIGRATIONS) or str(cause).startswith(("no such table: ", "no such column: "))
        for cause in causes
    )


@cache
def known_migrations() -> frozenset[str]:
    """Names of the migrations that come with this code."""
    folder = Path(models.migrations.__path__[0])
    return frozenset(file.stem for file in folder.glob("[0-9]*.py"))


def _connection() -> BaseDBAsyncClient:
    (connection,) = get_connections().all()
    return connection


DEVELOPMENT = tortoise_config("sqlite://var/guichet.db")
"""What `make migrations` hands to Tortoise's own command line."""
