"""GraphQL over HTTP: media types, methods, status codes, malformed bodies, failures, origins."""

from __future__ import annotations

import asyncio
import json
import logging
from codecs import BOM_UTF8
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import graphql
import httpx
import pytest

from api.graphql.engine.request import MAX_BODY_BYTES
from api.graphql.schema import graphql_schema
from api.settings.environment import Environment, Settings
from models.identifiers import Identifier
from tests.support.applications import build_cheap_app
from tests.support.client import FIND_ORGANISATION, RENEW_CAPTCHA, SIRET, Answer, client_of
from tests.support.databases import sqlite_only

pytestmark = [pytest.mark.anyio, sqlite_only]

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
QUERY = "{ __typename }"
ORIGIN = "https://portal.example.org"
WORDS = "Camille Durand can't be found"  # Of an exception, which may quote what a person has entered.
LOOK_UP = {"identifier": {"type": "SIRET", "value": SIRET}}
TWO_OPERATIONS = "query First { a: __typename } query Second { b: __typename }"


async def post_bytes(http: httpx.AsyncClient, content: bytes, content_type: str = JSON) -> httpx.Response:
    return await http.post("/graphql", content=content, headers={"Content-Type": content_type})


def codes(response: httpx.Response) -> list[str]:
    """Return the codes of the errors of an answer that has nothing else."""
    answer: Answer = response.json()
    assert set(answer) == {"errors"}, answer
    return [error["extensions"]["code"] for error in answer["errors"]]


# --- Media types ---


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("*/*", JSON),
        (JSON, JSON),
        ("APPLICATION/JSON", JSON),
        ("application/*", JSON),
        ("application/json;q=0.5, text/html", JSON),
        (BROWSER, JSON),
        (GRAPHQL_RESPONSE, GRAPHQL_RESPONSE),
        (f"{GRAPHQL_RESPONSE}; charset=utf-8", GRAPHQL_RESPONSE),
        (f"{GRAPHQL_RESPONSE}, {JSON};q=0.9", GRAPHQL_RESPONSE),
        (f"{JSON}, {GRAPHQL_RESPONSE};q=0.1", GRAPHQL_RESPONSE),
        (f"{GRAPHQL_RESPONSE};q=0, {JSON}", JSON),
        (f"{GRAPHQL_RESPONSE}; Q = 0.000, */*", JSON),
    ],
)
async def test_answer_is_of_a_type_that_the_caller_accepts(
    http: httpx.AsyncClient, accept: str | None, expected: str
) -> None:
    """The answer has the newer media type if the caller names it, and JSON if the caller accepts that, in UTF-8."""
    request = http.build_request("POST", "/graphql", json={"query": QUERY})
    del request.headers["accept"]
    if accept is not None:
        request.headers["accept"] = accept
    response = await http.send(request)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{expected}; charset=utf-8"
    assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("accept", ["text/plain", "image/*", "text/html", f"{JSON};q=0", f"{GRAPHQL_RESPONSE};q=0.0"])
async def test_caller_who_accepts_neither_type_gets_406(http: httpx.AsyncClient, accept: str) -> None:
    """A caller that accepts neither media type gets 406, with a code."""
    response = await http.post("/graphql", json={"query": QUERY}, headers={"Accept": accept})
    assert response.status_code == 406
    assert codes(response) == ["BAD_REQUEST"]


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"]
)
async def test_body_must_be_declared_as_json(http: httpx.AsyncClient, content_type: str) -> None:
    """A body of another type is refused, so that no form on another site can send one."""
    response = await post_bytes(http, json.dumps({"query": QUERY}).encode(), content_type)
    assert response.status_code == 415
    assert codes(response) == ["BAD_REQUEST"]


@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=utf-8", "Application/JSON ;charset=UTF-8"])
async def test_parameters_of_the_content_type_are_ignored(http: httpx.AsyncClient, content_type: str) -> None:
    """A charset or another parameter changes nothing."""
    response = await post_bytes(http, json.dumps({"query": QUERY}).encode(), content_type)
    assert response.status_code == 200


