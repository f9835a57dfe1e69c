"""Connections to the database at a URL, and the failures that they raise."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
from tortoise import Tortoise
from tortoise.connection import get_connections
from tortoise.exceptions import BaseORMException

from models.database.postgres_connections import POSTGRES_FAILURES, DatabaseEncodingError
from models.database.url import parse_database_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tortoise.backends.base.client import BaseDBAsyncClient

    from models.database.url import DatabaseUrl

DATABASE_FAILURES = (
    BaseORMException,
    *POSTGRES_FAILURES,
    sqlite3.Error,
    DatabaseEncodingError,
)
"""Exceptions of a database that is down, or not as expected. Tortoise lets some of the drivers' own through."""
PERMANENT_FAILURES = (DatabaseEncodingError, asyncpg.ClientConfigurationError)
"""Failures that waiting does not cure."""
START_SECONDS = 3


@asynccontextmanager
async def database(url: DatabaseUrl) -> AsyncIterator[None]:
    """Give this whole process connections to *url* until the block ends. They open when they are first used."""
    # Tortoise's fallback (private, tried on 1.1.9) gives every task of the process these connections.
    await Tortoise.init(config=url.config, _enable_global_fallback=True)
    try:
        yield
    finally:
        await Tortoise.close_connections()


def connection() -> BaseDBAsyncClient:
    """Return the connection, or pool, of this process; in a transaction, the connection of that transaction."""
    (client,) = get_connections().all()
    return client


async def check_encoding(url: DatabaseUrl) -> None:
    """Check that the database can store all text that people enter. Don't wait for a database that is down.

    :raises DatabaseEncodingError: it can't; the message names the remedy.
    :raises asyncpg.ClientConfigurationError: this machine lacks something that the URL needs, as the root certificate.
    """
    async with database(url):
        try:
            async with asyncio.timeout(START_SECONDS):
                await connection().execute_query("SELECT 1")
        except PERMANENT_FAILURES:
            raise
        except DATABASE_FAILURES:
            return


DEVELOPMENT = parse_database_url("sqlite://var/guichet.db").config
"""The configuration that `make migrations` hands to Tortoise's command line."""
