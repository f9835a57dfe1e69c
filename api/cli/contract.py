"""`guichet export-schema`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli.running import fail


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
        fail(f"{output} can't be written: {exc.strerror}")
