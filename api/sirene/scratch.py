"""A folder for the time of an import, which no import leaves behind for good, not even one that is killed."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "guichet-sirene-"
LOCK = "in-use"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder of our own in the system's place for such (`TMPDIR`), removed afterwards.

    It is locked while it is in use; those of earlier imports that nobody holds any more are removed first.
    """
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with (folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            with (folder / LOCK).open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # In use, somebody else's, or not locked yet by an import that begins now.
            continue
