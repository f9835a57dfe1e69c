"""A server in another process that listens on a Unix socket."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.program import END_SECONDS, READY_SECONDS, Guichet, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def serving_at(guichet: Guichet, path: Path, *arguments: str) -> Iterator[Server]:
    """Run a server that is ready at *path*; it and its workers end after the block."""
    log_file = guichet.folder / "unix-server.log"
    with log_file.open("w") as log:
        process = guichet.start("serve", "--unix-socket", str(path), *arguments, log=log.fileno())
    server = Server(process, 0, log_file)
    try:
        _wait_until_ready(server, path)
        yield server
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(END_SECONDS)
        _wait_until_gone(path)


def client_at(path: Path) -> httpx.Client:
    """Return a client that connects to *path* for any host."""
    return httpx.Client(
        transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost", timeout=READY_SECONDS
    )


def _wait_until_ready(server: Server, path: Path) -> None:
    """Wait until the server listens and check that it is ready."""
    deadline = time.monotonic() + READY_SECONDS
    while not _listens(path):
        if time.monotonic() > deadline or server.process.poll() is not None:
            pytest.fail(f"the server is not ready: {server.log}")
        time.sleep(0.02)
    with client_at(path) as client:
        assert client.get("/health/ready").status_code == 200


def _wait_until_gone(path: Path) -> None:
    """Wait for the workers, which also listen and may end later than their parent."""
    deadline = time.monotonic() + END_SECONDS
    while _listens(path):
        if time.monotonic() > deadline:
            pytest.fail(f"somebody still listens on {path}")
        time.sleep(0.02)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
