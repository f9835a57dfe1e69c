"""A pipe that a thread fills: the reader gets every byte, and nobody waits forever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.sirene.pipe import piped

CHUNKS = [bytes([letter]) * 100_000 for letter in b"abcdefghijklmnopqrstuvwxyz"]


class DamagedError(Exception):
    """The error of a source that can't make its chunks."""


def damaged() -> Iterator[bytes]:
    yield from CHUNKS
    raise DamagedError


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    """Check that each thread that a test starts has ended with it."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def test_reader_gets_every_byte() -> None:
    """The reader gets all bytes in order, and then the end."""
    with piped(CHUNKS) as path:
        assert Path(path).read_bytes() == b"".join(CHUNKS)


def test_failure_of_the_source_ends_the_file_and_is_raised() -> None:
    """If the source fails, the reader sees the end of the file, and the block raises the failure."""
    with pytest.raises(DamagedError), piped(damaged()) as path:
        assert Path(path).read_bytes() == b"".join(CHUNKS)


def test_failure_of_the_source_replaces_that_of_the_reader() -> None:
    """If both fail, the source's failure is raised, because it caused the reader's."""
    with pytest.raises(DamagedError), piped(damaged()) as path:
        raise ValueError(Path(path).read_bytes()[:0])


def test_failure_of_the_reader_is_raised() -> None:
    """If the reader alone fails, its failure is raised."""
    with pytest.raises(ValueError, match="wrong"), piped(CHUNKS):
        raise ValueError("wrong")


@pytest.mark.parametrize("bytes_read", [None, 0, 1, 250_000])
def test_unread_pipe_stops_its_source(bytes_read: int | None) -> None:
    """If the reader stops early or never starts, the source stops too."""
    made = []

    def chunks() -> Iterator[bytes]:
        for chunk in CHUNKS * 10:
            made.append(chunk)
            yield chunk

    with piped(chunks()) as path:
        if bytes_read is not None:
            with Path(path).open("rb") as file:
                assert len(file.read(bytes_read)) == bytes_read
    assert len(made) < 10
