"""INSEE's files, as published: zipped CSV or Parquet, told by their content and read by the names of their columns.

Their drawings are INSEE's, *Dessin de fichier StockEtablissement* and *StockUniteLegale*: columns are added over the
years, and keep their names.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
import threading
import zipfile
import zlib
from contextlib import contextmanager, suppress
from queue import Queue
from typing import TYPE_CHECKING, Protocol

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ZIP = b"PK\x03\x04"
PARQUET = b"PAR1"
CHUNK_BYTES = 512 * 1024
CHUNKS_AHEAD = 64
# What `zipfile` raises for archives that are cut off, damaged, encrypted or compressed in a way that it doesn't know.
ZIP_FAILURES = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
GLOB = re.compile(r"([*?\[])")
# DuckDB explains itself at length, and quotes the row: these parts of its words say what is wrong.
CSV_LINE = re.compile(r"CSV Error on Line: (\d+)")
CSV_REASON = re.compile(
    r"Expected Number of Columns: \d+ Found: \d+|Value with unterminated quote found|Maximum line size.*exceeded"
)


class SireneFileError(Exception):
    """A file can't be read as INSEE's; the message is one line, which names the file."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")


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
    def table(self, folder: Path) -> Iterator[str]:
        """What SQL reads the file from, once, while the block lasts; *folder* is for what that takes.

        :raises SireneFileError: the file can't be read to its end; DuckDB's failures that say so are turned into it.
        """

    def done(self, reader: duckdb.DuckDBPyConnection) -> int:
        """How much of the file *reader* has read, in *unit*."""


def open_sirene_file(path: Path) -> SireneFile:
    """The file at *path*, as what its first bytes say that it is.

    :raises SireneFileError: it can't be read, or is something else.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as exc:
        raise SireneFileError(path, f"can't be read: {exc.strerror}") from None
    if magic == ZIP:
        return ZippedCsv(path)
    if magic == PARQUET:
        return Parquet(path)
    raise SireneFileError(path, "is neither a zip archive nor Parquet, which INSEE's files are")


class ZippedCsv:
    """The only CSV file in an archive, unpacked as it is read, through a named pipe: it never lies on the disk."""

    unit = "bytes"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unpacked = 0
        self._wanted = True
        self._failure: SireneFileError | None = None
        try:
            with zipfile.ZipFile(path) as archive:
                self._member = self._only_csv(archive)
                with archive.open(self._member) as file:
                    header = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
                    self.columns = next(csv.reader(header), [])
        except UnicodeDecodeError:
            raise self._error("is not in UTF-8") from None
        except csv.Error:
            raise self._error("does not begin with the names of its columns") from None
        except ZIP_FAILURES as exc:
            raise self._unreadable(exc) from None
        self.total = self._member.file_size

    def _only_csv(self, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
        members = [member for member in archive.infolist() if member.filename.lower().endswith(".csv")]
        if len(members) != 1:
            raise self._error(f"has {len(members)} CSV files, and should have one")
        return members[0]

    def done(self, reader: duckdb.DuckDBPyConnection) -> int:
        return self._unpacked

    @contextmanager
    def table(self, folder: Path) -> Iterator[str]:
        pipe = folder / "pipe.csv"
        os.mkfifo(pipe)
        chunks: Queue[bytes] = Queue(CHUNKS_AHEAD)
        threads = [
            threading.Thread(target=self._unpack, args=(chunks,)),
            threading.Thread(target=_feed, args=(chunks, pipe)),
        ]
        for thread in threads:
            thread.start()
        problem = None
        try:
            yield self._as_table(pipe)
        except duckdb.ProgrammingError as exc:
            problem = self._error(_csv_problem(exc))
        finally:
            self._wanted = False
            os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))  # Lets a feeder go whose reader has never come.
            for thread in threads:
                thread.join()
        if failure := self._failure or problem:  # What can't be unpacked also ends what is read, in mid-row perhaps.
            raise failure

    def _as_table(self, pipe: Path) -> str:
        types = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in self.columns)
        return (
            f"read_csv({quoted(pipe)}, columns = {{{types}}}, auto_detect = false, header = true, delim = ',',"
            " quote = '\"', escape = '\"', strict_mode = true)"
        )

    def _unpack(self, chunks: Queue[bytes]) -> None:
        """Put the file into *chunks*, piece by piece, and an empty one in the end."""
        utf_8 = codecs.getincrementaldecoder("utf-8")()
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self._member) as file:
                while self._wanted and (chunk := file.read(CHUNK_BYTES)):
                    utf_8.decode(chunk)
                    chunks.put(chunk)
                    self._unpacked += len(chunk)
                utf_8.decode(b"", final=self._wanted)
        except UnicodeDecodeError:
            self._failure = self._error(f"is not in UTF-8, soon after byte {self._unpacked:,}")
        except ZIP_FAILURES as exc:
            self._failure = self._unreadable(exc)
        except OSError as exc:
            self._failure = self._error(f"can't be read: {exc.strerror}")
        finally:
            chunks.put(b"")

    def _unreadable(self, exc: Exception) -> SireneFileError:
        return self._error(f"is damaged or cut off, or no zip archive after all: {exc}")

    def _error(self, problem: str) -> SireneFileError:
        return SireneFileError(self.path, problem)


class Parquet:
    """A Parquet file, which DuckDB reads by itself."""

    unit = "rows"

    def __init__(self, path: Path) -> None:
        self.path = path
        # As DuckDB is to take it: an absolute path, none of whose characters stands for others.
        self._literal = GLOB.sub(r"[\1]", str(path.resolve()))
        try:
            with duckdb.connect() as reader:
                empty = reader.execute("FROM read_parquet(?) LIMIT 0", [self._literal])
                self.columns = [name for name, *_ in empty.description or ()]
                size = reader.execute("SELECT num_rows FROM parquet_file_metadata(?)", [self._literal]).fetchone()
                self.total: int = size[0] if size else 0
        except duckdb.Error as exc:
            raise self._unreadable(exc) from None

    def done(self, reader: duckdb.DuckDBPyConnection) -> int:
        return round(self.total * max(0.0, reader.query_progress()) / 100)

    @contextmanager
    def table(self, folder: Path) -> Iterator[str]:
        try:
            yield f"read_parquet({quoted(self._literal)})"
        except duckdb.ProgrammingError as exc:
            raise self._unreadable(exc) from None

    def _unreadable(self, exc: Exception) -> SireneFileError:
        return SireneFileError(self.path, f"is damaged or cut off, or no Parquet after all: {_first_line(exc)}")


def _feed(chunks: Queue[bytes], pipe: Path) -> None:
    """Write *chunks* into *pipe*, for as long as somebody reads there, and take them all, up to the empty one."""
    with suppress(BrokenPipeError), pipe.open("wb") as out:
        while chunk := chunks.get():
            out.write(chunk)
        return
    while chunks.get():
        pass


def quoted(text: object) -> str:
    """*text* as a literal of SQL."""
    return "'" + str(text).replace("'", "''") + "'"


def _csv_problem(exc: Exception) -> str:
    """What DuckDB has against a CSV file, in one line, without the row that it quotes."""
    line, reason = CSV_LINE.search(str(exc)), CSV_REASON.search(str(exc))
    if line is None:
        return _first_line(exc)
    return f"line {line[1]} can't be read as CSV{f': {reason[0]}' if reason else ''}"


def _first_line(exc: Exception) -> str:
    """The beginning of DuckDB's words, without the class that it puts before them."""
    return str(exc).partition("\n")[0].partition("Error: ")[2]
