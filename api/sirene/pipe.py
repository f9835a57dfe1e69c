"""A named pipe that is filled beside its reader."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from queue import Queue
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNKS_AHEAD = 64
RELEASE_EVERY_SECONDS = 0.05


class Pipe:
    """Gives *chunks* to whoever opens *path* for reading, once; some are made ahead while the reader is busy.

    Its reader sees the end of the file where the chunks end, and where making them fails: *failure* tells which it
    was, once the block is left. Leaving it gives up what nobody reads.
    """

    def __init__(self, path: Path, chunks: Iterator[bytes]) -> None:
        self.failure: Exception | None = None
        self._path = path
        self._chunks = chunks
        self._ahead: Queue[bytes] = Queue(CHUNKS_AHEAD)
        self._wanted = True
        self._making = threading.Thread(target=self._make, daemon=True)
        self._giving = threading.Thread(target=self._give, daemon=True)

    def __enter__(self) -> Self:
        os.mkfifo(self._path)
        self._making.start()
        self._giving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wanted = False
        while self._giving.is_alive():
            with suppress(OSError):  # Lets go who waits for a reader that has never come, or will come no more.
                os.close(os.open(self._path, os.O_RDONLY | os.O_NONBLOCK))
            self._giving.join(RELEASE_EVERY_SECONDS)
        self._making.join()

    def _make(self) -> None:
        try:
            for chunk in self._chunks:
                if not self._wanted:
                    break
                self._ahead.put(chunk)
        except Exception as exc:
            self.failure = exc
        finally:
            self._ahead.put(b"")  # The end.

    def _give(self) -> None:
        chunk = b"not the end"
        try:
            with suppress(OSError), self._path.open("wb") as out:
                while chunk := self._ahead.get():
                    out.write(chunk)
        finally:
            while chunk:
                chunk = self._ahead.get()
