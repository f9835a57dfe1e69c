"""The statements that a driver sends to the database, transactions and savepoints included, without literals."""

from __future__ import annotations

import re
import sqlite3
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from models.database import postgres_connections
from models.database.postgres_connections import PostgresConnection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from datetime import datetime

SAVEPOINT = re.compile(r"\w*savepoint_\w+")
LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w.$\"])-?\d+(?:\.\d+)?(?![\w\"])")
PARAMETER = re.compile(r"\$(\d+)")


class Statements:
    """The statements of all connections opened after its creation, in the order of sending."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def record(self, statement: str) -> None:
        """Keep the shape of *statement*: without literals other than NULL, and without generated names."""
        shape = LITERAL.sub("?", SAVEPOINT.sub("a_savepoint", statement))
        self.sent.append(" ".join(shape.split()))

    def record_bound(self, statement: str, arguments: Sequence[Any]) -> None:
        """Record a statement whose literals are sent beside it as *arguments*."""
        self.record(
            PARAMETER.sub(lambda found: "NULL" if arguments[int(found[1]) - 1] is None else "'bound'", statement)
        )

    def take(self) -> list[str]:
        """Return the statements sent since the last call."""
        taken, self.sent = self.sent, []
        return taken


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """Record every statement. Request this fixture before an application opens its connections."""
    recorded = Statements()
    monkeypatch.setattr(sqlite3, "connect", _traced(sqlite3.connect, recorded))
    monkeypatch.setattr(postgres_connections, "PostgresConnection", _recording(recorded))
    monkeypatch.setattr(postgres_connections, "_look", _unrecorded(postgres_connections._look))
    monkeypatch.setattr("api.app.upkeep", _no_upkeep)  # Upkeep sends its own statements at any time.
    return recorded


def _traced(connect: Callable[..., sqlite3.Connection], recorded: Statements) -> Callable[..., sqlite3.Connection]:
    """Return *connect* with SQLite's own trace, which gives each statement as it runs, with its bound values."""

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(recorded.record)
        return connection

    return connected


def _unrecorded(look: Callable[..., Any]) -> Callable[..., Any]:
    """Return *look* without recording: its queries inspect a new connection and serve no request."""

    async def looked(connection: Any, *arguments: Any) -> Any:
        connection.is_recorded = False
        server = await look(connection, *arguments)
        connection.is_recorded = True
        return server

    return looked


def _recording(recorded: Statements) -> type[PostgresConnection]:
    """Return a connection class that records what it sends, for transactions and for its pool too."""

    class Recording(PostgresConnection):
        is_recorded = True

        async def execute(self, query: str, *arguments: Any, **options: Any) -> str:
            if not arguments and self.is_recorded:  # With arguments, `_execute` records it.
                recorded.record(query)
            status: str = await super().execute(query, *arguments, **options)
            return status

        async def _execute(self, query: str, arguments: Sequence[Any], *rest: Any, **options: Any) -> Any:
            recorded.record_bound(query, arguments)
            return await super()._execute(query, arguments, *rest, **options)

        async def _executemany(self, query: str, arguments: Iterable[Sequence[Any]], *rest: Any, **options: Any) -> Any:
            rows = list(arguments)
            for row in rows:
                recorded.record_bound(query, row)
            return await super()._executemany(query, rows, *rest, **options)

        async def _copy_in(self, statement: str, *rest: Any) -> Any:
            recorded.record(statement)
            return await super()._copy_in(statement, *rest)

        async def _copy_out(self, statement: str, *rest: Any) -> Any:
            recorded.record(statement)
            return await super()._copy_out(statement, *rest)

        async def prepare(self, query: str, **options: Any) -> Any:
            if self.is_recorded:
                recorded.record(query)
            return await super().prepare(query, **options)

    return Recording


@asynccontextmanager
async def _no_upkeep(_: Callable[[], datetime]) -> AsyncIterator[None]:
    yield
