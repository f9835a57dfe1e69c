"""Where the data lives: a URL becomes connections; migrations are applied and looked up."""

from __future__ import annotations

import asyncio
import fcntl
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

import asyncpg
from tortoise import Tortoise
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.connection import get_connections
from tortoise.exceptions import BaseORMException, ConfigurationError
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget

import models.migrations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tortoise.backends.base.client import BaseDBAsyncClient

MODEL_MODULES = (
    "models.registration",
    "models.account",
    "models.organisation",
    "models.register.tables",
    "models.outbox",
)
UNREADABLE = "can't be read as a database URL"
# A server that falls silent must not be waited for without end.
POSTGRES_DEFAULTS: dict[str, Any] = {"maxsize": 20, "timeout": 10.0, "command_timeout": 30.0}
# Options of asyncpg and of its pool; `host` as the folder of a Unix socket, `sslmode` as libpq has it.
POSTGRES_OPTIONS: dict[str, Callable[[str], Any]] = {
    "host": str,
    "sslmode": str,
    "minsize": int,
    "maxsize": int,
    "timeout": float,
    "command_timeout": float,
    "statement_cache_size": int,
    "max_inactive_connection_lifetime": float,
    "application_name": str,
    "schema": str,
}
READY_SECONDS = 3
SQLITE_BUSY_TIMEOUT_MS = 10_000
NEWEST = MigrationTarget(app_label="models", name="__latest__")
# What a database raises that is away, or not as expected: some of asyncpg's own come through Tortoise as they are.
DATABASE_FAILURES = (BaseORMException, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
WITHOUT_MIGRATIONS = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)
MIGRATION_LOCK = 0x6775_6963_6865_7400  # "guichet" in ASCII: the key of PostgreSQL's advisory lock.


class DatabaseUrlError(ValueError):
    """The URL names no database that this project can use."""


def tortoise_config(url: str) -> dict[str, Any]:
    """Tortoise's configuration for *url*: `sqlite://var/guichet.db` or `postgres://user:password@host/name`.

    Query parameters go to the engine: pragmas of SQLite, `maxsize` and such of asyncpg.

    :raises DatabaseUrlError: another scheme, or no database in it. Its message quotes no part of the URL.
    """
    parts = _split(url)
    if parts.scheme == "sqlite":
        name, connection = "sqlite", _sqlite_connection(url)
    elif parts.scheme in {"postgres", "postgresql", "asyncpg"}:
        name, connection = "postgres", _postgres_connection(url)
    else:
        raise DatabaseUrlError("must begin with sqlite:// or postgres://")
    app = {"models": list(MODEL_MODULES), "migrations": "models.migrations", "default_connection": name}
    return {
        "connections": {name: connection},  # Named by its kind: Tortoise caches statements by this name.
        "apps": {"models": app},
        "use_tz": True,
        "timezone": "UTC",
    }


def _sqlite_connection(url: str) -> dict[str, Any]:
    connection = _expand(url)
    connection["engine"] = "models.sqlite"
    connection["credentials"].setdefault("busy_timeout", SQLITE_BUSY_TIMEOUT_MS)
    return connection


def _postgres_connection(url: str) -> dict[str, Any]:
    parts = _split(url)
    if "@" in parts.path:  # A slash in the password, which belongs there as %2F, has ended the host too early.
        raise DatabaseUrlError(UNREADABLE)
    connection = _expand(urlunsplit(parts._replace(scheme="asyncpg", query="")))
    connection["engine"] = "models.postgres"
    connection["credentials"] |= POSTGRES_DEFAULTS | _postgres_options(parts.query)
    return connection


def _postgres_options(query: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in parse_qsl(query):
        if name not in POSTGRES_OPTIONS:
            raise DatabaseUrlError(f"has another option than {', '.join(POSTGRES_OPTIONS)}")
        try:
            options["ssl" if name == "sslmode" else name] = POSTGRES_OPTIONS[name](value)
        except ValueError:
            raise DatabaseUrlError(f"needs a number as {name}") from None
    return options


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise DatabaseUrlError(UNREADABLE) from None


def _expand(url: str) -> dict[str, Any]:
    try:
        return expand_db_url(url)
    except (ConfigurationError, ValueError):
        raise DatabaseUrlError(UNREADABLE) from None


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
    async with database(url), _locked_by_server() if file is None else _locked_by_file(Path(file)):
        await MigrationExecutor(_connection(), config["apps"]).migrate([NEWEST])


@asynccontextmanager
async def _locked_by_file(file: Path) -> AsyncIterator[None]:
    file = await asyncio.to_thread(file.resolve)  # Of two names for it, both wait at one lock.
    await asyncio.to_thread(file.parent.mkdir, parents=True, exist_ok=True)
    with await asyncio.to_thread(Path(f"{file}.lock").open, "w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield


@asynccontextmanager
async def _locked_by_server() -> AsyncIterator[None]:
    async with _connection().acquire_connection() as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK, timeout=None)
        try:
            yield
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", MIGRATION_LOCK)


async def is_ready() -> bool:
    """Whether the database answers and has every migration that this code knows."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            rows = await _connection().execute_query_dict("SELECT name FROM tortoise_migrations WHERE app = 'models'")
    except DATABASE_FAILURES:
        return False
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
