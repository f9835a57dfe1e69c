"""Migrations: bring a database to the newest schema, one process at a time, and tell whether it has it."""

from __future__ import annotations

import asyncio
import fcntl
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget

import models.migrations
from models.database.connections import DATABASE_FAILURES, connection, database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from models.database.url import DatabaseUrl

LATEST = MigrationTarget(app_label="models", name="__latest__")
WITHOUT_MIGRATIONS = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)
MIGRATION_LOCK = 0x6775_6963_6865_7400  # "guichet" in ASCII: the key of PostgreSQL's advisory lock.
LOCK_EVERY_SECONDS = 0.5
# A transaction that only holds a lock is idle for as long as the migrations take.
WITHOUT_DEADLINES = """
SELECT set_config(name, '0', true) FROM pg_settings
WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')
"""


async def migrate(url: DatabaseUrl) -> None:
    """Bring the database to the newest schema. Make an SQLite file if there is none.

    Idempotent. A second process waits for the first, and then finds nothing to do.
    """
    async with database(url):
        if url.file is None and await is_migrated():  # Most starts of most replicas end here, without a lock.
            return
        async with _locked_by_server() if url.file is None else _locked_by_file(Path(url.file)):
            await MigrationExecutor(connection(), url.config["apps"]).migrate([LATEST])


async def is_migrated() -> bool:
    """Return whether the database has every migration that this code knows."""
    try:
        rows = await connection().execute_query_dict("SELECT name FROM tortoise_migrations WHERE app = 'models'")
    except DATABASE_FAILURES as exc:
        if lacks_migrations(exc):
            return False
        raise
    return known_migrations() <= {row["name"] for row in rows}


def lacks_migrations(failure: BaseException) -> bool:
    """Return whether a database failed because it lacks migrations."""
    causes = (failure, *failure.args)  # Tortoise keeps the database's own exception among the arguments.
    return any(
        isinstance(cause, WITHOUT_MIGRATIONS) or str(cause).startswith(("no such table: ", "no such column: "))
        for cause in causes
    )


@cache
def known_migrations() -> frozenset[str]:
    """Return the names of the migrations that come with this code."""
    folder = Path(models.migrations.__path__[0])
    return frozenset(file.stem for file in folder.glob("[0-9]*.py"))


@asynccontextmanager
async def _locked_by_file(file: Path) -> AsyncIterator[None]:
    """Hold the lock of migrations on an SQLite file."""
    file = await asyncio.to_thread(file.resolve)  # Two names for one file share one lock.
    await asyncio.to_thread(file.parent.mkdir, parents=True, exist_ok=True)
    with await asyncio.to_thread(Path(f"{file}.lock").open, "w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield


@asynccontextmanager
async def _locked_by_server() -> AsyncIterator[None]:
    """Hold the lock of migrations on PostgreSQL, in a transaction of its own.

    A session's lock would stay with a pooler's connection. Waiting for the lock in the server would occupy a connection
    of the pooler that the lock's holder may need. So this tries again and again.
    """
    while True:
        async with connection().acquire_connection() as postgres, postgres.transaction():
            await postgres.fetch(WITHOUT_DEADLINES)
            if await postgres.fetchval("SELECT pg_try_advisory_xact_lock($1)", MIGRATION_LOCK):
                yield
                return
        await asyncio.sleep(LOCK_EVERY_SECONDS)
