"""Named pipes: each piece reaches one reader, whoever reads when, and nobody waits without end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.sirene.pipes import PIECES_AHEAD, Pipes

PIECES = [bytes([letter]) * 100_000 for letter in b"abcdefghijklmnopqrstuvwxyz"]
FIRST = b"first"
SECONDS = 10


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [tmp_path / "first", tmp_path / "second"]


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    """What was begun is ended."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def test_readers_share_the_pieces(paths: list[Path]) -> None:
    """Of readers beside each other, each gets whole pieces in their order, as they were noted, and none gets lost."""
    read: dict[Path, bytes] = {}
    with Pipes(paths, iter(PIECES), first=FIRST) as pipes:
        readers = [threading.Thread(target=lambda path=path: read.update({path: path.read_bytes()})) for path in paths]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(SECONDS)
    assert pipes.failure is None
    assert sum(map(len, pipes.given.values())) == len(PIECES)
    assert read == {path: FIRST + b"".join(PIECES[number] for number in sorted(pipes.given[path])) for path in paths}


def test_readers_may_come_one_by_one(paths: list[Path]) -> None:
    """Who comes late finds an end, not a wait, and has taken nothing from the first."""
    with Pipes(paths, iter(PIECES), first=FIRST) as pipes:
        assert [path.read_bytes() for path in reversed(paths)] == [FIRST + b"".join(PIECES), FIRST]
    assert list(map(len, pipes.given.values())) == [0, len(PIECES)]


def test_failure_ends_what_is_read(paths: list[Path]) -> None:
    """Where pieces can't be made any more, readers see the end, and the failure is told."""

    def pieces() -> Iterator[bytes]:
        yield from PIECES
        raise ValueError("damaged")

    with Pipes(paths, pieces(), first=FIRST) as pipes:
        assert paths[0].read_bytes() == FIRST + b"".join(PIECES)
    assert str(pipes.failure) == "damaged"


@pytest.mark.parametrize("bytes_read", [None, 0, 1, 250_000])
def test_what_nobody_reads_is_given_up(paths: list[Path], bytes_read: int | None) -> None:
    """Readers that never come, or leave in the midst, keep nobody; no more is made than was to be ahead."""
    made = []

    def pieces() -> Iterator[bytes]:
        for piece in PIECES * 10:
            made.append(piece)
            yield piece

    with Pipes(paths, pieces(), first=FIRST):
        if bytes_read is not None:
            with paths[0].open("rb") as file:
                assert len(file.read(bytes_read)) == bytes_read
    assert len(made) < 2 * PIECES_AHEAD
