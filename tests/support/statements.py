"""What the database is sent, as its driver sends it: transactions and savepoints included, literals left out."""

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
    """The statements of all connections that are opened after it is there, in the order of their sending."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def record(self, statement: str) -> None:
        """Keep the shape of *statement*: no literal but NULL, which is part of the shape, and no name of the moment."""
        shape = LITERAL.sub("?", SAVEPOINT.sub("a_savepoint", statement))
        self.sent.append(" ".join(shape.split()))

    def record_bound(self, statement: str, arguments: Sequence[Any]) -> None:
        """The same of one whose literals come beside it."""
        self.record(
            PARAMETER.sub(lambda found: "NULL" if arguments[int(found[1]) - 1] is None else "'bound'", statement)
        )

    def take(self) -> list[str]:
        """What was sent since the last time."""
        taken, self.sent = self.sent, []
        return taken


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """Records every statement. To be asked for before an application opens its connections."""
    recorded = Statements()
    monkeypatch.setattr(sqlite3, "connect", _traced(sqlite3.connect, recorded))
    monkeypatch.setattr(postgres_connections, "PostgresConnection", _recording(recorded))
    monkeypatch.setattr(postgres_connections, "_look", _unrecorded(postgres_connections._look))
    monkeypatch.setattr("api.app.upkeep", _no_upkeep)  # It has statements of its own, at a moment of its own.
    return recorded


def _traced(connect: Callable[..., sqlite3.Connection], recorded: Statements) -> Callable[..., sqlite3.Connection]:
    """SQLite's own trace gives each statement as it is run, with what was bound to it."""

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(recorded.record)
        return connection

    return connected


def _unrecorded(look: Callable[..., Any]) -> Callable[..., Any]:
    """What a new connection asks for itself is no statement of whoever it is opened for."""

    async def looked(connection: Any, *arguments: Any) -> Any:
        connection.is_recorded = False
        server = await look(connection, *arguments)
        connection.is_recorded = True
        return server

    return looked


def _recording(recorded: Statements) -> type[PostgresConnection]:
    """A connection that records what it sends, that of transactions and of its pool included."""

    class Recording(PostgresConnection):
        is_recorded = True

        async def execute(self, query: str, *arguments: Any, **options: Any) -> str:
            if not arguments and self.is_recorded:  # With arguments, it comes through `_execute`.
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
