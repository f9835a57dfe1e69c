"""The replacement of the register: a new copy is made beside the old one, and takes its place in one step."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from models.database.connections import connection
from models.database.sqlite import ImmediateSqliteClient
from models.sirene.on_postgres import PostgresReplacement
from models.sirene.on_sqlite import SqliteReplacement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from models.sirene.rows import Rows
    from models.sirene.tables import RegisterEdition


class Replacement(Protocol):
    """A new copy in the making. Readers see the old one until `publish` has ended, and then the new one."""

    async def add(self, rows: Rows) -> None:
        """Add *rows* to the new copy. SIRETs ascend from call to call too, and none comes twice."""

    async def complete(self) -> None:
        """Make the index and the statistics of what was added."""

    async def publish(self, edition: RegisterEdition) -> None:
        """Put the new copy and its *edition* in the place of the old ones, in one transaction.

        :raises RegisterInUseError: readers held the old copy for too long.
        """

    async def clear(self) -> None:
        """Remove the old copy. If this is not done, the next replacement begins with it."""


@asynccontextmanager
async def replacement() -> AsyncIterator[Replacement]:
    """Yield a new, empty copy. Remove first what a killed process has left behind.

    A failure, or an end without `publish`, changes nothing for readers.

    :raises ReplacementUnderWayError: another process is replacing the register.
    :raises RegisterFixedError: the database does not let the table be replaced.
    """
    client = connection()
    if isinstance(client, ImmediateSqliteClient):
        async with SqliteReplacement.locked(client) as on_sqlite:
            yield on_sqlite
    else:
        async with PostgresReplacement.locked(client) as on_postgres:
            yield on_postgres