# --- Bodies ---


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"query",
        b"null",
        b'"{ __typename }"',
        b"[]",
        b'[{"query": "{ __typename }"}]',
        b'{"query": "\xff"}',
        b'{"query": "{ __typename }"}'.replace(b"_", b"\x00"),
        json.dumps({"query": QUERY}).encode("utf-16"),
        b'{"query": "{ __typename }", "variables": {"n": ' + b"1" * 5_000 + b"}}",
        b'{"query": "{ __typename }", "variables": {"n": NaN}}',
        b'{"query": "{ __typename }", "variables": {"n": -Infinity}}',
        b"[" * 60_000,
        b"[" * 30_000 + b"]" * 30_000,
        b'{"a":' * 10_000,
        b"{}",
        b'{"query": null}',
        b'{"query": 1}',
        b'{"query": ["{ __typename }"]}',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "variables": "{}"}',
        b'{"query": "{ __typename }", "variables": false}',
        b'{"query": "{ __typename }", "operationName": 1}',
        b'{"query": "{ __typename }", "operationName": {}}',
        b'{"query": "{ __typename }", "extensions": []}',
        b'{"query": "{ __typename }", "extensions": "x"}',
        b'{"query": "{ __typename }", "operationName": "Other"}',
        b'{"query": "{ __typename }", "operationName": "\\ud800"}',
    ],
    ids=lambda body: body[:48].decode("ascii", "replace"),
)
async def test_malformed_request_gets_400(http: httpx.AsyncClient, body: bytes) -> None:
    """A request that can't be read gets 400, never 500."""
    response = await post_bytes(http, body)
    assert response.status_code == 400
    assert codes(response) == ["BAD_REQUEST"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"variables": None, "operationName": None, "extensions": None},
        {"variables": {}, "extensions": {"persistedQuery": {}}},
        {"operationName": ""},
        {"id": 1},
    ],
)
async def test_parameters_but_query_are_optional(http: httpx.AsyncClient, parameters: Answer) -> None:
    """A null is the same as no parameter. Unknown parameters are ignored."""
    response = await http.post("/graphql", json={"query": QUERY} | parameters)
    assert response.json() == {"data": {"__typename": "Query"}}


async def test_byte_order_mark_is_ignored(http: httpx.AsyncClient) -> None:
    """One byte order mark before the JSON is ignored (RFC 8259, 8.1). A second one makes it malformed."""
    body = json.dumps({"query": QUERY, "variables": {"name": "\ud800"}}).encode()
    for content in (body, json.dumps({"query": QUERY}).encode()):
        assert (await post_bytes(http, BOM_UTF8 + content)).json() == {"data": {"__typename": "Query"}}
        assert codes(await post_bytes(http, BOM_UTF8 * 2 + content)) == ["BAD_REQUEST"]
    assert codes(await post_bytes(http, BOM_UTF8)) == ["BAD_REQUEST"]


async def in_chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 1_000):
        yield content[start : start + 1_000]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)])
async def test_body_is_bounded(http: httpx.AsyncClient, size: int, status: int, chunked: bool) -> None:
    """A body of 64 KiB is read and one byte more is refused, with or without Content-Length."""
    body = json.dumps({"query": QUERY}).encode().ljust(size)
    content: Any = in_chunks(body) if chunked else body
    response = await http.post("/graphql", content=content, headers={"Content-Type": JSON})
    assert ("content-length" in response.request.headers) is not chunked
    assert response.status_code == status
    if status == 413:
        assert codes(response) == ["LIMIT_EXCEEDED"]


async def test_endless_body_is_refused_before_it_ends(http: httpx.AsyncClient) -> None:
    """The refusal is sent as soon as a body is too large, without the rest of it being read."""
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while asked < 1_000:
            asked += 1
            yield b" " * 10_000

    response = await http.post("/graphql", content=endless(), headers={"Content-Type": JSON})
    assert response.status_code == 413
    assert asked < 10


# --- Methods ---


@pytest.mark.parametrize("extra", [{}, {"extensions": "{}"}, {"variables": "null"}, {"operationName": ""}])
async def test_query_can_be_sent_by_get(http: httpx.AsyncClient, extra: dict[str, str]) -> None:
    """GET executes a query."""
    response = await http.get("/graphql", params={"query": QUERY} | extra)
    assert response.status_code == 200
    assert response.json() == {"data": {"__typename": "Query"}}


