"""The engine serves any schema, with the context and the limits that it is passed."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import strawberry

from api.graphql.engine.caching import CACHEABLE
from api.graphql.engine.documents import Documents
from api.graphql.engine.endpoint import GraphQLEndpoint
from api.graphql.engine.errors import LIMIT_EXCEEDED, RequestRefused
from api.graphql.engine.strawberry_internals import get_core_schema

if TYPE_CHECKING:
    from api.graphql.engine.head import RequestHead

pytestmark = pytest.mark.anyio

SCHEMA = "{ __schema { queryType { name } } }"


@dataclass
class Reader:
    """The context of a request."""

    name: str
    turned_away: bool = False


def title(info: strawberry.Info[Reader, None], shelf: int = 1) -> str:
    info.context.turned_away = shelf > 9
    return f"Book {shelf}"


def reader(info: strawberry.Info[Reader, None]) -> str:
    return info.context.name


@strawberry.type
class Query:
    title: str = strawberry.field(resolver=title, metadata={CACHEABLE: True})
    reader: str = strawberry.field(resolver=reader)


async def admit(reader: Reader) -> None:
    """Show the schema to the librarian alone."""
    if reader.name != "librarian":
        raise RequestRefused(HTTPStatus.TOO_MANY_REQUESTS, LIMIT_EXCEEDED, "Ask later.", {"Retry-After": "5"})


def build_reader(head: RequestHead) -> Reader:
    return Reader(head.get_header(b"x-reader"))


def client_for(reader: str, *, introspection: bool = True) -> httpx.AsyncClient:
    endpoint = GraphQLEndpoint(
        Documents(get_core_schema(strawberry.Schema(Query)), introspection=introspection),
        build_context=build_reader,
        admit_introspection=admit,
    )
    transport = httpx.ASGITransport(endpoint)
    return httpx.AsyncClient(transport=transport, base_url="http://library", headers={"X-Reader": reader})


async def get(http: httpx.AsyncClient, query: str) -> httpx.Response:
    async with http:
        return await http.get("/any/path", params={"query": query})


async def test_resolvers_get_the_context_of_their_request() -> None:
    """The context is built from the request, and every resolver gets it."""
    assert (await get(client_for("ada"), "{ reader }")).json() == {"data": {"reader": "ada"}}


@pytest.mark.parametrize(
    ("query", "cache_control"),
    [
        ("{ title a: title(shelf: 2) }", "public, max-age=60"),
        ("{ ...F } fragment F on Query { title }", "public, max-age=60"),
        ("{ title reader }", "no-store"),
        ("{ title __typename }", "no-store"),
        ("{ title a: title(shelf: 10) }", "no-store"),
    ],
)
async def test_fields_declare_whether_caches_may_keep_them(query: str, cache_control: str) -> None:
    """An answer is cacheable if each root field is declared so, and no field was refused for haste."""
    response = await get(client_for("ada"), query)
    assert "errors" not in response.json()
    assert response.headers["cache-control"] == cache_control


@pytest.mark.parametrize(("reader", "status"), [("librarian", 200), ("ada", 429)])
async def test_service_decides_who_may_introspect(reader: str, status: int) -> None:
    """The service admits an operation that asks for the schema, or refuses it in its own words."""
    response = await get(client_for(reader), SCHEMA)
    assert response.status_code == status
    if status == 429:
        error: dict[str, Any] = response.json()["errors"][0]
        assert (error["message"], error["extensions"]["code"]) == ("Ask later.", LIMIT_EXCEEDED)
        assert response.headers["retry-after"] == "5"


async def test_introspection_can_be_disabled() -> None:
    """Without introspection, nobody reads the schema, and fields are answered as ever."""
    refused = await get(client_for("librarian", introspection=False), SCHEMA)
    assert refused.status_code == 400
    answered = await get(client_for("librarian", introspection=False), "{ title }")
    assert answered.json() == {"data": {"title": "Book 1"}}
