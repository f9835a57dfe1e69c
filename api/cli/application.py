"""The command line: one line for each command, whose code is in the file of its group.

Commands import the rooms that they need when they run: `--help` is quick, and child processes, which import the main
module again, stay small.
"""

from __future__ import annotations

import typer

from api.cli import contract, database, mail, register, serving

cli = typer.Typer(
    name="guichet",
    help="The sign-up counter of a business portal. Its settings, GUICHET_… in the environment: see docs/operating.md.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
register_cli = typer.Typer(no_args_is_help=True)

cli.command()(serving.serve)
cli.command()(database.migrate)
cli.command()(mail.deliver_mail)
cli.command()(register.import_sirene)
cli.command()(contract.export_schema)
cli.command()(database.purge)
cli.add_typer(register_cli, name="register", help="The copy of the national register.")
register_cli.command()(register.status)


def main() -> None:
    """Run the command that the arguments name."""
    cli()