async def test_variables_by_get_are_json(http: httpx.AsyncClient) -> None:
    """The query string can have variables, as JSON."""
    parameters = {"query": FIND_ORGANISATION, "variables": json.dumps(LOOK_UP)}
    response = await http.get("/graphql", params=parameters)
    assert response.json()["data"]["organisation"]["__typename"] == "OrganisationNotFound"


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"variables": "{}"},
        {"query": QUERY, "variables": "{"},
        {"query": QUERY, "variables": ""},
        {"query": QUERY, "variables": "[]"},
        {"query": QUERY, "variables": "[" * 5_000},
        {"query": QUERY, "extensions": "1"},
        {"query": QUERY, "extensions": "%ff"},
        {"query": [QUERY, QUERY]},
    ],
)
async def test_malformed_query_string_gets_400(http: httpx.AsyncClient, parameters: dict[str, str | list[str]]) -> None:
    """A query string that can't be read gets 400, never 500."""
    response = await http.get("/graphql", params=parameters)
    assert response.status_code == 400
    assert codes(response) == ["BAD_REQUEST"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"query": 'mutation { renewCaptcha(registrationId: "x") { __typename } }'},
        {"query": RENEW_CAPTCHA, "variables": '{"registrationId": "x"}'},
        {
            "query": "query Q { __typename } mutation M { renewCaptcha(registrationId: 1) { __typename } }",
            "operationName": "M",
        },
    ],
)
async def test_get_executes_no_mutation(http: httpx.AsyncClient, parameters: dict[str, str]) -> None:
    """GET executes no mutation: a link or the address of a picture changes nothing."""
    response = await http.get("/graphql", params=parameters)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert codes(response) == ["BAD_REQUEST"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY"])
async def test_other_methods_get_405(http: httpx.AsyncClient, method: str) -> None:
    """Methods other than GET and POST get 405."""
    response = await http.request(method, "/graphql", json={"query": QUERY})
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"
    assert codes(response) == ["BAD_REQUEST"]


async def test_head_gets_405(http: httpx.AsyncClient) -> None:
    """HEAD executes nothing and gets 405."""
    response = await http.head("/graphql", params={"query": QUERY})
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"


# --- Operations ---


@pytest.mark.parametrize(("name", "field"), [("First", "a"), ("Second", "b")])
async def test_operation_name_selects_an_operation(http: httpx.AsyncClient, name: str, field: str) -> None:
    """operationName chooses one of several operations."""
    response = await http.post("/graphql", json={"query": TWO_OPERATIONS, "operationName": name})
    assert response.json() == {"data": {field: "Query"}}


@pytest.mark.parametrize("name", [None, "", "Third", "first"])
async def test_unnamed_operation_among_several_is_refused(http: httpx.AsyncClient, name: str | None) -> None:
    """A request that names none of several operations is refused."""
    response = await http.post("/graphql", json={"query": TWO_OPERATIONS, "operationName": name})
    assert response.status_code == 400
    assert codes(response) == ["BAD_REQUEST"]


REFUSED_DOCUMENTS: list[tuple[str, Answer | None, str]] = [
    ("", None, "GRAPHQL_PARSE_FAILED"),
    ("{", None, "GRAPHQL_PARSE_FAILED"),
    ("{ \ud800 }", None, "GRAPHQL_PARSE_FAILED"),
    ("{ nothing }", None, "GRAPHQL_VALIDATION_FAILED"),
    ("fragment F on Query { __typename }", None, "GRAPHQL_VALIDATION_FAILED"),
    ("subscription { mails }", None, "GRAPHQL_VALIDATION_FAILED"),
    ('{ organisation(identifier: "x") { __typename } }', None, "GRAPHQL_VALIDATION_FAILED"),
    ("type Query { a: Int }", None, "GRAPHQL_VALIDATION_FAILED"),
    (FIND_ORGANISATION, None, "BAD_USER_INPUT"),
    (FIND_ORGANISATION, {"identifier": None}, "BAD_USER_INPUT"),
    (FIND_ORGANISATION, {"identifier": {"type": "SIREN", "value": "1"}}, "BAD_USER_INPUT"),
    (FIND_ORGANISATION, {"identifier": {"type": "SIRET", "value": 1e300}}, "BAD_USER_INPUT"),
    (FIND_ORGANISATION, {"identifier": {"type": "SIRET", "value": "1", "\ud800": 1}}, "BAD_USER_INPUT"),
    (FIND_ORGANISATION, {"identifier": {"type": "SIRET", "value": [[[[["x"]]]]]}}, "BAD_USER_INPUT"),
]


@pytest.mark.parametrize(
    ("accept", "status"),
    [("*/*", 400), (GRAPHQL_RESPONSE, 400), (f"{JSON}, {GRAPHQL_RESPONSE}", 400), (JSON, 200)],
)
@pytest.mark.parametrize(("query", "variables", "code"), REFUSED_DOCUMENTS)
async def test_refused_document_has_errors_without_data(
    http: httpx.AsyncClient, *, query: str, variables: Answer | None, code: str, accept: str, status: int
) -> None:
    """A document or variables that are refused get errors alone, without data.

    The status is 400. A caller that names JSON alone gets 200, since it would take 400 for the answer of a proxy.
    """
    body = json.dumps({"query": query, "variables": variables}).encode()  # Lone surrogates as \\u escapes.
    response = await http.post("/graphql", content=body, headers={"Accept": accept, "Content-Type": JSON})
    assert response.status_code == status
    assert set(codes(response)) == {code}


async def test_input_errors_name_the_place_and_the_reason(http: httpx.AsyncClient) -> None:
    """An error names the wrong variable, the place in it, and the reason."""
    variables = {"identifier": {"type": "SIREN", "number": 1}}
    response = await http.post("/graphql", json={"query": FIND_ORGANISATION, "variables": variables})
    assert [error["message"] for error in response.json()["errors"]] == [
        "Variable $identifier.type: this is no value of IdentifierType.",
        "Variable $identifier: the field value is missing.",
        "Variable $identifier: there is no field number.",
    ]


# --- Internal errors ---


@pytest.fixture
async def failing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an application whose look-ups fail."""

    async def fail(_: list[Identifier]) -> list[None]:
        raise RuntimeError(WORDS)

    monkeypatch.setattr("api.app.find_organisations", fail)
    async with client_of(build_cheap_app(settings)) as client:
        yield client


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_RESPONSE])
async def test_internal_error_shows_only_a_reference(
    failing: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, accept: str
) -> None:
    """The caller gets only the reference of an internal error. The log has its class and its place under it."""
    body = {"query": FIND_ORGANISATION, "variables": LOOK_UP}
    response = await failing.post("/graphql", json=body, headers={"Accept": accept})
    assert response.status_code == 200
    answer = response.json()
    assert answer["data"] is None
    (error,) = answer["errors"]
    assert error["path"] == ["organisation"]
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    reference = error["extensions"]["reference"]
    assert error["message"] == f"Internal error. Reference: {reference}"
    assert WORDS not in response.text
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert reference in record.getMessage()
    assert "builtins.RuntimeError" in record.getMessage()
    assert "tests/test_endpoint.py" in record.getMessage()
    assert WORDS not in caplog.text


async def test_each_failure_has_its_own_reference(failing: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    """Each internal error of one answer has its own reference in the log."""
    variables = {"identifiers": [LOOK_UP["identifier"]]}
    query = """query ($identifiers: [OrganisationIdentifierInput!]!) {
      a: organisations(identifiers: $identifiers) { __typename }
      b: organisations(identifiers: $identifiers) { __typename }
    }"""
    references = set()
    for _ in range(2):
        response = await failing.post("/graphql", json={"query": query, "variables": variables})
        references |= {error["extensions"]["reference"] for error in response.json()["errors"]}
    assert len(references) >= 2
    assert all(reference in caplog.text for reference in references)


async def test_at_most_five_internal_errors_are_reported(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many internal errors, five are logged and reported. One line and one error count the others."""

    def fail(*_: object) -> None:
        raise RuntimeError(WORDS)

    is_one_of = graphql_schema.type_map["__Type"].fields["isOneOf"]  # type: ignore[attr-defined]  # An object type.
    monkeypatch.setattr(is_one_of, "resolve", fail)
    query = "{ __schema { types { fields { type { isOneOf } } } } }"
    response = await http.post("/graphql", json={"query": query})
    errors = response.json()["errors"]
    logged = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == len(logged) == 6
    for error, line in zip(errors, logged, strict=True):
        assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        assert error["extensions"]["reference"] in line
    more = sum(len(getattr(type_, "fields", ())) for type_ in graphql_schema.type_map.values() if is_output(type_)) - 5
    assert errors[-1]["message"].startswith(f"And {more} more internal errors. Reference: ")
    assert logged[-1].endswith(f": and {more} more in this request")
    assert WORDS not in response.text + caplog.text


def is_output(type_: graphql.GraphQLNamedType) -> bool:
    return not isinstance(type_, graphql.GraphQLInputObjectType)


async def test_at_most_five_input_errors_are_reported(http: httpx.AsyncClient) -> None:
    """Of many wrong arguments or variables, five are reported. One error counts the others."""
    aliases = " ".join(f"a{number}: __type(name: $name) {{ name }}" for number in range(20))
    query = f'query ($name: String = "Query") {{ {aliases} }}'
    wrong_arguments = (await http.post("/graphql", json={"query": query, "variables": {"name": None}})).json()["errors"]
    assert [error["extensions"]["code"] for error in wrong_arguments] == ["BAD_USER_INPUT"] * 6
    assert wrong_arguments[-1]["message"] == "And 15 more that do not fit their types."
    identifier = {f"field{number}": number for number in range(1_000)}
    body = {"query": FIND_ORGANISATION, "variables": {"identifier": identifier}}
    assert len(codes(await http.post("/graphql", json=body))) == 6


async def test_failure_of_the_executor_is_answered_in_graphql(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure of the executor itself gets an answer in the form of GraphQL."""

    def fail(*_: object, **__: object) -> None:
        raise RecursionError

    monkeypatch.setattr("api.graphql.engine.execution.execute", fail)
    nested: Any = "x"
    for _ in range(900):
        nested = [nested]
    response = await http.post("/graphql", json={"query": QUERY, "variables": {"nested": nested}})
    assert response.status_code == 200
    answer = response.json()
    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTERNAL_SERVER_ERROR"]


# --- Caches, pages, origins ---


async def test_other_answers_than_look_ups_by_get_are_not_cacheable(http: httpx.AsyncClient) -> None:
    """No cache may store an answer that is not a look-up by GET."""
    answers = [
        await http.post("/graphql", json={"query": QUERY}),
        await http.get("/graphql", params={"query": QUERY}),
        await http.get("/graphql", headers={"Accept": BROWSER}),
        await http.post("/graphql", json={"query": "{"}),
        await http.post("/graphql", json={"query": QUERY}, headers={"Accept": "image/png"}),
        await http.put("/graphql"),
        await post_bytes(http, b" " * 100_000),
        await post_bytes(http, b"", "text/plain"),
        *[await http.get(path) for path in ("/schema.graphql", "/health/live", "/health/ready")],
    ]
    assert len({answer.status_code for answer in answers}) == 6
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


async def test_vary_names_the_headers_that_an_answer_depends_on(http: httpx.AsyncClient) -> None:
    """Answers name the headers that they depend on, so that a cache mixes up no language, type or origin."""
    response = await http.post("/graphql", json={"query": QUERY})
    assert {part.strip() for part in response.headers["vary"].split(",")} >= {"Accept", "Accept-Language", "Origin"}


def in_production(settings: Settings, **changes: Any) -> Settings:
    return settings.replace(environment=Environment.PRODUCTION, **changes)


async def test_browser_gets_graphiql_in_development(http: httpx.AsyncClient) -> None:
    """A browser that opens the address gets GraphiQL in development."""
    response = await http.get("/graphql", headers={"Accept": BROWSER})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "graphiql" in response.text


@pytest.mark.parametrize(
    ("method", "parameters", "accept"),
    [("GET", {}, JSON), ("GET", {}, "*/*"), ("GET", {"query": QUERY}, BROWSER), ("POST", {}, BROWSER)],
)
async def test_graphiql_is_for_browsers_only(
    http: httpx.AsyncClient, method: str, parameters: dict[str, str], accept: str
) -> None:
    """A program does not get the page, nor does a query sent by a browser."""
    response = await http.request(method, "/graphql", params=parameters, headers={"Accept": accept})
    assert response.headers["content-type"] == "application/json; charset=utf-8"


async def test_production_has_no_graphiql(settings: Settings) -> None:
    """GraphiQL is not served in production."""
    async with client_of(build_cheap_app(in_production(settings))) as client:
        response = await client.get("/graphql", headers={"Accept": BROWSER})
    assert response.status_code == 400
    assert codes(response) == ["BAD_REQUEST"]


def allowed_origin(response: httpx.Response) -> str:
    """Return the origin whose pages may read the answer, or an empty text."""
    return str(response.headers.get("access-control-allow-origin", ""))


async def preflight(client: httpx.AsyncClient, origin: str) -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, accept-language",
    }
    return await client.options("/graphql", headers=headers)


LOOPBACK_ORIGINS = ("http://localhost", "http://localhost:5173", "https://127.0.0.1:8443", "http://[::1]:3000")
STRANGE_ORIGINS = (
    "https://elsewhere.example",
    "http://localhost.elsewhere.example",
    "http://elsewhere.example#localhost",
    "http://127.0.0.11",
    "null",
)


@pytest.mark.parametrize(
    ("production", "configured", "allowed"),
    [
        (False, (), LOOPBACK_ORIGINS),
        (False, (ORIGIN,), (*LOOPBACK_ORIGINS, ORIGIN)),
        (True, (), ()),
        (True, (ORIGIN,), (ORIGIN,)),
    ],
)
async def test_only_allowed_origins_may_call(
    settings: Settings, production: bool, configured: tuple[str, ...], allowed: tuple[str, ...]
) -> None:
    """Pages of configured origins may call, and in development those of this machine; no others may."""
    environment = Environment.PRODUCTION if production else Environment.DEVELOPMENT
    changed = settings.replace(environment=environment, cors_origins=configured)
    async with client_of(build_cheap_app(changed)) as client:
        for origin in (*LOOPBACK_ORIGINS, ORIGIN, *STRANGE_ORIGINS):
            expected = origin if origin in allowed else ""
            answer = await client.post("/graphql", json={"query": QUERY}, headers={"Origin": origin})
            before = await preflight(client, origin)
            assert (origin, allowed_origin(answer)) == (origin, expected)
            assert (origin, allowed_origin(before)) == (origin, expected)
            assert before.is_success is bool(expected)
            assert "access-control-allow-credentials" not in answer.headers


# --- The contract, and health ---


async def test_contract_is_served(http: httpx.AsyncClient) -> None:
    """The contract that is served is the file in the repository."""
    response = await http.get("/schema.graphql")
    assert response.status_code == 200
    assert response.text == (Path(__file__).parent.parent / "schema.graphql").read_text(encoding="utf-8")


async def test_contract_is_not_served_without_introspection(settings: Settings) -> None:
    """Without introspection, the contract is not served, and everything else works."""
    async with client_of(build_cheap_app(settings.replace(introspection="off"))) as client:
        assert (await client.get("/schema.graphql")).status_code == 404
        refused = await client.post("/graphql", json={"query": graphql.get_introspection_query()})
        assert codes(refused) == ["GRAPHQL_VALIDATION_FAILED"] * len(codes(refused))
        assert "data" not in refused.json()
        assert (await client.post("/graphql", json={"query": QUERY})).json()["data"]


async def test_introspection_fits_the_limits(http: httpx.AsyncClient) -> None:
    """The whole schema can be read by introspection, within the limits."""
    query = graphql.get_introspection_query(specified_by_url=True, input_value_deprecation=True)
    answer = (await http.post("/graphql", json={"query": query})).json()
    assert "errors" not in answer
    client_schema = graphql.build_client_schema(answer["data"])
    served = graphql.build_schema((await http.get("/schema.graphql")).text)
    assert graphql.find_breaking_changes(served, client_schema) == []
    assert graphql.find_breaking_changes(client_schema, served) == []


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_probes_answer_200_when_all_is_well(http: httpx.AsyncClient, path: str) -> None:
    """Both probes answer 200 when all is well."""
    assert (await http.get(path)).status_code == 200


async def health(settings: Settings, database_url: str) -> tuple[int, int]:
    """Return the statuses of the two probes: live, ready."""
    async with client_of(build_cheap_app(settings.replace(database_url=database_url))) as client:
        for _ in range(2):  # A probe that has failed once must not hang the next time.
            async with asyncio.timeout(30):
                ready = (await client.get("/health/ready")).status_code
        return (await client.get("/health/live")).status_code, ready


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://{folder}/without-migrations.db",
        "sqlite://{folder}/no/such/folder.db",
        "postgres://nobody@127.0.0.1:1/nothing",
        "postgres://nobody@/nothing?host={folder}",
        "{postgres_of_another}",
    ],
)
async def test_service_without_its_database_is_live_but_not_ready(
    settings: Settings, tmp_path: Path, postgres: str, url: str
) -> None:
    """Without its database, or with one that is not migrated, the service is live and not ready."""
    another = postgres.replace("//postgres", "//nobody")
    assert await health(settings, url.format(folder=tmp_path, postgres_of_another=another)) == (200, 503)


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.005, 0.02])
async def test_service_stopped_during_start_ends_at_once(settings: Settings, seconds: float) -> None:
    """A service that ends while it starts waits for no database that is being opened."""
    async with asyncio.timeout(60):
        async with client_of(build_cheap_app(settings)):
            await asyncio.sleep(seconds)
