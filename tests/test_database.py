"""Connections that fail, hang or are interrupted: the service continues, and no transaction stays open."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import certifi
import pytest
from tortoise.connection import get_connections
from tortoise.exceptions import OperationalError
from tortoise.transactions import in_transaction

from models.database.url import POSTGRES_DEFAULTS, DatabaseUrlError, parse_database_url
from models.outbox import MessageKind, OutboxMessage
from models.readiness import is_ready
from tests.support.clusters import execute
from tests.support.databases import migrate_database, open_database, postgres_only, sqlite_only
from tests.support.doubles import Clock

pytestmark = pytest.mark.anyio


async def promise(clock: Clock) -> None:
    async with in_transaction():
        await OutboxMessage.enqueue(MessageKind.RESEND, "a@exemple.fr", language="fr", now=clock.now)


async def test_failed_begin_costs_no_connection(stored: None, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed BEGINs cost no connection: the next transaction begins."""
    (connection,) = get_connections().all()
    transaction = type(connection._in_transaction())

    async def fail(self: object) -> None:
        raise OperationalError("away")

    assert transaction.__module__ in {"models.database.sqlite", "models.database.postgres"}
    with monkeypatch.context() as away:
        for wrapper in (
            "models.database.sqlite.ImmediateTransactionWrapper",
            "models.database.postgres.PostgresTransaction",
        ):
            away.setattr(f"{wrapper}.begin", fail)
        for _ in range(POSTGRES_DEFAULTS["maxsize"] + 1):
            with pytest.raises(OperationalError):
                await promise(clock)
    async with asyncio.timeout(10):
        await promise(clock)
    assert await OutboxMessage.all().count() == 1


@postgres_only
async def test_connections_that_the_server_ends_are_replaced(stored: None, clock: Clock) -> None:
    """Connections that the server ends are replaced by new ones."""
    await promise(clock)
    (connection,) = get_connections().all()
    with pytest.raises(Exception, match=r"terminating|closed"):
        await connection.execute_query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IS NOT NULL"
        )
    async with asyncio.timeout(10):
        await promise(clock)
    assert await OutboxMessage.all().count() == 2


@sqlite_only
async def test_cancelled_begin_leaves_no_transaction(stored: None, clock: Clock, database_url: str) -> None:
    """Writes after a cancelled BEGIN are committed, and belong to no abandoned transaction."""
    await promise(clock)
    file = database_url.removeprefix("sqlite://")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(promise(clock))
    while not get_connections().all()[0]._lock.locked():  # type: ignore[attr-defined]  # noqa: ASYNC110
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    other.execute("ROLLBACK")
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await promise(clock)
    assert other.execute("SELECT count(*) FROM outbox_message").fetchone() == (2,)
    other.close()


async def test_service_becomes_ready_with_a_late_database(tmp_path: Path) -> None:
    """A service that starts before its database becomes ready together with the database."""
    url = f"sqlite://{tmp_path / 'not-there-yet' / 'guichet.db'}"
    async with open_database(url):
        assert not await is_ready()
        assert not await is_ready()
    await migrate_database(url)
    async with open_database(url):
        assert await is_ready()


async def test_silent_server_is_not_ready_in_time() -> None:
    """A server that accepts connections and stays silent is found not to be ready in time."""
    released = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with open_database(f"postgres://guichet@127.0.0.1:{port}/guichet?sslmode=disable"):
        async with asyncio.timeout(5):
            assert not await is_ready(within=0.2)
    released.set()
    server.close()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://u:secret@h/x", "must begin with"),
        ("postgres://u:SECRET\uff0fPW@127.0.0.1/x", "can't be read"),
        ("postgres://u:secret/x@h/x", "can't be read"),
        ("postgres://u:secret@h:port/x", "can't be read"),
        ("postgres://u:secret@h/x?foo=secret", "another option"),
        ("postgres://u:secret@h/x?maxsize=secret", "needs a number"),
        ("postgres://u:secret@h/x?target_session_attrs=secret", "needs one of any, primary, read-write"),
        ("postgres://u:secret@h/x?sslmode=secret", "needs one of allow, disable"),
        ("postgres://u:secret@h/x?sslrootcert=/secret.crt", "needs a readable file of certificates as sslrootcert"),
        ("postgres://u:secret@h/x?sslrootcert=/tmp", "needs a readable file of certificates as sslrootcert"),
        (f"postgres://u:secret@h/x?sslrootcert={__file__}", "needs a readable file of certificates as sslrootcert"),
        ("postgres://u:secret@h1,h2:port/x", "can't be read"),
        ("postgres://u%FF:secret@h/x", "can't be read"),
    ],
)
def test_wrong_url_is_refused_without_being_quoted(url: str, problem: str) -> None:
    """The message names the problem of a URL, and not its password."""
    with pytest.raises(DatabaseUrlError, match=problem) as refused:
        parse_database_url(url)
    assert "secret" not in str(refused.value).lower()


def test_options_of_the_url_reach_the_pool() -> None:
    """Options have their types, `sslmode` is known, and a folder of sockets is a host."""
    (connection,) = (
        parse_database_url("postgresql://u@/x?sslmode=require&maxsize=7&host=/run/pg").config["connections"].values()
    )
    assert {"ssl": "require", "maxsize": 7, "host": "/run/pg", "command_timeout": 30.0}.items() <= connection[
        "credentials"
    ].items()


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("postgres://svc%40portail:p%2F%40ss@h/data%20base", {"user": "svc@portail", "password": "p/@ss"}),
        ("postgres://u@h/data%20base", {"user": "u", "password": None, "database": "data base"}),
        ("postgres://u@h1:5433,h2,[::1]:5434/d", {"hosts": [("h1", 5433), ("h2", 5432), ("::1", 5434)]}),
        ("postgres://u@%2Frun%2Fpg:5433/d", {"hosts": [("/run/pg", 5433)], "host": "/run/pg"}),
        ("postgres://u@/d?host=/run/a,/run/b&port=5433", {"hosts": [("/run/a", 5433), ("/run/b", 5433)]}),
        ("postgres://u@h1,h2/d?target_session_attrs=read-write", {"target_session_attrs": "read-write"}),
        (f"postgres://u@h/d?sslrootcert={certifi.where()}", {"sslrootcert": certifi.where()}),
        ("postgresql:///d", {"user": None, "hosts": [(None, 5432)], "database": "d"}),
    ],
)
def test_url_is_read_as_libpq_reads_it(url: str, read: dict[str, object]) -> None:
    """Each part is decoded, and each host has its port."""
    (connection,) = parse_database_url(url).config["connections"].values()
    assert read.items() <= connection["credentials"].items()


async def test_user_name_may_have_an_at_sign(postgres: str) -> None:
    """A role with an @ in its name can sign in."""
    await execute(postgres, 'CREATE ROLE "svc@portail" SUPERUSER LOGIN')
    try:
        async with open_database(postgres.replace("postgres:@", "svc%40portail@")):
            (row,) = await get_connections().all()[0].execute_query_dict("SELECT current_user::text AS name")
            assert row == {"name": "svc@portail"}
    finally:
        await execute(postgres, 'DROP ROLE "svc@portail"')
