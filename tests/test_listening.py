"""Addresses of the server: all addresses of both families, or a Unix socket."""

from __future__ import annotations

import json
import shutil
import socket
import stat
from pathlib import Path

import httpx
import pytest

from tests.support.program import Guichet
from tests.support.unix_server import client_at, serving_at

QUERY = '{ organisation(identifier: {type: AUTRE, value: "X"}) { __typename } }'
GIVEN = {"X-Request-Id": "given-by-a-proxy"}


@pytest.fixture
def guichet(tmp_path: Path, empty_sqlite: Path) -> Guichet:
    """The program, with an empty database."""
    shutil.copy(empty_sqlite, tmp_path / "guichet.db")
    return Guichet(tmp_path, DATABASE_URL=f"sqlite://{tmp_path / 'guichet.db'}", RELAY="off")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ipv4_and_ipv6_are_served_at_one_address(guichet: Guichet, workers: str) -> None:
    """At `::`, clients can use IPv4 and IPv6, and a proxy over IPv4 is recognised."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("IPv6 is not available")
    guichet.set(TRUSTED_PROXIES="127.0.0.1")
    with guichet.serving("--host", "::", "--expose-development", "--workers", workers) as server:
        port = httpx.URL(server.url).port
        over_ipv4 = httpx.get(f"http://127.0.0.1:{port}/health/live", headers=GIVEN)
        over_ipv6 = httpx.get(f"http://[::1]:{port}/health/live", headers=GIVEN)
    assert over_ipv4.headers["x-request-id"] == GIVEN["X-Request-Id"]
    assert over_ipv6.status_code == 200
    assert over_ipv6.headers["x-request-id"] != GIVEN["X-Request-Id"]


@pytest.mark.parametrize(("trusted", "is_trusted"), [("unix", True), ("127.0.0.1,::1", False)])
def test_unix_socket_is_a_trusted_proxy_only_if_configured(guichet: Guichet, trusted: str, is_trusted: bool) -> None:
    """A peer on the Unix socket may name clients and requests only if `unix` is a trusted proxy."""
    guichet.set(TRUSTED_PROXIES=trusted, RATE_LIMITS="organisation=1/hour")
    path = guichet.folder / "guichet.sock"
    with serving_at(guichet, path) as server, client_at(path) as client:
        for address in ("192.0.2.1", "192.0.2.2"):
            answer = client.post("/graphql", json={"query": QUERY}, headers=GIVEN | {"X-Forwarded-For": address})
            assert (answer.headers["x-request-id"] == GIVEN["X-Request-Id"]) is is_trusted
        name = answer.json()["data"]["organisation"]["__typename"]
        assert (name == "OrganisationNotFound") is is_trusted, json.dumps(answer.json())
    assert ("TRUSTED_PROXIES does not name unix" in server.log) is not is_trusted


@pytest.mark.parametrize("workers", ["1", "2"])
def test_unix_socket_is_private_to_its_group_and_replaced(guichet: Guichet, workers: str) -> None:
    """Only the group can connect. The next server replaces the socket of a killed one."""
    path = guichet.folder / "guichet.sock"
    with serving_at(guichet, path, "--workers", workers):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        second = guichet.run("serve", "--unix-socket", str(path))
        assert second.code == 1
        assert f"another server listens on {path}" in second.err
        assert "Traceback" not in second.err
    assert path.exists()  # That server was killed.
    with serving_at(guichet, path, "--workers", workers) as server, client_at(path) as client:
        assert client.get("/health/live").status_code == 200
        server.process.terminate()
        assert server.process.wait(60) == 0
    assert not path.exists()


def test_server_removes_its_own_socket_only(guichet: Guichet) -> None:
    """A server that ends removes its own socket only."""
    path = guichet.folder / "guichet.sock"
    with serving_at(guichet, path) as server:
        path.unlink()
        with socket.socket(socket.AF_UNIX) as later:
            later.bind(str(path))
            server.process.terminate()
            assert server.process.wait(60) == 0
        assert path.exists()


def test_other_files_are_not_replaced(guichet: Guichet) -> None:
    """A file that is no socket is not replaced."""
    path = guichet.folder / "kept"
    path.write_text("mine")
    done = guichet.run("serve", "--unix-socket", str(path))
    assert (done.code, path.read_text()) == (1, "mine")
    assert "is no socket" in done.err


@pytest.mark.parametrize("more", [["--port", "8000"], ["--host", "127.0.0.1"]])
def test_unix_socket_and_address_exclude_each_other(guichet: Guichet, more: list[str]) -> None:
    """A server takes a Unix socket or an address, not both."""
    done = guichet.run("serve", "--unix-socket", "guichet.sock", *more)
    assert (done.code, done.out) == (2, "")
    assert done.err == "--unix-socket: give this, or --host and --port, not both\n"
