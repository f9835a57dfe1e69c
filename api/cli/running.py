"""The common steps of all commands: read the settings, run the work, and end with the right exit code."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from api.settings.environment import Settings

T = TypeVar("T")

FAILED = 1
BAD_USAGE = 2
UMASK = 0o077

logger = logging.getLogger(__name__)


def read_settings(*, workers: int = 1) -> Settings:
    """Return the settings. If some are wrong, print a line for each and exit with 2.

    From here on, this process and its children write files that only their user can read.
    """
    from api.logs import configure_logging
    from api.settings.environment import load_settings, unknown_settings
    from api.settings.files import open_files
    from api.settings.problems import SettingsError
    from api.settings.production import risky_settings

    os.umask(UMASK)
    configure_logging()
    try:
        settings = load_settings(workers=workers)
    except SettingsError as exc:
        refuse(exc.lines)
    for name in unknown_settings():
        logger.warning("%s is no setting: it is ignored", name)
    for warning in (*risky_settings(settings), *open_files(settings)):
        logger.warning("%s", warning)
    return settings


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run *work* and return its result. A database that fails, or an interrupt, is one line and exit code 1."""
    from models.database.connections import DATABASE_FAILURES
    from models.database.migration import lacks_migrations

    try:
        return asyncio.run(work)
    except (KeyboardInterrupt, asyncio.CancelledError):
        fail("Interrupted")
    except DATABASE_FAILURES as exc:
        reason = f"{type(exc).__name__}: {exc}".partition("\n")[0]
        remedy = ". `guichet migrate` gives it the newest schema" if lacks_migrations(exc) else ""
        fail(f"The database can't be used: {reason}{remedy}")


def refuse(lines: list[str]) -> NoReturn:
    """Print *lines* on standard error, and exit with the code of bad usage."""
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(BAD_USAGE)


def fail(line: str) -> NoReturn:
    """Print *line* on standard error, and exit with the code of failed work."""
    typer.echo(line, err=True)
    raise typer.Exit(FAILED)
