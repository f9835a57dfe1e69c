"""The ends of requests in the bytes that a client sends. No part that is taken belongs to two requests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

Field: TypeAlias = tuple[bytes, bytes]
"""One header, its name in lower case."""

LINE_BREAK = b"\r\n"
EMPTY_LINE = b"\r\n\r\n"
"""The end of every head: the parser refuses lines that end otherwise."""
CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]+")
MAX_SIZE_LINE_BYTES = 32
"""Bytes that are read of the line with a chunk's size: the parser refuses a size of more digits."""
VERSIONS = frozenset({"1.0", "1.1"})


class MalformedHeadError(ValueError):
    """The head has more than one meaning, or none."""


def body_length(version: str, headers: Iterable[Field]) -> int | None:
    """Return the length of the body of a request with this head; None for a body in chunks.

    :raises MalformedHeadError: two servers could disagree on the length or on the host.
    """
    codings: list[bytes] = []
    lengths: list[bytes] = []
    hosts = 0
    for name, value in headers:
        if name == b"transfer-encoding":
            codings.append(value.strip(b" \t").lower())
        elif name == b"content-length":
            lengths.append(value)
        elif name == b"host":
            hosts += 1
    if version not in VERSIONS or hosts > 1 or (version == "1.1" and not hosts):  # RFC 9112, 3.2.
        raise MalformedHeadError
    if codings:
        if version == "1.0" or lengths or codings != [b"chunked"]:  # RFC 9112, 6.1.
            raise MalformedHeadError
        return None
    if len(lengths) > 1:
        raise MalformedHeadError
    return int(lengths[0]) if lengths else 0


class ChunkedBody:
    """Finds the end of a body in chunks by their sizes (RFC 9112, 7.1), with little work for each chunk.

    The parser judges the chunks: it refuses a size that can't be read, which this class ignores.
    """

    def __init__(self) -> None:
        self._skipped = 0  # Bytes still to come of the current chunk and of the line break after it.
        self._line = b""  # The beginning of an incomplete line.
        self._is_in_trailers = False
        self.is_complete = False

    def end_in(self, data: bytes, start: int) -> int:
        """Return the position in *data* after the end of the body, which continues at *start*, or the end of *data*."""
        position = start
        while not self.is_complete:
            position += self._skipped
            end = data.find(b"\n", position)
            if end < 0:
                self._skipped = max(0, position - len(data))
                self._line = (self._line + data[position:])[:MAX_SIZE_LINE_BYTES]
                return len(data)
            self._skipped = 0
            self._read_line((self._line + data[position : min(end, position + MAX_SIZE_LINE_BYTES)]).rstrip(b"\r"))
            self._line = b""
            position = end + 1
        return position

    def _read_line(self, line: bytes) -> None:
        if self._is_in_trailers:
            self.is_complete = not line
        elif size := CHUNK_SIZE.match(line):
            length = int(size[0], 16)
            self._is_in_trailers = length == 0
            self._skipped = length + len(LINE_BREAK) if length else 0


class Incoming:
    """The received bytes of one connection that have not been parsed."""

    __slots__ = ("_bytes", "_last", "_start", "size")

    def __init__(self) -> None:
        self._bytes = b""
        self._start = 0
        self._last = b""  # The last bytes taken of an incomplete head: an empty line may begin in them.
        self.size = 0

    def append(self, data: bytes) -> None:
        """Add *data*."""
        self._bytes = self._bytes[self._start :] + data if self.size else data
        self._start = 0
        self.size = len(self._bytes)

    def clear(self) -> None:
        """Drop all bytes."""
        self._bytes, self._start, self.size = b"", 0, 0

    def take(self, length: int) -> bytes:
        """Take *length* bytes, or as many as there are."""
        if length >= self.size:
            taken = self._bytes[self._start :] if self._start else self._bytes
            self.clear()
            return taken
        taken = self._bytes[self._start : self._start + length]
        self._start += length
        self.size -= length
        return taken

    def take_chunks(self, body: ChunkedBody) -> bytes:
        """Take the bytes up to the end of *body*, or as many as there are."""
        return self.take(body.end_in(self._bytes, self._start) - self._start)

    def take_head(self) -> bytes:
        """Take the bytes up to and including the next empty line, or as many as there are."""
        length = self._find_end_of_head()
        if length:
            self._last = b""
            return self.take(length)
        taken = self.take(self.size)
        self._last = (self._last + taken)[-len(EMPTY_LINE) + 1 :]
        return taken

    def _find_end_of_head(self) -> int:
        """Return the number of bytes up to the end of the head; 0 if they don't have its end."""
        if self._last:
            beginning = self._last + self._bytes[self._start : self._start + len(EMPTY_LINE) - 1]
            found = beginning.find(EMPTY_LINE)
            if found >= 0:
                return found + len(EMPTY_LINE) - len(self._last)
        found = self._bytes.find(EMPTY_LINE, self._start)
        return 0 if found < 0 else found + len(EMPTY_LINE) - self._start
