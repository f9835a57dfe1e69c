"""A zipped CSV file of INSEE's, unpacked through a pipe while DuckDB reads it: it never lies on the disk."""

from __future__ import annotations

import codecs
import csv
import io
import re
import struct
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import duckdb

from api.sirene.csv_records import MAX_RECORD_BYTES, LongRecordError, bounded_records, line_of_record
from api.sirene.duckdb_reading import SireneFileError, failure_of, first_line, literal
from api.sirene.pipe import piped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
CHUNK_BYTES = 256 * 1024
BUFFER_BYTES = 8_000_000  # DuckDB's 32 MB would be much of the memory that it is given.
MAX_HEADER_BYTES = 64 * 1024
# What `zipfile` raises for archives that are cut off, damaged or encrypted.
FAILURES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)
# DuckDB's message is long and quotes the row: these parts of it say what is wrong.
RECORD = re.compile(r"CSV Error on Line: (\d+)")  # A line feed inside a value is not counted.
REASON = re.compile(
    r"Expected Number of Columns: \d+ Found: \d+|Value with unterminated quote found|Maximum line size.*exceeded"
)


class ZippedCsv:
    """A `SireneFile`: the only CSV file of an archive."""

    unit = "bytes"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unpacked = 0
        try:
            with zipfile.ZipFile(path) as archive:
                self._member = self._only_csv(archive)
                with archive.open(self._member) as file:
                    self.columns = self._names(file.readline(MAX_HEADER_BYTES))
        except FAILURES as exc:
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
    def table(self) -> Iterator[str]:
        with piped(self._chunks()) as pipe:
            try:
                yield self._read_csv(pipe)
            except duckdb.Error as exc:
                raise failure_of(self.path, exc, self._problem) from None

    def _read_csv(self, pipe: str) -> str:
        types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.columns)
        return (
            f"read_csv({literal(pipe)}, columns = {{{types}}}, auto_detect = false, header = true, delim = ',',"
            f" quote = '\"', escape = '\"', strict_mode = true,"
            f" buffer_size = {BUFFER_BYTES}, max_line_size = {MAX_RECORD_BYTES})"
        )

    def _chunks(self) -> Iterator[bytes]:
        """Yield the unpacked file, up to where it is found to be damaged."""
        try:
            with self._opened() as file:
                yield from bounded_records(self._utf_8(file))
        except UnicodeDecodeError:
            raise self._error(f"is not in UTF-8, soon after byte {self._unpacked:,}") from None
        except LongRecordError as exc:
            raise self._error(_not_csv(exc.line, f"its record is longer than {MAX_RECORD_BYTES:,} bytes")) from None
        except FAILURES as exc:
            raise self._unreadable(exc) from None

    def _utf_8(self, file: IO[bytes]) -> Iterator[bytes]:
        """Yield what is in *file*. DuckDB takes bytes that are not UTF-8 in columns that are not asked for."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        while chunk := file.read(CHUNK_BYTES):
            decoder.decode(chunk)
            yield chunk
            self._unpacked += len(chunk)
        decoder.decode(b"", final=True)

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        with zipfile.ZipFile(self.path) as archive, archive.open(self._member) as file:
            yield file

    def _problem(self, exc: Exception) -> str:
        """Return DuckDB's objection to the file in one line, without the row that it quotes."""
        record, reason = RECORD.search(str(exc)), REASON.search(str(exc))
        if record is None:
            return f"can't be read as CSV: {first_line(exc)}"
        with self._opened() as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as lines:
            return _not_csv(line_of_record(int(record[1]), lines), reason[0] if reason else "")

    def _unreadable(self, exc: Exception) -> SireneFileError:
        return self._error(f"is damaged or cut off, or no zip archive after all: {exc}")

    def _error(self, problem: str) -> SireneFileError:
        return SireneFileError(self.path, problem)


def _not_csv(line: int, reason: str) -> str:
    return f"line {line} can't be read as CSV{reason and f': {reason}'}"
