"""`guichet deliver-mail`."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.running import FAILED, read_settings, run


def deliver_mail(
    once: Annotated[bool, typer.Option("--once", help="Deliver what is due, and end.")] = False,
) -> None:
    """Relay mails: until interrupted, or once."""
    from api.delivery import deliver

    outcomes = run(deliver(read_settings(), once=once))
    if once:
        typer.echo(", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "nothing is due")
    if outcomes["failed"] or outcomes["abandoned"]:
        raise typer.Exit(FAILED)
