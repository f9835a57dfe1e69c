"""A pipe that a thread fills, for a reader that takes nothing but a path."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DRAINED_BYTES = 64 * 1024


@contextmanager
def piped(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield a path from which *chunks* can be read once, while the block lasts.

    If making the chunks fails, the reader sees the end of the file, and leaving the block raises that failure, in the
    place of the reader's own if there is one. A reader may stop before the end, or never come.
    """
    read_end, write_end = os.pipe()
    unwanted = threading.Event()
    with os.fdopen(read_end, "rb", buffering=0) as pipe, ThreadPoolExecutor(1) as pool:
        filling = pool.submit(_fill, write_end, chunks, unwanted)
        try:
            yield f"/dev/fd/{read_end}"
        finally:
            unwanted.set()
            while pipe.read(DRAINED_BYTES):  # The thread may be waiting for room in the pipe.
                pass
            filling.result()


def _fill(write_end: int, chunks: Iterable[bytes], unwanted: threading.Event) -> None:
    with os.fdopen(write_end, "wb", buffering=0) as pipe:
        for chunk in chunks:
            left = memoryview(chunk)
            while left and not unwanted.is_set():
                left = left[pipe.write(left) :]
            if unwanted.is_set():
                break
