"""A folder for the time of an import, which no import leaves behind for good, not even one that is killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "guichet-sirene-"


class ScratchSpaceError(Exception):
    """There is no room, or no right, to work in the scratch folder; the message is one line, which names it."""

    def __init__(self, folder: str | Path, reason: object) -> None:
        first = str(reason).partition("\n")[0]
        super().__init__(f"{folder}: the import can't work there, and TMPDIR can name another place: {first}")


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder of our own in the system's place for such (`TMPDIR`), removed afterwards.

    It is locked while it is in use; those of earlier imports that nobody holds any more are removed first.

    :raises ScratchSpaceError: there can't be one.
    """
    with ExitStack() as stack:
        try:
            _remove_abandoned()
            folder = _locked_folder(stack)
        except OSError as exc:
            raise ScratchSpaceError(os.environ.get("TMPDIR", "TMPDIR"), exc) from exc
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _locked_folder(stack: ExitStack) -> Path:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        fcntl.flock(_opened(folder, stack), fcntl.LOCK_EX)
        if folder.exists():  # Else another import took it for abandoned before it was locked.
            return folder


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError), ExitStack() as stack:  # In use, or somebody else's.
            if folder.lstat().st_uid == os.getuid():
                fcntl.flock(_opened(folder, stack), fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)


def _opened(folder: Path, stack: ExitStack) -> int:
    """A descriptor of *folder* itself, which *stack* closes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    stack.callback(os.close, descriptor)
    return descriptor
