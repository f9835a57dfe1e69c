"""Middleware: ids, safe headers, and an answer after any failure."""

from __future__ import annotations

import logging
import re
from contextvars import Context
from itertools import groupby

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from api.http.middleware import SAFE, RequestBoundary
from api.logs import configure_logging
from api.settings.environment import Environment, Settings
from api.settings.trusted_proxies import TrustedProxies
from tests.support.applications import build_cheap_app
from tests.support.client import FIND_ORGANISATION, SIRET, client_of
from tests.support.databases import sqlite_only

pytestmark = [pytest.mark.anyio, sqlite_only]

LOOK_UP = {"query": FIND_ORGANISATION, "variables": {"identifier": {"type": "SIRET", "value": SIRET}}}
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \S+ (INFO|ERROR) (-|[0-9a-f]{16}) ")
WORDS = "the password was Secret-42"
BEHIND_A_PROXY = {"trusted_proxies": "192.0.2.0/24"}


# --- Ids ---


async def test_every_answer_has_an_id_of_its_own(http: httpx.AsyncClient) -> None:
    """Every answer has the id under which its request is logged."""
    answers = [await http.get(path) for path in ("/", "/nowhere", "/health/live", "/graphql", "/graphql?query={")]
    answers += [await http.post("/graphql", json=LOOK_UP), await http.put("/graphql"), await http.head("/")]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == len(answers)
    assert all(re.fullmatch("[0-9a-f]{16}", request_id) for request_id in ids)


@pytest.mark.parametrize(
    "body",
    [
        {"query": "{"},
        {"query": "{ nothing }"},
        {},
        LOOK_UP | {"variables": {}},
        {"query": "query A { __typename }", "operationName": "B"},
    ],
)
async def test_every_error_names_its_request(http: httpx.AsyncClient, body: dict[str, object]) -> None:
    """The text of an error contains the id of its request."""
    answer = await http.post("/graphql", json=body)
    errors = answer.json()["errors"]
    assert {error["extensions"]["requestId"] for error in errors} == {answer.headers["x-request-id"]}


async def test_failure_names_its_request(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to an internal error contains the id of its request."""

    async def fail(_: object) -> None:
        raise RuntimeError(WORDS)

    monkeypatch.setattr("api.app.find_organisations", fail)
    async with client_of(build_cheap_app(settings)) as client:
        answer = await client.post("/graphql", json=LOOK_UP)
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert error["extensions"]["requestId"] == answer.headers["x-request-id"]


async def test_every_line_of_the_log_has_the_id(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line that a request logs has its id; lines outside of requests have none."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    configure_logging()
    Context().run(logging.getLogger("api.mail.relay").info, "on its own")  # In no request's context.

    async def fail(_: object) -> None:
        raise RuntimeError(WORDS)

    monkeypatch.setattr("api.app.find_organisations", fail)
    async with client_of(build_cheap_app(settings)) as client:
        first, second = [await client.post("/graphql", json=LOOK_UP) for _ in range(2)]
    root.handlers[0].flush()
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if not LOG_LINE.match(line)] == []
    for answer in (first, second):
        request_id = answer.headers["x-request-id"]
        mine = [line for line in lines if f" {request_id} api." in line]
        assert [level for level, _ in groupby(line.split()[2] for line in mine)] == ["ERROR", "INFO"]
        assert any("builtins.RuntimeError" in line for line in mine)
    assert next(line for line in lines if "on its own" in line).split()[2:4] == ["INFO", "-"]


@pytest.mark.parametrize(
    ("sent", "is_kept"),
    [
        ("0123456789abcdef", True),
        ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("short", False),
        ("with blanks in it", False),
        ("12345678\tforged", False),
        ("", False),
    ],
)
async def test_id_of_a_trusted_proxy_is_kept(settings: Settings, sent: str, is_kept: bool) -> None:
    """A well-formed id of a trusted proxy is kept; a stranger's never is."""
    for changes, address, trusted in (
        (BEHIND_A_PROXY, "192.0.2.1", True),
        (BEHIND_A_PROXY, "203.0.113.1", False),
        ({}, "192.0.2.1", False),
    ):
        async with client_of(build_cheap_app(settings.replace(**changes)), address) as client:
            answer = await client.get("/health/live", headers={"X-Request-Id": sent})
        assert (answer.headers["x-request-id"] == sent) is (is_kept and trusted)


async def test_unknown_paths_are_not_logged(http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    """Unknown paths of any length are not logged."""
    caplog.set_level(logging.INFO, "api.http.middleware")
    await http.get("/" + "x" * 10_000)
    assert "GET (unknown path) 404" in caplog.text
    assert "xx" not in caplog.text


# --- Headers ---


async def test_every_answer_has_security_headers(http: httpx.AsyncClient) -> None:
    """No answer of any origin can be run as a page, framed, or taken for another type."""
    answers = [
        await http.get(path)
        for path in ("/", "/nowhere", "/health/live", "/graphql", "/schema.graphql", "/graphiql/", "/mailbox/")
    ]
    answers += [
        await http.post("/graphql", json=LOOK_UP),
        await http.put("/graphql"),
        await http.delete("/health/live"),
    ]
    answers += [
        await http.post("/graphql", content=b" " * 100_000),
        await http.options(
            "/graphql", headers={"Origin": "https://x.example", "Access-Control-Request-Method": "POST"}
        ),
    ]
    for answer in answers:
        for name in SAFE:
            assert len(answer.headers.get_list(name)) == 1, (answer.url, name)
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["cache-control"] in {"no-store", "no-cache"}
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "strict-transport-security" not in answer.headers
        assert "server" not in answer.headers


async def test_production_requires_https(settings: Settings) -> None:
    """In production, browsers that came over HTTPS only return over HTTPS."""
    production = settings.replace(environment=Environment.PRODUCTION)
    async with client_of(build_cheap_app(production)) as client:
        for path in ("/", "/nowhere", "/graphql?query={__typename}"):
            assert (await client.get(path)).headers["strict-transport-security"] == "max-age=31536000"


# --- Unexpected failures ---


async def test_failure_of_a_page_shows_no_traceback(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected failure shows no traceback, and the log has none of the entered text."""

    def fail() -> None:
        raise RuntimeError(WORDS)

    monkeypatch.setattr("api.app.sdl", fail)
    async with client_of(build_cheap_app(settings)) as client:
        answer = await client.get("/schema.graphql")
    assert answer.status_code == 500
    assert answer.json() == {"error": "Internal error", "requestId": answer.headers["x-request-id"]}
    assert answer.headers["cache-control"] == "no-store"
    assert "builtins.RuntimeError" in caplog.text
    assert "Secret-42" not in caplog.text


@pytest.mark.usefixtures("database_url")
async def test_failure_within_an_answer_ends_the_connection() -> None:
    """If an answer has begun, a failure ends the connection, and no second answer is mixed in."""
    sent = []

    async def break_off(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError(WORDS)

    async def receive() -> dict[str, object]:
        raise AssertionError

    async def send(message: object) -> None:
        sent.append(message)

    boundary = RequestBoundary(break_off, trusted_proxies=TrustedProxies(), headers={})
    with pytest.raises(ConnectionAbortedError):
        await boundary({"type": "http", "method": "GET", "path": "/"}, receive, send)
    assert len(sent) == 1
