"""`guichet serve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.running import read_settings, refuse, run

if TYPE_CHECKING:
    from api.server.listening import Address

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000


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
    settings = read_settings(workers=workers)
    address = _choose_address(host, port, unix_socket)
    if not settings.in_production and not address.is_local and not expose_development:
        refuse([f"--host {host}: development serves loopback only, unless --expose-development is given"])
    from api.server import processes
    from models.database.connections import check_encoding

    run(check_encoding(settings.database_url))
    processes.run(settings, address=address, workers=workers)


def _choose_address(host: str | None, port: int | None, unix_socket: Path | None) -> Address:
    from api.server.listening import TcpAddress, UnixAddress

    if unix_socket is None:
        return TcpAddress(host or DEFAULT_HOST, DEFAULT_PORT if port is None else port)
    if host is not None or port is not None:
        refuse(["--unix-socket: give this, or --host and --port, not both"])
    return UnixAddress(unix_socket)
