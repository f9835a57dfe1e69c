"""CSV cut where records end, so that each piece can be read without the rest: quotes are looked at, values are not.

As :rfc:`4180` has it, with the line ends of any system; a quote within a value that has none around it is a part of it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Set

LONGEST_RECORD = 2_000_000  # Bytes, as DuckDB has it.
# A quote begins a quoted value after a comma or a line end only, and ends it unless it is doubled.
QUOTED = re.compile(rb'"(?<![^,\r\n]")[^"]*(?:""[^"]*)*(?:"|\Z)')
# After a quote that ends a value, or is a part of one without quotes, the last line feed is in no quoted value.
PLAIN_END = re.compile(rb'[^",\r\n]"[,\r\n][^"]*\n[^\n]*\Z')
PLAIN_END_BYTES = 1024


class LongRecordError(Exception):
    """A record is longer than any may be."""


def whole_records(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The text of *chunks*, which begins with a record, cut into pieces of whole records; the last may lack its end.

    :raises LongRecordError: more than `LONGEST_RECORD` bytes have come without the end of one.
    """
    rest = b""
    for chunk in chunks:
        piece = rest + chunk
        end = end_of_records(piece)
        if not end and len(piece) > LONGEST_RECORD:  # DuckDB takes one that fills its buffer for nothing.
            raise LongRecordError
        rest = piece[end:]
        if end:
            yield piece[:end]
    if rest:
        yield rest


def end_of_records(piece: bytes) -> int:
    """Where the last record that ends in *piece* does, which begins with one; 0 where none ends."""
    if PLAIN_END.search(piece, max(0, len(piece) - PLAIN_END_BYTES)):
        return piece.rfind(b"\n") + 1
    end = len(piece)
    for quoted in reversed([*QUOTED.finditer(piece)]):
        if line_feed := piece.rfind(b"\n", quoted.end(), end) + 1:
            return line_feed
        end = quoted.start()
    return piece.rfind(b"\n", 0, end) + 1


def line_of_record(record: int, pieces: Iterable[bytes], given: Set[int]) -> int:
    """On which line of *pieces* a record begins: the one of this number, from 0, in those whose numbers are *given*."""
    lines = 0
    for number, piece in enumerate(pieces):
        if number in given:
            on_one_line = QUOTED.sub(lambda value: value[0].replace(b"\n", b" "), piece)
            records = on_one_line.removesuffix(b"\n").split(b"\n")
            if record < len(records):
                before = sum(len(one) + 1 for one in records[:record])
                return lines + piece.count(b"\n", 0, before)
            record -= len(records)
        lines += piece.count(b"\n")
    return lines


def whole_lines(pieces: Iterable[bytes]) -> int:
    """How many lines end in *pieces*, up to a record that is too long."""
    lines = 0
    with suppress(LongRecordError):
        for piece in pieces:
            lines += piece.count(b"\n")
    return lines
