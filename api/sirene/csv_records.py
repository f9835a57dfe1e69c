"""Records of a CSV file: where one ends, which may be as long as any, and on which line one begins.

A value between quotes may hold line ends, and commas, and quotes that are doubled: see :rfc:`4180`. A quote inside a
value that has none around it is a part of that value.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_RECORD_BYTES = 2_000_000  # DuckDB's own limit.
# A quote begins a quoted value after a comma or a line end only, and ends it unless it is doubled.
QUOTED = re.compile(rb'"(?<![^,\r\n]")[^"]*(?:""[^"]*)*(?:"|\Z)')


class LongRecordError(Exception):
    """A record is longer than any may be; it begins on *line*, counted from 1."""

    def __init__(self, line: int) -> None:
        super().__init__(f"The record on line {line} is too long")
        self.line = line


def bounded_records(chunks: Iterable[bytes], max_bytes: int = MAX_RECORD_BYTES) -> Iterator[bytes]:
    """Yield *chunks*, each shorter than a record may be, as they are, up to the first record that is too long.

    DuckDB may drop such a record, and what follows it, without a word.

    :raises LongRecordError: a record has more than *max_bytes*.
    """
    line, unfinished = 1, b""
    for chunk in chunks:
        unfinished += chunk
        ends = blank_quoted(unfinished)
        if (ends.find(b"\n") + 1 or len(ends)) > max_bytes:
            raise LongRecordError(line)
        end = ends.rfind(b"\n") + 1
        line += unfinished.count(b"\n", 0, end)
        unfinished = unfinished[end:]
        yield chunk


def blank_quoted(text: bytes) -> bytes:
    """Return *text*, which begins with a record, with all quoted values blanked out: each line feed ends a record."""
    return QUOTED.sub(lambda quoted: b'"' * len(quoted[0]), text)


def line_of_record(number: int, lines: Iterable[str]) -> int:
    """Return the line on which a record begins; both are counted from 1."""
    csv.field_size_limit(MAX_RECORD_BYTES)
    records = csv.reader(lines)
    for _ in range(number - 1):
        next(records, None)
    return records.line_num + 1
