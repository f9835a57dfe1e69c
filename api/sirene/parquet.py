"""A Parquet file of INSEE's, which DuckDB reads by itself."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from api.sirene.duckdb_reading import SireneFileError, failure_of, first_line, literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GLOB = re.compile(r"([*?\[])")
FAILURES = (duckdb.Error, RuntimeError)  # The latter if DuckDB's message is not UTF-8.


class Parquet:
    """A `SireneFile`."""

    unit = "rows"

    def __init__(self, path: Path) -> None:
        self.path = path
        # An absolute path, in which no character stands for others.
        self._pattern = GLOB.sub(r"[\1]", str(path.resolve()))
        try:
            with duckdb.connect() as reader:
                empty = reader.execute("FROM read_parquet(?) LIMIT 0", [self._pattern])
                self.columns = [name for name, *_ in empty.description or ()]
                size = reader.execute("SELECT num_rows FROM parquet_file_metadata(?)", [self._pattern]).fetchone()
                self.total: int = size[0] if size else 0
        except FAILURES as exc:
            raise SireneFileError(path, _problem(exc)) from None

    def done(self, reader: duckdb.DuckDBPyConnection) -> int:
        return round(self.total * max(0.0, reader.query_progress()) / 100)

    @contextmanager
    def table(self) -> Iterator[str]:
        try:
            yield f"read_parquet({literal(self._pattern)})"
        except FAILURES as exc:
            raise failure_of(self.path, exc, _problem) from None


def _problem(exc: Exception) -> str:
    return f"is damaged or cut off, or no Parquet after all: {first_line(exc)}"
