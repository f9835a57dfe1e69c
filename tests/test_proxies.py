"""The service behind common proxies with their defaults: no forged address, and no body read as a request."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.support.client import CREATE_ACCOUNT, form
from tests.support.program import Guichet, Server
from tests.support.proxies import CONFIGURATIONS, proxied
from tests.support.service import LOG_LINE
from tests.support.unix_server import serving_at

LIMIT = 4
SETTINGS = {"tcp": "127.0.0.1", "unix": "unix", "untrusted": "192.0.2.1"}
BEHIND = [*itertools.product(CONFIGURATIONS, ("tcp", "unix")), ("haproxy", "untrusted"), ("none", "tcp")]
LOOK_UP = json.dumps({"query": '{ organisation(identifier: {type: AUTRE, value: "X"}) { __typename } }'}).encode()
HEAD = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
OFFERS = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n",
    "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
}
JAVA = Path(__file__).parent / "Client.java"

_clients = (f"127.7.{number // 250}.{1 + number % 250}" for number in itertools.count())
"""Addresses that no other test has used."""


class Behind(NamedTuple):
    """A server, and the port of the proxy in front of it, or its own."""

    server: Server
    port: int
    proxy: str
    setting: str


@pytest.fixture(scope="module", params=BEHIND, ids="-".join)
def behind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path
) -> Iterator[Behind]:
    """A server with a low limit of look-ups, behind a proxy."""
    proxy, setting = request.param
    folder = tmp_path_factory.mktemp("proxy")
    shutil.copy(empty_sqlite, folder / "guichet.db")
    limits = f"organisation={LIMIT}/hour"
    guichet = Guichet(
        folder,
        DATABASE_URL=f"sqlite://{folder / 'guichet.db'}",
        RATE_LIMITS=limits,
        RELAY="off",
        TRUSTED_PROXIES=SETTINGS[setting],
    )
    with ExitStack() as stack:
        if setting == "unix":
            server = stack.enter_context(serving_at(guichet, folder / "guichet.sock"))
            upstream: int | Path = folder / "guichet.sock"
        else:  # A proxy that connects to `::` over IPv4 has an address written as IPv6.
            server = stack.enter_context(guichet.serving("--host", "::", "--expose-development"))
            upstream = urlsplit(server.url).port or 0
        port = upstream if proxy == "none" else stack.enter_context(proxied(proxy, folder, upstream))
        assert isinstance(port, int)
        yield Behind(server, port, proxy, setting)
    assert [line for line in server.log.splitlines() if not LOG_LINE.match(line)] == []


def connect(behind: Behind, client: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", behind.port), timeout=60, source_address=(client, 0))


def answer_to(connection: socket.socket) -> tuple[int, bytes]:
    response = HTTPResponse(connection)
    response.begin()
    return response.status, response.read()


def ask(behind: Behind, sent: bytes, client: str) -> tuple[int, bytes]:
    with connect(behind, client) as connection:
        connection.sendall(sent)
        return answer_to(connection)


def test_forged_address_does_not_avoid_the_limit(behind: Behind) -> None:
    """A client is counted by its own address, in spite of addresses that it sends in headers or after a body."""
    client, passed = next(_clients), 0
    for number in range(LIMIT + 4):
        forged = b"X-Forwarded-For: 198.51.100.%d\r\n" % number
        body = b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(LOOK_UP), LOOK_UP, forged)
        status, answer = ask(behind, HEAD + forged + b"Transfer-Encoding: chunked\r\n\r\n" + body, client)
        assert status == 200, answer
        passed += b"TooManyRequests" not in answer
    assert passed == LIMIT
    other = HEAD + b"Content-Length: %d\r\n\r\n" % len(LOOK_UP) + LOOK_UP
    is_counted_apart = b"TooManyRequests" not in ask(behind, other, next(_clients))[1]
    assert is_counted_apart == (behind.setting != "untrusted" or behind.proxy == "none")


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
def test_body_after_an_upgrade_offer_is_never_a_request(behind: Behind, offer: bytes) -> None:
    """A request in the body of another is never answered, neither to its sender nor to the next client."""
    for _ in range(5):
        with connect(behind, next(_clients)) as attacker, suppress(ConnectionError, HTTPException):
            attacker.sendall(HEAD + offer + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED))
            time.sleep(0.02)  # So that the proxy sends the head by itself; too short, it shows less, and fails never.
            attacker.sendall(SMUGGLED)
            assert answer_to(attacker)[0] == 400  # It is no JSON.
        for _ in range(4):
            assert ask(behind, LIVE + b"\r\n", next(_clients)) == (200, b'{"status":"live"}')
    assert "/smuggled" not in behind.server.log


def test_bytes_in_a_tunnel_are_never_a_request(behind: Behind) -> None:
    """Bytes sent into a tunnel are never answered as a request."""
    with connect(behind, next(_clients)) as attacker, suppress(ConnectionError):
        attacker.sendall(b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED)
        assert attacker.recv(1000).startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert ask(behind, LIVE + b"\r\n", next(_clients)) == (200, b'{"status":"live"}')


def test_people_sign_up_behind_each_proxy(behind: Behind) -> None:
    """People can sign up behind each proxy."""
    body = json.dumps({"query": CREATE_ACCOUNT, "variables": {"input": form()}}).encode()
    status, answer = ask(behind, HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body, next(_clients))
    assert (status, json.loads(answer)["data"]["createAccount"]["__typename"]) == (200, "PendingRegistration")


def test_refusal_of_a_large_body_reaches_its_sender(behind: Behind) -> None:
    """The refusal of a body that is too large reaches its sender while it still sends."""
    body = b" " * 300_000
    status, _ = ask(
        behind, HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body, next(_clients)
    )
    assert status == 413


def test_java_client_gets_its_answers(behind: Behind) -> None:
    """Java's own client, which offers h2c with each body, gets its answers."""
    java = shutil.which("java")
    if java is None:
        pytest.skip("java is not installed")
    done = subprocess.run(  # noqa: S603  # The system's own Java.
        [java, JAVA, f"http://127.0.0.1:{behind.port}/graphql"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.splitlines() == ['200 {"data":{"__typename":"Query"}}'] * 3, done.stderr
