"""INSEE's files, as published: zipped CSV or Parquet, told by their content and read by the names of their columns.

Their drawings are INSEE's, *Dessin de fichier StockEtablissement* and *StockUniteLegale*: columns are added over the
years, and keep their names.
"""

from __future__ import annotations

import codecs
import csv
import re
import struct
import zipfile
import zlib
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import duckdb

from api.sirene.csv_records import LONGEST_RECORD, LongRecordError, line_of_record, whole_lines, whole_records
from api.sirene.pipes import Pipes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence, Set

ZIP = b"PK\x03\x04"
PARQUET = b"PAR1"
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
CHUNK_BYTES = 256 * 1024
READERS = 2  # Of one CSV file: unpacking it keeps no more of them busy.
BUFFER_BYTES = 8_000_000  # Of each reader; DuckDB's 32 MB would be much of the memory that it is given.
LONGEST_HEADER = 64 * 1024
HEADER_LINES = 1
# What `zipfile` raises for archives that are cut off, damaged or encrypted.
ZIP_FAILURES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)
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


class ZippedCsv:
    """The only CSV file in an archive, unpacked as it is read, through named pipes: it never lies on the disk.

    DuckDB reads a pipe in one thread, so there are some, and the records are dealt out among them.
    """

    unit = "bytes"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unpacked = 0
        try:
            with zipfile.ZipFile(path) as archive:
                self._member = self._only_csv(archive)
                with archive.open(self._member) as file:
                    self._header = file.readline(LONGEST_HEADER)
                    self.columns = self._names(self._header)
        except ZIP_FAILURES as exc:
            raise self._unreadable(exc) from None
        self.total = self._member.file_size

    def _only_csv(self, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
        members = [member for member in archive.infolist() if member.filename.lower().endswith(".csv")]
        if len(members) != 1:
            raise self._error(f"has {len(members)} CSV files, and should have one")
        if members[0].compress_type not in COMPRESSIONS:
            raise self._error("is compressed in another way than INSEE's files are")
        return members[0]

    def _names(self, header: bytes) -> list[str]:
        try:
            names = next(csv.reader([header.decode("utf-8-sig")]), [])
        except UnicodeDecodeError:
            raise self._error("is not in UTF-8") from None
        except csv.Error:
            names = []
        if len({name.casefold() for name in names}) < len(names) or "" in names:
            raise self._error("has two columns of one name, or one without")
        return names

    def done(self, reader: duckdb.DuckDBPyConnection) -> int:
        return self._unpacked

    @contextmanager
    def table(self, folder: Path) -> Iterator[str]:
        problem = None
        paths = [folder / f"{number}.csv" for number in range(READERS)]
        with Pipes(paths, self._pieces(), first=self._header) as pipes:
            try:
                yield f"({' UNION ALL '.join(map(self._as_table, paths))})"
            except duckdb.Error as exc:
                problem = exc
        if pipes.failure is not None:  # It has also ended what was read, in mid-row perhaps.
            raise self._problem_of(pipes.failure) from None
        if problem is not None:
            raise _as_told(self.path, problem, partial(self._csv_problem, pipes.given)) from None

    def _as_table(self, pipe: Path) -> str:
        types = ", ".join(f"{_quoted(name)}: 'VARCHAR'" for name in self.columns)
        return (
            f"FROM read_csv({_quoted(pipe)}, columns = {{{types}}}, auto_detect = false, header = true, delim = ',',"
            f" quote = '\"', escape = '\"', strict_mode = true,"
            f" buffer_size = {BUFFER_BYTES}, max_line_size = {LONGEST_RECORD})"
        )

    def _pieces(self) -> Iterator[bytes]:
        """The unpacked file without its header, in pieces of whole records."""
        return whole_records(self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        """The same in stretches of any length, each of which has been found to be UTF-8."""
        utf_8 = codecs.getincrementaldecoder("utf-8")()
        with zipfile.ZipFile(self.path) as archive, archive.open(self._member) as file:
            self._unpacked = len(file.read(len(self._header)))
            while chunk := file.read(CHUNK_BYTES):
                utf_8.decode(chunk)
                yield chunk
                self._unpacked += len(chunk)
        utf_8.decode(b"", final=True)

    def _csv_problem(self, given: Mapping[Path, Set[int]], exc: Exception) -> str:
        """What DuckDB has against the file, in one line, without the row that it quotes."""
        line, reason = CSV_LINE.search(str(exc)), CSV_REASON.search(str(exc))
        if line is None:
            return f"can't be read as CSV: {_first_line(exc)}"
        pipe = max(given, key=lambda path: str(exc).rfind(f"file = {path}"))
        record = max(int(line[1]) - 2, 0)  # DuckDB counts from 1, and the header.
        return _not_csv(line_of_record(record, self._pieces(), given[pipe]), reason[0] if reason else "")

    def _problem_of(self, failure: Exception) -> SireneFileError:
        if isinstance(failure, UnicodeDecodeError):
            return self._error(f"is not in UTF-8, soon after byte {self._unpacked:,}")
        if isinstance(failure, LongRecordError):
            reason = f"its record is longer than {LONGEST_RECORD:,} bytes"
            return self._error(_not_csv(whole_lines(self._pieces()), reason))
        return self._unreadable(failure)

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
        except (duckdb.Error, RuntimeError) as exc:
            raise SireneFileError(path, _parquet_problem(exc)) from None

    def done(self, reader: duckdb.DuckDBPyConnection) -> int:
        return round(self.total * max(0.0, reader.query_progress()) / 100)

    @contextmanager
    def table(self, folder: Path) -> Iterator[str]:
        try:
            yield f"read_parquet({_quoted(self._literal)})"
        except (duckdb.Error, RuntimeError) as exc:  # The latter where its words are not UTF-8.
            raise _as_told(self.path, exc, _parquet_problem) from None


def _quoted(text: object) -> str:
    """*text* as a literal of SQL."""
    return "'" + str(text).replace("'", "''") + "'"


def _as_told(path: Path, exc: Exception, problem_of: Callable[[Exception], str]) -> Exception:
    """*exc* as a failure of the file, unless it is one of the place that DuckDB works in, or an interruption."""
    elsewhere = isinstance(exc, duckdb.OperationalError) and path.name not in str(exc)
    if elsewhere or isinstance(exc, duckdb.InterruptException):
        return exc
    return SireneFileError(path, problem_of(exc))


def _not_csv(lines_before: int, reason: str) -> str:
    """What is wrong with a record that so many lines stand before, without the header's."""
    return f"line {HEADER_LINES + lines_before + 1} can't be read as CSV{reason and f': {reason}'}"


def _parquet_problem(exc: Exception) -> str:
    return f"is damaged or cut off, or no Parquet after all: {_first_line(exc)}"


def _first_line(exc: Exception) -> str:
    """The beginning of DuckDB's words, without the class that it puts before them."""
    first = "".join(filter(str.isprintable, str(exc).partition("\n")[0])).rstrip(": ")
    return first.partition("Error: ")[2] or first
