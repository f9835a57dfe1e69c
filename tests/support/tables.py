"""Dumps of all stored rows, to compare before and after an action that must change nothing."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import asyncpg

Dump = dict[str, list[str]]


async def dump(database_url: str) -> Dump:
    """Return every row of every table as text, read over a separate connection."""
    if database_url.startswith("sqlite://"):
        return await asyncio.to_thread(_dump_sqlite, database_url.removeprefix("sqlite://"))
    return await _dump_postgres(database_url)


def _dump_sqlite(file: str) -> Dump:
    with closing(sqlite3.connect(file)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {
            name: sorted(str(row) for row in connection.execute(f'SELECT * FROM "{name}"'))  # noqa: S608  # Its own.
            for name in sorted(names)
        }


async def _dump_postgres(url: str) -> Dump:
    connection = await asyncpg.connect(url)
    try:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        return {
            name: sorted(
                row
                for (row,) in await connection.fetch(f'SELECT t::text FROM "{name}" AS t')  # noqa: S608  # Its own.
            )
            for (name,) in sorted(names)
        }
    finally:
        await connection.close()
