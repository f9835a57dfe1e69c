"""One server in another process, for tests that send it what nobody should."""

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
    """A server in *folder*, without limits, on a copy of an empty database."""
    shutil.copy(empty_sqlite, folder / "guichet.db")
    guichet = Guichet(folder, DATABASE_URL=f"sqlite://{folder / 'guichet.db'}", RATE_LIMITS="off")
    with guichet.serving() as server:
        yield server


@contextmanager
def in_good_order(server: Server) -> Iterator[Server]:
    """*server*, for a test: nothing that it logs meanwhile is an error, or a line that is no record."""
    before = len(server.log)
    yield server
    assert [line for line in server.log[before:].splitlines() if not LOG_LINE.match(line)] == []
