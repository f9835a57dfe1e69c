"""Files that hold secrets: the key that development makes for itself, and files that others could read."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from api.settings.mail_destination import Maildir

if TYPE_CHECKING:
    from api.settings.environment import Settings

SECRET_KEY_FILE = Path("var/secret-key")
KEY_BYTES = 32
OTHERS = 0o077


def development_key() -> str:
    """Return the key in `var/secret-key`. The first process that asks makes it.

    :raises OSError: this process can't read the file, or can't make it.
    """
    if not SECRET_KEY_FILE.exists():
        SECRET_KEY_FILE.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = SECRET_KEY_FILE.with_name(f".{SECRET_KEY_FILE.name}-{os.getpid()}")
        try:
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(KEY_BYTES))
            with suppress(FileExistsError):
                SECRET_KEY_FILE.hardlink_to(draft)
        finally:
            draft.unlink(missing_ok=True)
    if key := SECRET_KEY_FILE.read_text():
        return key
    raise OSError(errno.ENODATA, "it is empty")


def open_files(settings: Settings) -> list[str]:
    """Return a line with a remedy for each file of ours that other users can read."""
    database = settings.database_url.file
    files = [
        Path(database) if database else None,
        settings.mail_url.path if isinstance(settings.mail_url, Maildir) else None,
        None if settings.in_production else SECRET_KEY_FILE,
    ]
    return [
        f"{file} is open to other users of this machine: chmod go= {file}"
        for file in files
        if file and file.exists() and file.stat().st_mode & OTHERS
    ]
