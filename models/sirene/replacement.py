"""How a new copy of the register is made beside the old one, and takes its place in one step."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from models.database.sqlite import ImmediateSqliteClient
from models.sirene.on_postgres import PostgresReplacement
from models.sirene.on_sqlite import SqliteReplacement
from models.sirene.tables import RegisterEntry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from models.sirene.rows import Rows
    from models.sirene.tables import RegisterEdition


class Replacement(Protocol):
    """A new copy on its way. Until `publish` has ended, readers see the old one, and after it the new one."""

    async def add(self, rows: Rows) -> None:
        """Take *rows* into the new copy: by ascending SIRET from call to call too, each SIRET once."""

    async def complete(self) -> None:
        """Make ready what was added: its index and its statistics."""

    async def publish(self, edition: RegisterEdition) -> None:
        """Put the new copy in the place of the old one, with its *edition*, in one transaction.

        :raises RegisterInUseError: readers kept the old one for too long.
        """

    async def clear(self) -> None:
        """Remove what was replaced; where this is not done, the next replacement begins with it."""


@asynccontextmanager
async def replacement() -> AsyncIterator[Replacement]:
    """A new, empty copy; what an earlier one has left behind is removed first.

    A failure, or an end without `publish`, changes nothing for readers. What a killed process leaves is removed by
    the next call.

    :raises ReplacementUnderWayError: another process is replacing the register.
    :raises RegisterFixedError: the database does not let the table be replaced.
    """
    client = RegisterEntry._meta.db
    if isinstance(client, ImmediateSqliteClient):
        async with SqliteReplacement.locked(client) as on_sqlite:
            yield on_sqlite
    else:
        async with PostgresReplacement.locked(client) as on_postgres:
            yield on_postgres
