"""Readiness: the service is ready if it can store a sign-up, not if it can only read or its disk is full."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from api.app import build_app
from api.http.health import SharedProbe
from api.settings.environment import Settings
from models.database.url import parse_database_url
from models.outbox import OutboxMessage
from models.readiness import ROOM_BYTES, is_ready
from tests.support.client import client_of
from tests.support.clusters import USER, Cluster, database_at, execute, own_folder, primary_and_standby, run
from tests.support.databases import migrate_database, open_database
from tests.support.ports import free_port
from tests.support.program import READY_SECONDS, Guichet, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio


# --- Standbys ---


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Cluster, Cluster]]:
    """A primary with the newest schema, and its hot standby."""
    with primary_and_standby() as (primary, standby):
        asyncio.run(migrate_database(primary.url))
        asyncio.run(_wait_for_replay(primary, standby))
        yield primary, standby


async def _wait_for_replay(primary: Cluster, standby: Cluster) -> None:
    (written,) = await execute(primary.url, "SELECT pg_current_wal_lsn()::text")
    replayed = f"SELECT pg_last_wal_replay_lsn() >= '{written[0]}'"
    async with asyncio.timeout(READY_SECONDS):
        while not (await execute(standby.url, replayed))[0][0]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_standby_is_not_ready(servers: tuple[Cluster, Cluster]) -> None:
    """A hot standby, which answers queries and takes no writes, is not ready; its primary is."""
    for server, status in zip(servers, (200, 503), strict=True):
        app = build_app(Settings(database_url=parse_database_url(server.url), relay="off"))
        async with app.router.lifespan_context(app), client_of(app) as client:
            assert (await client.get("/health/ready")).status_code == status


@pytest.mark.parametrize("option", ["", "?target_session_attrs=primary", "?target_session_attrs=read-write"])
async def test_primary_is_found_among_several_hosts(servers: tuple[Cluster, Cluster], option: str) -> None:
    """The primary is found behind a silent host, one that refuses, and a standby."""
    primary, standby = servers

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    released = asyncio.Event()
    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    ports = [silent.sockets[0].getsockname()[1], free_port(), standby.port, primary.port]
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    async with open_database(f"postgres://postgres@{hosts}/postgres{option}"):
        assert await is_ready(within=READY_SECONDS)
    released.set()
    silent.close()


async def test_any_accepts_a_standby(servers: tuple[Cluster, Cluster]) -> None:
    """`any` takes the first host that answers, even a standby."""
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in reversed(servers))
    async with open_database(f"postgres://postgres@{hosts}/postgres?target_session_attrs=any"):
        assert not await is_ready()


async def test_switchover_is_followed() -> None:
    """A pool whose server takes no more writes finds the new primary, without a restart."""
    with primary_and_standby() as (primary, standby):
        await migrate_database(primary.url)
        await _wait_for_replay(primary, standby)
        hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
        async with open_database(f"postgres://postgres@{hosts}/postgres"):
            assert await is_ready()
            run("pg_ctl", "-w", "-m", "fast", "-D", str(primary.data), "stop")
            (primary.data / "standby.signal").touch()
            primary.start()  # It is back as a standby: it accepts connections, but no writes.
            standby.promote()
            async with asyncio.timeout(READY_SECONDS):
                while not await is_ready():  # noqa: ASYNC110  # Only the service knows.
                    await asyncio.sleep(0.05)


async def test_pool_reconnects_after_a_read_only_refusal(postgres: str) -> None:
    """After a write that is refused as read-only, the pool opens new connections."""
    await execute(postgres, "CREATE DATABASE switched")
    url = database_at(postgres, "switched")
    try:
        await migrate_database(url)
        await execute(postgres, "ALTER DATABASE switched SET default_transaction_read_only = on")
        async with open_database(url):
            assert not await is_ready()
            await execute(postgres, "ALTER DATABASE switched RESET default_transaction_read_only")
            async with asyncio.timeout(READY_SECONDS):
                while not await is_ready():  # noqa: ASYNC110  # Only the service knows.
                    await asyncio.sleep(0.05)
    finally:
        await execute(postgres, "DROP DATABASE switched WITH (FORCE)")


# --- Disks ---


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """Give a file system of its own, which can be filled."""
    with own_folder() as folder:
        options = f"size={megabytes}m" + (f",uid={USER}" if USER else "")
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)  # noqa: S603, S607
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)  # noqa: S603, S607


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Fill the file system of *folder* to the last byte during the block."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(65536)):
                pass
        except OSError:
            yield
    filler.unlink()


needs_mount = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


@needs_mount
async def test_postgres_with_a_full_disk_is_not_ready(postgres: str) -> None:
    """A PostgreSQL with a full disk is not ready, though its tables have room left; it is when there is room."""
    with small_disk(32) as disk:
        await execute(
            postgres, f"CREATE TABLESPACE small LOCATION '{disk}'", "CREATE DATABASE small_disk TABLESPACE small"
        )
        url = database_at(postgres, "small_disk")
        try:
            await migrate_database(url)
            async with open_database(url):
                assert await is_ready()
                with full(disk):
                    assert not await is_ready()
                assert await is_ready()
        finally:
            await execute(postgres, "DROP DATABASE small_disk WITH (FORCE)", "DROP TABLESPACE small")


@needs_mount
async def test_sqlite_on_a_full_disk_is_not_ready() -> None:
    """An SQLite file on a full disk is not ready."""
    with small_disk(4) as disk:
        url = f"sqlite://{disk / 'guichet.db'}"
        await migrate_database(url)
        async with open_database(url):
            assert await is_ready()
            with full(disk):
                assert not await is_ready()
            assert await is_ready()


def test_process_that_may_not_write_is_not_ready(tmp_path: Path) -> None:
    """A process that may not write a file of its database's size is not ready, and stays alive."""
    guichet = Guichet(tmp_path, RELAY="off")
    assert guichet.run("migrate").code == 0
    with guichet.serving() as server:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (ROOM_BYTES // 2, ROOM_BYTES // 2))
        _ask_until(server, "/health/ready", 503)
        assert httpx.get(f"{server.url}/health/live").status_code == 200


def _ask_until(server: Server, path: str, status: int) -> None:
    """Ask until the answer has *status*, because a result is shared for a second."""
    for _ in range(100):
        if httpx.get(f"{server.url}{path}", timeout=READY_SECONDS).status_code == status:
            return
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.1)
    pytest.fail(f"{path} never answered {status}")


