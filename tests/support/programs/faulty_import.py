"""Plant the fault that the first argument names, then run the program with the other arguments.

A fault kills the process, or says HERE on standard error and lingers there, so that a test can interrupt it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from api.cli.application import main as run_program
from api.sirene import staging
from api.sirene.staging import Staging
from models.sirene import on_postgres, on_sqlite
from models.sirene.on_postgres import PostgresReplacement
from models.sirene.on_sqlite import SqliteReplacement
from models.sirene.tables import RegisterEdition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

ON_POSTGRES = os.environ.get("GUICHET_DATABASE_URL", "").startswith("postgres")
NEW = PostgresReplacement if ON_POSTGRES else SqliteReplacement
ROWS_OF_A_SLICE = 300
LINGER_SECONDS = 60


def main() -> None:
    staging.ROWS_OF_A_SLICE = ROWS_OF_A_SLICE
    FAULTS[sys.argv.pop(1)]()
    run_program()


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def here() -> None:
    os.write(2, b"HERE\n")


def before(owner: Any, name: str, happens: Callable[[], None], call: int = 1) -> None:
    """Let *happens* run before a certain call of the function or method."""
    original, calls = getattr(owner, name), itertools.count(1)

    def wrapper(*arguments: Any, **named: Any) -> Any:
        if next(calls) == call:
            happens()
        return original(*arguments, **named)

    setattr(owner, name, wrapper)


def slowly(owner: Any, name: str, *, in_query: bool = False, call: int = 1) -> None:
    """Let a certain call of the method linger at its beginning, or in a query on its connection."""
    original, calls = getattr(owner, name), itertools.count(1)

    async def wrapper(self: Any, *arguments: Any, **named: Any) -> Any:
        if next(calls) == call:
            here()
            if in_query:
                await self._connection.execute(f"SELECT pg_sleep({LINGER_SECONDS})", timeout=LINGER_SECONDS)
            else:
                await asyncio.sleep(LINGER_SECONDS)
        return await original(self, *arguments, **named)

    setattr(owner, name, wrapper)


def in_copy(happens: Callable[[], None]) -> None:
    """Let *happens* run while PostgreSQL waits for the rest of a COPY."""

    async def source(text: str) -> AsyncIterator[bytes]:
        yield text.encode()
        await asyncio.sleep(0.1)
        happens()
        await asyncio.sleep(LINGER_SECONDS)

    on_postgres._encode = source


def in_swap_on_postgres() -> None:
    """Let the statements of the swap linger before they are committed."""
    before(NEW, "publish", here)
    on_postgres.SWAP += f"SELECT pg_sleep({LINGER_SECONDS});"


def busy_reader(staging: Any, stock: Any, file: Any, reader: Any) -> None:
    here()
    reader.execute("SELECT sum(hash(a.range + b.range) % 2) FROM range(10000000) a, range(10000000) b")


def busy_slice(staging: Any, first: Any, end: Any) -> None:
    staging._database.execute("SET enable_progress_bar = false")
    here()
    staging._database.execute("SELECT sum(hash(range) % 2) FROM range(100000000)")


FAULTS: Mapping[str, Callable[[], None]] = {
    "kill before the lock": partial(before, RegisterEdition, "current", kill),
    "kill when reading": partial(before, Staging, "read", kill, call=2),
    "kill when loading": partial(before, NEW, "add", kill, call=3),
    "kill in a transaction": partial(before, on_sqlite, "_insert", kill, call=3),
    "kill in a copy": partial(in_copy, kill),
    "kill before the swap": partial(before, NEW, "publish", kill),
    "kill in the swap on SQLite": partial(before, RegisterEdition, "save", kill),
    "kill in the swap on PostgreSQL": partial(before, on_postgres, "_values", kill),
    "kill after the swap": partial(before, NEW, "clear", kill),
    "kill when removing": partial(before, on_sqlite, "_delete", kill, call=2),
    "kill when dropping": partial(before, on_sqlite, "_drop", kill),
    "linger when reading": partial(setattr, Staging, "read", busy_reader),
    "linger when loading": partial(slowly, NEW, "add", call=3),
    "linger in a slice": partial(setattr, Staging, "slice", busy_slice),
    "linger in a copy": partial(in_copy, here),
    "linger when indexing": partial(slowly, NEW, "complete", in_query=True),
    "linger in the swap on SQLite": partial(slowly, RegisterEdition, "save"),
    "linger in the swap on PostgreSQL": in_swap_on_postgres,
}


if __name__ == "__main__":
    main()
