"""A pipe that a thread fills: the reader gets every byte, and nobody waits without end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.sirene.pipe import piped

CHUNKS = [bytes([letter]) * 100_000 for letter in b"abcdefghijklmnopqrstuvwxyz"]


class DamagedError(Exception):
    """The chunks can't be made."""


def damaged() -> Iterator[bytes]:
    yield from CHUNKS
    raise DamagedError


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    """Every thread that a test begins has ended with it."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def test_reader_gets_every_byte() -> None:
    """A pipe holds what it is given, in its order, and ends where that ends."""
    with piped(CHUNKS) as path:
        assert Path(path).read_bytes() == b"".join(CHUNKS)


def test_failure_ends_the_file_and_is_raised() -> None:
    """If a chunk can't be made, the reader sees the end of the file, and leaving the block raises the failure."""
    with pytest.raises(DamagedError), piped(damaged()) as path:
        assert Path(path).read_bytes() == b"".join(CHUNKS)


def test_failure_to_make_goes_before_failure_to_read() -> None:
    """What a reader says of a file that broke off is the effect: the cause is raised."""
    with pytest.raises(DamagedError), piped(damaged()) as path:
        raise ValueError(Path(path).read_bytes()[:0])


def test_failure_to_read_is_raised() -> None:
    """If the reader alone fails, its failure is raised."""
    with pytest.raises(ValueError, match="wrong"), piped(CHUNKS):
        raise ValueError("wrong")


@pytest.mark.parametrize("bytes_read", [None, 0, 1, 250_000])
def test_pipe_that_is_not_read_to_its_end_is_given_up(bytes_read: int | None) -> None:
    """A reader that never comes, or stops before the end, keeps nobody waiting, and no more chunks are made."""
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
