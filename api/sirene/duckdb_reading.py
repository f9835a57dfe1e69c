"""DuckDB as the reader of a file: how a path is written in SQL, and which of its failures are the file's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class SireneFileError(Exception):
    """A file can't be read as INSEE's. The message is one line, which names the file."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")


def literal(text: object) -> str:
    """Return *text* as a literal of SQL."""
    return "'" + str(text).replace("'", "''") + "'"


def failure_of(path: Path, exc: Exception, problem_of: Callable[[Exception], str]) -> Exception:
    """Return *exc* as a failure of the file, unless it is an interruption or a failure of DuckDB's scratch space."""
    elsewhere = isinstance(exc, duckdb.OperationalError) and path.name not in str(exc)
    if elsewhere or isinstance(exc, duckdb.InterruptException):
        return exc
    return SireneFileError(path, problem_of(exc))


def first_line(exc: Exception) -> str:
    """Return the first line of DuckDB's message, without the error class at its beginning."""
    first = "".join(filter(str.isprintable, str(exc).partition("\n")[0])).rstrip(": ")
    return first.partition("Error: ")[2] or first
