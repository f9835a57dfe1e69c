"""Rows for a replacement of the register, and the reasons for which it may be refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = ("siret", "name", "status", "postal_code", "city")
NULL = r"\N"
INCOMING = "register_entry_incoming"


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of `RegisterEntry`, by ascending SIRET.

    *text* is in the text format of PostgreSQL's COPY, without a last line feed: a line for each row, its `COLUMNS`
    separated by tabs, `\\N` for null, a backslash written twice. No value has a control character.
    """

    text: str

    def __iter__(self) -> Iterator[tuple[str | None, ...]]:
        """Yield the rows as tuples."""
        for line in self.text.split("\n") if self.text else ():
            yield tuple(None if value == NULL else value.replace("\\\\", "\\") for value in line.split("\t"))


class ReplacementUnderWayError(Exception):
    """Another process is replacing the register."""

    def __init__(self) -> None:
        super().__init__("Another import is under way")


class RegisterInUseError(Exception):
    """Readers have held the register for too long for it to be replaced."""

    def __init__(self) -> None:
        super().__init__("A backup or a vacuum, perhaps, has been reading the register for too long: try again later")


class PooledConnectionError(Exception):
    """A pooler, which doesn't keep a session together, stands between this process and the server."""

    def __init__(self) -> None:
        super().__init__(
            "An import needs the server itself, not a pooler as PgBouncer: name it in GUICHET_DATABASE_URL"
        )


class RegisterFixedError(Exception):
    """The database doesn't let the register's table be replaced."""

    def __init__(self, obstacle: str) -> None:
        super().__init__(f"The table register_entry can't be replaced: {obstacle}")
