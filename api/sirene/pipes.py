"""Named pipes that are filled beside their readers."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from queue import Empty, Queue
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PIECES_AHEAD = 16
RELEASE_EVERY_SECONDS = 0.05


class Pipes:
    """Gives *pieces* to whoever opens *paths* for reading, each path once: a piece to the reader that is free for it.

    Every reader gets *first* before them. Some are made ahead while the readers are busy. These see the end of their
    files where the pieces end, and where making them fails: *failure* tells which it was, once the block is left.
    Leaving it gives up what nobody reads.

    It doesn't matter whether the paths are read beside each other, or one by one: a piece is taken for a reader only.
    """

    def __init__(self, paths: Sequence[Path], pieces: Iterator[bytes], *, first: bytes) -> None:
        self.failure: Exception | None = None
        self.given: dict[Path, set[int]] = {path: set() for path in paths}
        """The numbers, from 0, of the pieces that each path was given."""
        self._first = first
        self._pieces = pieces
        self._ahead: Queue[tuple[int, bytes] | None] = Queue(PIECES_AHEAD)  # None is the end.
        self._wanted = True
        self._making = threading.Thread(target=self._make, daemon=True)
        self._giving = {path: threading.Thread(target=self._give, args=(path,), daemon=True) for path in paths}

    def __enter__(self) -> Self:
        for path in self._giving:
            os.mkfifo(path)
        for thread in (self._making, *self._giving.values()):
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wanted = False
        for path, giving in self._giving.items():
            while giving.is_alive():
                with suppress(OSError):  # Lets go who waits for a reader that has never come, or will come no more.
                    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
                giving.join(RELEASE_EVERY_SECONDS)
        while self._making.is_alive():
            with suppress(Empty):
                self._ahead.get(timeout=RELEASE_EVERY_SECONDS)

    def _make(self) -> None:
        try:
            for numbered in enumerate(self._pieces):
                if not self._wanted:
                    break
                self._ahead.put(numbered)
        except Exception as exc:
            self.failure = exc
        finally:
            self._ahead.put(None)

    def _give(self, path: Path) -> None:
        with suppress(OSError), path.open("wb") as out:
            out.write(self._first)
            while self._wanted:
                numbered = self._ahead.get()
                if numbered is None:
                    self._ahead.put(None)  # For the others too.
                    break
                number, piece = numbered
                self.given[path].add(number)
                out.write(piece)
