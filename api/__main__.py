"""The command line: serve, migrate, deliver-mail, import-sirene, register status, export-schema, purge.

The rooms are imported inside the commands: `--help` is quick, and child processes, which import this file again,
stay small.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from api.server.listening import Address
    from api.settings.environment import Settings

T = TypeVar("T")

FAILED = 1
BAD_USAGE = 2
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
OWNER_ONLY = 0o077

cli = typer.Typer(
    name="guichet",
    help="The sign-up counter of a business portal. Settings are environment variables GUICHET_…: see the README.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
register = typer.Typer(no_args_is_help=True)
cli.add_typer(register, name="register", help="The copy of the national register.")


def main() -> None:
    """The console script."""
    cli()


@cli.command()
def serve(
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on; :: is every address, of IPv4 too.", show_default=DEFAULT_HOST),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on.", show_default=str(DEFAULT_PORT))
    ] = None,
    unix_socket: Annotated[
        Path | None,
        typer.Option(help="Unix socket to listen on, instead of a host and port, for its owner and their group."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 1,
    expose_development: Annotated[
        bool,
        typer.Option(
            "--expose-development",
            help="Listen on other addresses than loopback in development, where anybody may read all mails.",
        ),
    ] = False,
) -> None:
    """Serve the API, with a mail relay in a process beside it unless GUICHET_RELAY=off."""
    settings = _settings(workers=workers)
    address = _address(host, port, unix_socket)
    if not settings.in_production and not address.is_local and not expose_development:
        _refuse([f"--host {host}: development serves loopback only, unless --expose-development is given"])
    from api.server.processes import run
    from models.database.connections import check_encoding

    _run(check_encoding(settings.database_url.get_secret_value()))
    run(settings, address=address, workers=workers)


def _address(host: str | None, port: int | None, unix_socket: Path | None) -> Address:
    """Where to listen: one of the two kinds."""
    from api.server.listening import TcpAddress, UnixAddress

    if unix_socket is None:
        return TcpAddress(host or DEFAULT_HOST, DEFAULT_PORT if port is None else port)
    if host is not None or port is not None:
        _refuse(["--unix-socket: give this, or --host and --port, not both"])
    return UnixAddress(unix_socket)


@cli.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    from models.database.connections import migrate

    settings = _settings()
    _run(migrate(settings.database_url.get_secret_value()))
    typer.echo("The database has the newest schema.")


@cli.command()
def deliver_mail(
    once: Annotated[bool, typer.Option("--once", help="Deliver what is due, and end.")] = False,
) -> None:
    """Relay mails: until interrupted, or once."""
    from api.delivery import deliver

    outcomes = _run(deliver(_settings(), once=once))
    if once:
        typer.echo(", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "nothing is due")
    if outcomes["failed"] or outcomes["abandoned"]:
        raise typer.Exit(FAILED)


@cli.command()
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

    settings = _settings()
    if edition is not None and edition.date() > _now().date():
        _refuse([f"--edition {edition:%Y-%m-%d}: this day is still to come"])
    work = _import(settings, establishments, legal_units, edition and edition.date(), accept_shrinking)
    try:
        typer.echo(_run(work))
    except IMPORT_FAILURES as exc:
        _fail(f"The register stays as it was. {exc}")


async def _import(
    settings: Settings, establishments: Path, legal_units: Path, edition: date | None, accept_shrinking: bool
) -> str:
    from api.sirene.importing import import_sirene
    from api.sirene.progress import Terminal
    from api.sirene.report import report_import
    from models.database.connections import database

    for stop in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(stop, partial(_cancel, asyncio.current_task()))
    async with database(settings.database_url.get_secret_value()):
        with Terminal().showing() as progress:
            summary = await import_sirene(
                establishments,
                legal_units,
                edition=edition,
                accept_shrinking=accept_shrinking,
                progress=progress,
                now=_now(),
            )
    return report_import(summary)


@register.command()
def status() -> None:
    """Tell the register's edition and age, and how many organisations have which status."""
    typer.echo(_run(_status(_settings())))


async def _status(settings: Settings) -> str:
    from api.sirene.report import report_register
    from models.database.connections import database
    from models.sirene.tables import RegisterEdition

    async with database(settings.database_url.get_secret_value()):
        return report_register(await RegisterEdition.current(), now=_now())


@cli.command()
def export_schema(
    output: Annotated[Path | None, typer.Option(help="File to write; standard output if left out.")] = None,
) -> None:
    """Print the contract, as SDL."""
    from api.app import sdl

    if output is None:
        sys.stdout.write(sdl())
        return
    try:
        output.write_text(sdl(), encoding="utf-8")
    except OSError as exc:
        _fail(f"{output} can't be written: {exc.strerror}")


@cli.command()
def purge() -> None:
    """Delete what has outlived its purpose: see the README."""
    counts = _run(_purge(_settings()))
    typer.echo(", ".join(f"{count} {what}" for what, count in counts.items()) + " deleted")


async def _purge(settings: Settings) -> dict[str, int]:
    from models.database.connections import database
    from models.retention import purge

    async with database(settings.database_url.get_secret_value()):
        return await purge(now=_now())


def _cancel(task: asyncio.Task[object] | None) -> None:
    """Break off *task*, once: what it does then to end well is not broken off by another signal."""
    if task is not None and not task.cancelling():
        task.cancel()


def _now() -> datetime:
    return datetime.now(UTC)


def _settings(*, workers: int = 1) -> Settings:
    """The settings, or one line for each that is wrong and exit code 2.

    What this process and its children write from here on is for their user alone.
    """
    from api.logs import configure_logging
    from api.settings.environment import SettingsError, load_settings, open_files, unknown_settings
    from api.settings.production import risky_settings

    os.umask(OWNER_ONLY)
    configure_logging()
    try:
        settings = load_settings(workers=workers)
    except SettingsError as exc:
        _refuse(exc.lines)
    for name in unknown_settings():
        logging.getLogger(__name__).warning("%s is no setting: it is ignored", name)
    for warning in (*risky_settings(settings), *open_files(settings)):
        logging.getLogger(__name__).warning("%s", warning)
    return settings


def _run(work: Coroutine[Any, Any, T]) -> T:
    """What *work* comes to; a database that fails is one line and exit code 1, and so is an interrupt."""
    from models.database.connections import DATABASE_FAILURES, lacks_migrations

    try:
        return asyncio.run(work)
    except (KeyboardInterrupt, asyncio.CancelledError):
        _fail("Interrupted")
    except DATABASE_FAILURES as exc:
        reason = f"{type(exc).__name__}: {exc}".partition("\n")[0]
        remedy = ". `guichet migrate` gives it the newest schema" if lacks_migrations(exc) else ""
        _fail(f"The database can't be used: {reason}{remedy}")


def _refuse(lines: list[str]) -> NoReturn:
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(BAD_USAGE)


def _fail(line: str) -> NoReturn:
    typer.echo(line, err=True)
    raise typer.Exit(FAILED)


if __name__ == "__main__":
    main()
