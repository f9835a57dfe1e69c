"""`guichet import-sirene` and `guichet register status`."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.running import fail, read_settings, refuse, run
from api.clock import utc_now
from api.shutdown import STOP_SIGNALS

if TYPE_CHECKING:
    from api.settings.environment import Settings


def import_sirene(
    establishments: Annotated[Path, typer.Option(help="INSEE's StockEtablissement: zipped CSV, or Parquet.")],
    legal_units: Annotated[Path, typer.Option(help="INSEE's StockUniteLegale: zipped CSV, or Parquet.")],
    edition: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="The files' edition; the latest date of treatment in them if left out."
        ),
    ] = None,
    accept_shrinking: Annotated[
        bool, typer.Option("--accept-shrinking", help="Take a register that is more than 10 % smaller than before.")
    ] = False,
) -> None:
    """Replace the copy of the national register, in one step, while the service goes on."""
    from api.sirene.importing import IMPORT_FAILURES

    settings = read_settings()
    if edition is not None and edition.date() > utc_now().date():
        refuse([f"--edition {edition:%Y-%m-%d}: this day is still to come"])
    work = _import(settings, establishments, legal_units, edition and edition.date(), accept_shrinking)
    try:
        typer.echo(run(work))
    except IMPORT_FAILURES as exc:
        fail(f"The register stays as it was. {exc}")


async def _import(
    settings: Settings, establishments: Path, legal_units: Path, edition: date | None, accept_shrinking: bool
) -> str:
    from api.sirene import importing
    from api.sirene.progress import Terminal
    from api.sirene.report import report_import
    from models.database.connections import database

    for stop in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(stop, partial(_cancel_once, asyncio.current_task()))
    async with database(settings.database_url):
        with Terminal().showing() as progress:
            summary = await importing.import_sirene(
                establishments,
                legal_units,
                edition=edition,
                accept_shrinking=accept_shrinking,
                progress=progress,
                now=utc_now(),
            )
    return report_import(summary)


def _cancel_once(task: asyncio.Task[object] | None) -> None:
    """Cancel *task*. A second signal does not cancel its clean-up."""
    if task is not None and not task.cancelling():
        task.cancel()


def status() -> None:
    """Tell the register's edition and age, and how many organisations have which status."""
    typer.echo(run(_report(read_settings())))


async def _report(settings: Settings) -> str:
    from api.sirene.report import report_register
    from models.database.connections import database
    from models.sirene.tables import RegisterEdition

    async with database(settings.database_url):
        return report_register(await RegisterEdition.current(), now=utc_now())