async def test_read_only_sqlite_is_not_ready(tmp_path: Path) -> None:
    """An SQLite file that can only be read is not ready."""
    url = f"sqlite://{tmp_path / 'guichet.db'}"
    await migrate_database(url)
    async with open_database(f"{url}?query_only=1"):
        assert not await is_ready()
    async with open_database(url):
        assert await is_ready()


async def test_probe_leaves_no_row(stored: None, database_url: str) -> None:
    """A successful probe leaves no row behind."""
    assert await is_ready()
    assert await OutboxMessage.all().count() == 0


# --- Probes ---


async def test_callers_within_a_second_share_one_probe() -> None:
    """All callers within a second share one probe, which continues when one of them leaves."""
    began: list[float] = []
    released = asyncio.Event()
    now = 100.0

    async def succeed() -> bool:
        began.append(now)
        await released.wait()
        return True

    probe = SharedProbe(succeed, clock=lambda: now)
    impatient, *patient = [asyncio.create_task(probe.passes()) for _ in range(100)]
    await asyncio.sleep(0)
    impatient.cancel()
    released.set()
    assert await asyncio.gather(*patient) == [True] * 99
    now = 100.9
    assert await probe.passes()
    assert began == [100.0]
    now = 101.0
    assert await probe.passes()
    assert began == [100.0, 101.0]


async def test_failing_probe_means_not_ready(caplog: pytest.LogCaptureFixture) -> None:
    """A probe that raises means not ready, and the log has the place."""

    async def fail() -> bool:
        raise RuntimeError

    assert not await SharedProbe(fail).passes()
    assert "RuntimeError" in caplog.text


# --- Databases that go away ---


async def test_database_that_goes_down_logs_no_traceback(postgres: str, caplog: pytest.LogCaptureFixture) -> None:
    """A pool whose connections are cut opens none until a query comes, and logs nothing by itself."""
    await execute(postgres, "CREATE DATABASE passing")
    url = database_at(postgres, "passing")
    await migrate_database(url)
    async with open_database(url):
        assert await is_ready()
        await execute(postgres, "DROP DATABASE passing WITH (FORCE)")
        for _ in range(3):
            assert not await is_ready()
    assert [record.name for record in caplog.records if record.name.startswith("asyncpg")] == []


# --- Encodings ---


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_database_that_is_not_in_utf8_is_refused(tmp_path: Path, postgres: str, encoding: str) -> None:
    """`migrate` and `serve` refuse a database that can't store all names: one line, its remedy, exit code 1."""
    create = f"CREATE DATABASE narrow ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
    await execute(postgres, create)
    try:
        guichet = Guichet(tmp_path, DATABASE_URL=database_at(postgres, "narrow"))
        for done in await asyncio.to_thread(guichet.run_together, ["migrate"], ["serve", "--port", str(free_port())]):
            (line,) = done.err.splitlines()
            assert done.code == 1
            assert encoding in line
            assert "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0" in line
        async with open_database(database_at(postgres, "narrow")):
            assert not await is_ready()
    finally:
        await execute(postgres, "DROP DATABASE narrow WITH (FORCE)")
