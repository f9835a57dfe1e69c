"""PgBouncer in transaction mode, and databases with their own defaults, need no setting."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tortoise.connection import get_connections

from tests.support.client import Portal
from tests.support.clusters import PGBOUNCER, database_at, execute, pooler
from tests.support.databases import migrate_database, open_database
from tests.support.program import Guichet
from tests.support.sirene_files import establishment, legal_unit, sirene_files
from tests.support.sirene_imports import options

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed"),
]

SERIALIZABLE = "ALTER DATABASE {} SET default_transaction_isolation = 'serializable'"
ODD = (
    "ALTER DATABASE {} SET timezone = 'Pacific/Kiritimati'",
    "ALTER DATABASE {} SET datestyle = 'SQL, DMY'",
    "ALTER DATABASE {} SET standard_conforming_strings = off",
    "ALTER DATABASE {} SET bytea_output = 'escape'",
)


@pytest.fixture(scope="module")
def direct(postgres: str) -> str:
    """The URL of the server itself."""
    return postgres


@pytest.fixture(scope="module")
def pooled(postgres: str) -> Iterator[str]:
    """The URL of the same server through a pooler."""
    with pooler(postgres) as url:
        yield url


@pytest.fixture(params=["pooled"])
def database_url(request: pytest.FixtureRequest, postgres: str, defaults: tuple[str, ...]) -> Iterator[str]:
    """A new database with *defaults*, through the pooler unless the test asks for the server itself."""
    url: str = request.getfixturevalue(request.param)
    statements = ["CREATE DATABASE pooled", *(statement.format("pooled") for statement in defaults)]
    asyncio.run(execute(postgres, *statements))
    asyncio.run(migrate_database(database_at(url, "pooled")))
    yield database_at(url, "pooled")
    asyncio.run(execute(postgres, "DROP DATABASE pooled WITH (FORCE)"))


@pytest.fixture
def defaults() -> tuple[str, ...]:
    return ()


async def test_many_requests_share_a_few_connections(portal: Portal) -> None:
    """A hundred look-ups and 25 forms at once are all answered, on five connections of the pooler."""
    answers = await asyncio.gather(
        *(portal.find_organisation(f"X-{number}", "AUTRE") for number in range(100)),
        *(portal.create_account(email=f"camille{number}@exemple.fr") for number in range(25)),
    )
    names = [answer["__typename"] for answer in answers]
    assert names == ["OrganisationNotFound"] * 100 + ["PendingRegistration"] * 25


@pytest.mark.parametrize("defaults", [(SERIALIZABLE,), ODD], ids=["serializable", "odd"])
@pytest.mark.parametrize("database_url", ["direct", "pooled"], indirect=True)
async def test_defaults_of_a_database_do_no_harm(portal: Portal, defaults: tuple[str, ...]) -> None:
    """25 captchas answered at once all pass, and an account can be made, with any defaults of the database."""
    started = []
    for number in range(25):
        registration = await portal.create_account(email=f"camille{number}@exemple.fr")
        started.append((registration["id"], portal.captcha.answer))
    answers = await asyncio.gather(*(portal.verify_captcha(id_, answer) for id_, answer in started))
    assert {answer["__typename"] for answer in answers} == {"ActivationMailSent"}
    await portal.deliver()
    assert (await portal.account(email="dominique@exemple.fr"))["email"] == "dominique@exemple.fr"


async def test_simultaneous_migrations_leave_no_lock(tmp_path: Path, postgres: str, pooled: str) -> None:
    """Six migrations at once, through a pooler of three connections, all succeed and leave no lock."""
    await execute(postgres, "CREATE DATABASE fresh_pool")
    try:
        with pooler(postgres, size=3) as url:
            guichet = Guichet(tmp_path, DATABASE_URL=database_at(url, "fresh_pool"))
            for together in (6, 1):
                for done in await asyncio.to_thread(guichet.run_together, *[["migrate"]] * together):
                    assert (done.code, done.out) == (0, "The database has the newest schema.\n"), done.err
            locks = await execute(postgres, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            assert locks[0][0] == 0
    finally:
        await execute(postgres, "DROP DATABASE fresh_pool WITH (FORCE)")


async def test_import_through_a_pooler_is_refused(tmp_path: Path, database_url: str) -> None:
    """An import, which needs a session, is refused in one line that names the remedy."""
    guichet = Guichet(tmp_path, DATABASE_URL=database_url)
    files = options(sirene_files(tmp_path, [establishment()], [legal_unit()]))
    done = await asyncio.to_thread(guichet.run, "import-sirene", *files)
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith("The register stays as it was. An import needs the server itself")


async def test_named_statements_can_be_enabled_by_the_url(pooled: str) -> None:
    """The URL can turn on named statements for a pooler that knows them; by default they are off."""
    for option, most in (("", 0), ("?statement_cache_size=7", 7)):
        async with open_database(pooled + option), get_connections().all()[0].acquire_connection() as connection:
            assert (connection.is_pooled, connection._stmt_cache.get_max_size()) == (True, most)
