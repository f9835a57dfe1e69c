"""INSEE's files side by side, in a database of their own, from which the register's rows are taken in order.

The database is DuckDB's and lies on the disk, so that memory is bounded for files of any size. Establishments and
their legal units are joined slice by slice; a slice has as many SIRENs as have about `ROWS_OF_A_SLICE` establishments.
In files that are in order, as INSEE's are, a slice is one stretch of each; others only take longer.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import duckdb

from api.sirene.duckdb_reading import SireneFileError
from api.sirene.scratch import ScratchSpaceError
from api.sirene.slices import DELETE_REPEATED, HAS_REPEATED, SLICE
from api.sirene.stocks import ESTABLISHMENT, LEGAL_UNIT, MACROS
from models.sirene.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from api.sirene.files import SireneFile
    from api.sirene.stocks import Stock

MEMORY = "384MB"
MAX_THREADS = 4
ROWS_OF_A_SLICE = 300_000
SIRENS_OF_A_STEP = 10_000  # They stay together.
QUIET = "SET enable_progress_bar_print = false"  # DuckDB's own bar; its numbers are asked for.
END_OF_SIRENS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the register: its rows and their numbers."""

    rows: Rows
    entries: int
    closed: int
    withheld: int
    without_unit: int


class Staging:
    """The database, in *folder*. All files have to be read before it is asked anything.

    Its methods block, and may be called in other threads. All of them raise `ScratchSpaceError` if the folder
    can't take what they write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with self._in_scratch_space():
            self._database = duckdb.connect(
                folder / "sirene.duckdb",
                config={
                    "memory_limit": MEMORY,
                    "threads": min(MAX_THREADS, os.cpu_count() or 1),
                    "temp_directory": str(folder),
                    "autoinstall_known_extensions": False,
                    "preserve_insertion_order": False,  # Needless, and it costs memory.
                },
            )
            # What is written here is read once: compressing it, and tidying it up at the end, would cost more than it
            # saves.
            economies = ("PRAGMA force_compression = 'uncompressed'", "PRAGMA disable_checkpoint_on_shutdown")
            for statement in (*economies, QUIET, *MACROS):
                self._database.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def reader(self) -> duckdb.DuckDBPyConnection:
        """Return a connection with which to read one file while others are read."""
        reader = self._database.cursor()
        reader.execute(QUIET)
        reader.execute("SET enable_progress_bar = true")
        return reader

    def read(self, stock: Stock, file: SireneFile, reader: duckdb.DuckDBPyConnection) -> None:
        """Read the whole of *file*, which is to be INSEE's *stock*.

        :raises SireneFileError: it can't be read, or is something else.
        """
        if missing := stock.columns - set(file.columns):
            names = ", ".join(sorted(missing))
            raise SireneFileError(file.path, f"is no {stock.published_as}: it has no column {names}")
        found = f"SELECT count(*), first(malformed) FROM {stock.table} WHERE malformed IS NOT NULL"  # noqa: S608
        with self._in_scratch_space():
            with file.table() as table:
                reader.execute(stock.sql.replace("{table}", table))
            malformed, example = _one(reader, found)
        if malformed:
            rows = "a row" if malformed == 1 else f"{malformed:,} rows"
            raise SireneFileError(file.path, f"has {rows} without a {stock.number}, as {example[:20]!r}")

    def edition(self, *, today: date) -> date | None:
        """Return the latest day of treatment in either file, days to come left out; None if no row has one."""
        latest = "SELECT max(treated_at::DATE) FROM {} WHERE treated_at::DATE <= $today"
        with self._in_scratch_space():
            days = [
                _one(self._database, latest.format(stock.table), today=today)[0]
                for stock in (LEGAL_UNIT, ESTABLISHMENT)
            ]
        return max((day for day in days if day is not None), default=None)

    def counts(self) -> tuple[int, int, int]:
        """Return the numbers of legal units, establishments, and establishments neither open nor closed."""
        with self._in_scratch_space():
            (units,) = _one(self._database, "SELECT count(*) FROM legal_unit")
            establishments, stateless = _one(
                self._database, "SELECT count(*), count(*) FILTER (closed IS NULL) FROM establishment"
            )
        return units, establishments, stateless

    def ranges(self) -> list[tuple[int, int]]:
        """Return the bounds of all slices: the first SIREN, and the one before which the slice ends."""
        steps = "SELECT siret // ($step * 100_000), count(*) FROM establishment GROUP BY ALL ORDER BY ALL"
        bounds, rows = [0], 0
        with self._in_scratch_space():
            counted = self._database.execute(steps, {"step": SIRENS_OF_A_STEP}).fetchall()
        for step, more in counted:
            if rows and rows + more > ROWS_OF_A_SLICE:
                bounds.append(step * SIRENS_OF_A_STEP)
                rows = 0
            rows += more
        return list(zip(bounds, [*bounds[1:], END_OF_SIRENS], strict=True))

    def slice(self, first: int, end: int) -> Slice:
        """Return the slice of the SIRENs from *first* to before *end*. Repeated rows are left out, and not counted."""
        bounds = {"first": first, "end": end}
        with self._in_scratch_space():
            if _one(self._database, HAS_REPEATED, **bounds)[0]:
                for statement in DELETE_REPEATED:
                    self._database.execute(statement, bounds)
            text, *counts = _one(self._database, SLICE, **bounds)
            return Slice(Rows(text or ""), *counts)

    @contextmanager
    def _in_scratch_space(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.OperationalError, duckdb.TransactionException, OSError) as exc:
            raise ScratchSpaceError(self._folder, exc) from exc


def _one(connection: duckdb.DuckDBPyConnection, sql: str, **parameters: object) -> Any:
    """Return the only row of the result."""
    return connection.execute(sql, parameters).fetchone()
