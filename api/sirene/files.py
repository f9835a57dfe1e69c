"""INSEE's files, as published: zipped CSV or Parquet, told by their content and read by the names of their columns.

INSEE describes them in *Dessin de fichier StockEtablissement* and *StockUniteLegale*: columns are added over the years,
and keep their names.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from api.sirene.duckdb_reading import SireneFileError
from api.sirene.parquet import Parquet
from api.sirene.zipped_csv import ZippedCsv

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb

ZIP = b"PK\x03\x04"
PARQUET = b"PAR1"


class SireneFile(Protocol):
    """One of INSEE's files: the names of its columns, and its size in *unit*."""

    @property
    def path(self) -> Path: ...
    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def total(self) -> int: ...
    @property
    def unit(self) -> str: ...

    @contextmanager
    def table(self) -> Iterator[str]:
        """Yield what SQL reads the file from, once, while the block lasts.

        :raises SireneFileError: the file can't be read to its end. A failure of DuckDB in the block is turned into it
            if it is the file's.
        """

    def done(self, reader: duckdb.DuckDBPyConnection) -> int:
        """Return how much of the file *reader* has read, in *unit*."""


def open_sirene_file(path: Path) -> SireneFile:
    """Return the file at *path*, of the form that its first bytes tell.

    :raises SireneFileError: it can't be read, or is something else.
    """
    try:
        if path.is_fifo():  # Opening one would wait for a writer.
            raise SireneFileError(path, "can't be read: it is no file")
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as exc:
        raise SireneFileError(path, f"can't be read: {exc.strerror}") from None
    if magic == ZIP:
        return ZippedCsv(path)
    if magic == PARQUET:
        return Parquet(path)
    raise SireneFileError(path, "is neither a zip archive nor Parquet, which INSEE's files are")
