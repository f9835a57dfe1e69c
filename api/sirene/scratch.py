"""A folder for the time of an import. If an import is killed, the next one removes it."""

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
    """The scratch folder has no room, or may not be used. The message is one line, which names the folder."""

    def __init__(self, folder: str | Path, reason: object) -> None:
        first = str(reason).partition("\n")[0]
        super().__init__(f"{folder}: the import can't work there, and TMPDIR can name another place: {first}")


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make an empty folder where the system has its temporary files (`TMPDIR`), and remove it afterwards.

    The folder is locked while it is in use. Folders of earlier imports that nobody has locked are removed first.

    :raises ScratchSpaceError: no folder can be made.
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
        fcntl.flock(_open(folder, stack), fcntl.LOCK_EX)
        if folder.exists():  # If not, another import removed it before it was locked.
            return folder


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError), ExitStack() as stack:  # It is in use, or somebody else's.
            if folder.lstat().st_uid == os.getuid():
                fcntl.flock(_open(folder, stack), fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)


def _open(folder: Path, stack: ExitStack) -> int:
    """Open *folder* itself, never what a link leads to; *stack* closes it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    stack.callback(os.close, descriptor)
    return descriptor
