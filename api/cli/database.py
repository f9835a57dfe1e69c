"""`guichet migrate` and `guichet purge`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from api.cli.running import read_settings, run
from api.clock import utc_now

if TYPE_CHECKING:
    from api.settings.environment import Settings


def migrate() -> None:
    """Bring the database to the newest schema."""
    from models.database.migration import migrate as migrate_database

    run(migrate_database(read_settings().database_url))
    typer.echo("The database has the newest schema.")


def purge() -> None:
    """Delete what has outlived its purpose: see docs/operating.md."""
    counts = run(_purge(read_settings()))
    typer.echo(", ".join(f"{count} {what}" for what, count in counts.items()) + " deleted")


async def _purge(settings: Settings) -> dict[str, int]:
    from models.database.connections import database
    from models.retention import purge as purge_database

    async with database(settings.database_url):
        return await purge_database(now=utc_now())
