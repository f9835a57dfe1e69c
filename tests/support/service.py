"""A server in another process, for tests that send it malformed or hostile input."""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.program import Guichet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.program import Server

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING) ")


@contextmanager
def serving(folder: Path, empty_sqlite: Path) -> Iterator[Server]:
    """Run a server in *folder*, without limits or a relay, on a copy of an empty database."""
    shutil.copy(empty_sqlite, folder / "guichet.db")
    guichet = Guichet(folder, DATABASE_URL=f"sqlite://{folder / 'guichet.db'}", RATE_LIMITS="off", RELAY="off")
    with guichet.serving() as server:
        yield server


@contextmanager
def in_good_order(server: Server) -> Iterator[Server]:
    """Yield *server*; fail if it logs an error meanwhile, or a line that is no log record."""
    before = len(server.log)
    yield server
    assert [line for line in server.log[before:].splitlines() if not LOG_LINE.match(line)] == []
