"""Caches may keep look-ups by GET for a minute, and no other answer."""

from __future__ import annotations

import json

import httpx
import pytest

from api.settings.environment import Settings
from tests.support.applications import build_cheap_app
from tests.support.client import (
    FIND_ORGANISATION,
    FIND_ORGANISATIONS,
    OTHER_SIRET,
    SIRET,
    Answer,
    Portal,
    client_of,
)
from tests.support.databases import sqlite_only
from tests.support.register import register

pytestmark = pytest.mark.anyio

IDENTIFIER = {"type": "SIRET", "value": SIRET}
FIELD = f'organisation(identifier: {{type: SIRET, value: "{SIRET}"}}) {{ __typename }}'
NEWER = "application/graphql-response+json"
KEPT = "public, max-age=60"


async def look_up(
    http: httpx.AsyncClient, query: str = FIND_ORGANISATION, variables: Answer | None = None, /, **headers: str
) -> httpx.Response:
    """Look up by GET. `_` in the name of a header stands for `-`."""
    parameters = {"query": query, "variables": json.dumps(variables or {"identifier": IDENTIFIER})}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await http.get("/graphql", params=parameters, headers=named)


async def test_look_up_is_cacheable_for_a_minute(http: httpx.AsyncClient) -> None:
    """Any cache may keep a look-up by GET for a minute, for requests with the same headers."""
    await register()
    for query, variables in (
        (FIND_ORGANISATION, {"identifier": IDENTIFIER}),
        (FIND_ORGANISATION, {"identifier": {"type": "SIRET", "value": OTHER_SIRET}}),
        (FIND_ORGANISATION, {"identifier": {"type": "SIRET", "value": "nonsense"}}),
        (FIND_ORGANISATIONS, {"identifiers": [IDENTIFIER] * 3}),
    ):
        response = await look_up(http, query, variables)
        assert (response.status_code, response.headers["cache-control"]) == (200, KEPT)
        assert response.headers["vary"] == "Accept, Accept-Language, Origin"
        assert response.headers["etag"].startswith('"')


@sqlite_only
@pytest.mark.parametrize(
    "query",
    [
        f"{{ a: {FIELD} b: {FIELD} }}",
        f"{{ ... {{ ... on Query {{ {FIELD} }} }} }}",
        f"{{ ...A }} fragment A on Query {{ ...B ...B }} fragment B on Query {{ {FIELD} }}",
        f"query A {{ {FIELD} }}",
    ],
)
async def test_look_up_is_cacheable_in_every_notation(http: httpx.AsyncClient, query: str) -> None:
    """A look-up is cacheable with aliases, in fragments and under a name."""
    assert (await look_up(http, query)).headers["cache-control"] == KEPT


@sqlite_only
@pytest.mark.parametrize(
    "query",
    [
        "{ __typename }",
        "{ terms { version } }",
        f"{{ {FIELD} terms {{ version }} }}",
        f"{{ {FIELD} __typename }}",
        f"{{ ... {{ {FIELD} ...T }} }} fragment T on Query {{ terms {{ version }} }}",
        "{ __schema { queryType { name } } }",
        "{ nothing }",
        "{",
    ],
)
async def test_answer_with_other_fields_or_errors_is_not_cacheable(http: httpx.AsyncClient, query: str) -> None:
    """An answer with another root field or an error is not cacheable."""
    response = await look_up(http, query)
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers


@sqlite_only
async def test_look_up_by_post_is_not_cacheable(http: httpx.AsyncClient) -> None:
    """A look-up by POST is not cacheable."""
    body = {"query": FIND_ORGANISATION, "variables": {"identifier": IDENTIFIER}}
    response = await http.post("/graphql", json=body, headers={"If-None-Match": "*"})
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")


@sqlite_only
@pytest.mark.parametrize("header", [{"Cookie": "session=1"}, {"Authorization": "Bearer x"}])
async def test_answer_to_a_request_with_credentials_is_not_cacheable(
    http: httpx.AsyncClient, header: dict[str, str]
) -> None:
    """An answer to a request with a cookie or credentials is not cacheable."""
    first = await look_up(http)
    response = await look_up(http, **header, If_None_Match=first.headers["etag"])
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")


@sqlite_only
@pytest.mark.parametrize("aliased", [False, True])
async def test_rate_limit_refusal_is_not_cacheable(settings: Settings, aliased: bool) -> None:
    """A refusal by a rate limit is not cacheable, not even beside a good answer: no other caller gets it."""
    query = f"{{ a: {FIELD} b: {FIELD} }}" if aliased else f"{{ {FIELD} }}"
    async with client_of(build_cheap_app(settings.replace(rate_limits="organisation=1/hour"))) as http:
        if not aliased:
            assert (await look_up(http, query)).headers["cache-control"] == KEPT
        refused = await look_up(http, query)
    assert "TooManyRequests" in refused.text
    assert refused.headers["cache-control"] == "no-store"


@sqlite_only
async def test_internal_error_is_not_cacheable(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """An internal error is not cacheable: no other caller gets it."""

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("api.graphql.organisations.parse_identifier", fail)
    response = await look_up(http)
    assert response.json()["errors"]
    assert response.headers["cache-control"] == "no-store"


async def test_unchanged_answer_is_a_304(http: httpx.AsyncClient, portal: Portal) -> None:
    """A cache that sends its tag gets 304 until the answer has changed."""
    await register()
    first = await look_up(http)
    again = await look_up(http, If_None_Match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control", "vary"):
        assert again.headers[name] == first.headers[name]
    await portal.account()
    changed = await look_up(http, If_None_Match=first.headers["etag"])
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]
    assert changed.json()["data"]["organisation"]["onPortal"] is True


@sqlite_only
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("{}", 304),
        ("W/{}", 304),
        ('"other", {}', 304),
        ('"other",W/{} , "x"', 304),
        ("*", 304),
        ('"other"', 200),
        ("", 200),
    ],
)
async def test_if_none_match_has_lists_weak_tags_and_stars(http: httpx.AsyncClient, sent: str, status: int) -> None:
    """If-None-Match can have several tags, weak tags, or a star (RFC 9110, 13.1.2)."""
    tag = (await look_up(http)).headers["etag"]
    assert (await look_up(http, If_None_Match=sent.format(tag))).status_code == status


@sqlite_only
async def test_each_representation_has_its_own_tag(http: httpx.AsyncClient) -> None:
    """Each language and media type has its own tag. The same answer always has the same tag."""
    plain, again, english, newer = [
        (await look_up(http, **headers)).headers["etag"]
        for headers in ({}, {}, {"Accept_Language": "en"}, {"Accept": NEWER})
    ]
    assert plain == again
    assert len({plain, english, newer}) == 3


@sqlite_only
async def test_look_up_by_another_origin_is_cacheable_by_origin(http: httpx.AsyncClient) -> None:
    """A look-up by a page of another origin is cacheable, and varies by origin."""
    response = await look_up(http, Origin="http://localhost:5173")
    assert response.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert response.headers["cache-control"] == KEPT
    assert response.headers["vary"] == "Accept, Accept-Language, Origin"


@sqlite_only
async def test_fragments_are_read_once(http: httpx.AsyncClient) -> None:
    """Each fragment is read once when the root fields are collected."""
    chain = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(30))
    response = await look_up(http, f"{{ ...F0 }} {chain} fragment F30 on Query {{ {FIELD} }}")
    assert (response.status_code, response.headers["cache-control"]) == (200, KEPT)
