"""Any text in any argument of the contract gets an answer that fits the contract."""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLUnionType,
    build_schema,
    get_named_type,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.identifiers import IDENTIFIER_FORMATS
from tests.support.client import FIND_ORGANISATION, OTHER_SIRET, PASSWORD, SIRET
from tests.support.databases import sqlite_only
from tests.support.visible_text import Entry, anything

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx
    from graphql import GraphQLInputType, GraphQLOutputType

    from tests.support.client import Answer, Portal

pytestmark = pytest.mark.anyio

SCHEMA = build_schema((Path(__file__).parent.parent / "schema.graphql").read_text())
NOT_ASKED = {"audio"}  # A sound takes a separate process one second, and contains nothing of the input.

# The values of the other places, so that one odd text gets as far as it can. All other names have "x".
USUAL = {
    "email": "camille.durand@exemple.fr",
    "emailConfirmation": "camille.durand@exemple.fr",
    "contactEmail": "compta@exemple.fr",
    "firstName": "Camille",
    "lastName": "Durand",
    "phone": "06 12 34 56 78",
    "termsVersion": "2026-01",
    "name": "Exemple SA",
    "value": SIRET,
    "answer": "123456",
    "password": PASSWORD,
    "passwordConfirmation": PASSWORD,
}
LEFT_OUT = {"idempotencyKey", "language"}
MAX_TOKENS = 5
CODES_OF_DOCUMENTS = {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "LIMIT_EXCEEDED"}

Path_ = tuple[str | int, ...]

# All examples go to one service: it must still answer after the ones before.
bounded = settings(
    database=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Sent:
    """A text, and how it is sent."""

    entry: Entry
    type_: int = 0
    by_get: bool = False
    quotes: str = ""


@dataclass(frozen=True)
class Case:
    """A root field, and the places in its arguments that get the same text."""

    operation: str
    field: str
    places: tuple[Path_, ...]

    def __str__(self) -> str:
        return f"{self.field}-{'+'.join(str(place[-1]) for place in self.places)}"

    @property
    def definition(self) -> GraphQLField:
        root = SCHEMA.query_type if self.operation == "query" else SCHEMA.mutation_type
        assert root is not None
        definition: GraphQLField = root.fields[self.field]
        return definition

    @property
    def arguments(self) -> dict[str, GraphQLArgument]:
        """Return the arguments that are sent. Other tests choose the language."""
        return {name: arg for name, arg in self.definition.args.items() if name not in LEFT_OUT}


def texts_of(type_: GraphQLInputType, path: Path_) -> Iterator[Path_]:
    """Yield the places of texts in an argument of *type_*."""
    if isinstance(type_, GraphQLNonNull):
        yield from texts_of(type_.of_type, path)
    elif isinstance(type_, GraphQLList):
        yield from texts_of(type_.of_type, (*path, 0))
    elif isinstance(type_, GraphQLInputObjectType):
        for name, field in type_.fields.items():
            yield from texts_of(field.type, (*path, name))
    elif isinstance(type_, GraphQLScalarType) and type_.name != "Boolean":
        yield path


def cases() -> Iterator[Case]:
    """Return one case for each place, one for each pair that must match, and one for all places of a field."""
    for root in (SCHEMA.query_type, SCHEMA.mutation_type):
        assert root is not None
        for name, field in root.fields.items():
            operation = root.name.lower()
            places = [place for arg_name, arg in field.args.items() for place in texts_of(arg.type, (arg_name,))]
            yield from (Case(operation, name, (place,)) for place in places)
            for place in places:
                confirmation = (*place[:-1], f"{place[-1]}Confirmation")
                if confirmation in places:
                    yield Case(operation, name, (place, confirmation))
            if len(places) > 1:
                yield Case(operation, name, tuple(places))


CASES = list(cases())


def usual(type_: GraphQLInputType, name: str) -> Any:
    """Return the usual value of an argument or an input field called *name*."""
    if isinstance(type_, GraphQLNonNull):
        return usual(type_.of_type, name)
    if isinstance(type_, GraphQLList):
        return [usual(type_.of_type, name)]
    if isinstance(type_, GraphQLInputObjectType):
        return {key: usual(field.type, key) for key, field in type_.fields.items() if key not in LEFT_OUT}
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    return True if type_.name == "Boolean" else USUAL.get(name, "x")


def put(value: Any, path: Path_, text: str | None) -> Any:
    """Return *value* with *text* at *path*."""
    if not path:
        return text
    first, *rest = path
    if isinstance(value, list):
        return [put(value[0], tuple(rest), text)]
    return (value or {}) | {first: put((value or {}).get(first), tuple(rest), text)}


def at(value: Any, path: Path_) -> Any:
    """Return the value at *path*, or None."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else value[step]
    return value


def selection(type_: GraphQLOutputType, above: tuple[str, ...] = (), clashing: frozenset[str] = frozenset()) -> str:
    """Select everything in *type_* except types in themselves. Fields whose names clash get aliases."""
    named = get_named_type(type_)
    if isinstance(named, GraphQLUnionType | GraphQLInterfaceType):
        members = SCHEMA.get_possible_types(named)
        clashes = _clashes(members)
        fragments = (f"... on {member.name} {selection(member, above, clashes)}" for member in members)
        return f"{{ __typename {' '.join(fragments)} }}"
    if not isinstance(named, GraphQLObjectType):
        return ""
    fields = (
        f"{f'{named.name}_{name}: ' if name in clashing else ''}{name} {selection(field.type, (*above, named.name))}"
        for name, field in named.fields.items()
        if name not in NOT_ASKED and not _is_within_itself(field.type, (*above, named.name))
    )
    return f"{{ __typename {' '.join(fields)} }}"


def _clashes(members: Sequence[GraphQLObjectType]) -> frozenset[str]:
    """Return the names of fields that have different types in *members*."""
    fields = {(name, str(field.type)) for member in members for name, field in member.fields.items()}
    return frozenset(name for name, count in Counter(name for name, _ in fields).items() if count > 1)


def _is_within_itself(type_: GraphQLOutputType, above: tuple[str, ...]) -> bool:
    named = get_named_type(type_)
    return getattr(named, "name", "") in above


@cache
def document(case: Case) -> str:
    """Return an operation that selects everything in the field, with a variable for each of its arguments."""
    declared = ", ".join(f"${name}: {arg.type}" for name, arg in case.definition.args.items())
    passed = ", ".join(f"{name}: ${name}" for name in case.definition.args)
    return f"{case.operation} ({declared}) {{ {case.field}({passed}) {selection(case.definition.type)} }}"


def literal(value: Any, type_: GraphQLInputType, written: str) -> str:
    """Write *value* as in a document, with *written* in the places that have None."""
    if isinstance(type_, GraphQLNonNull):
        return literal(value, type_.of_type, written)
    if isinstance(type_, GraphQLList):
        return f"[{', '.join(literal(each, type_.of_type, written) for each in value)}]"
    if isinstance(type_, GraphQLInputObjectType):
        fields = (f"{key}: {literal(each, type_.fields[key].type, written)}" for key, each in value.items())
        return f"{{{', '.join(fields)}}}"
    if value is None:
        return written
    return str(value) if isinstance(type_, GraphQLEnumType) else json.dumps(value)


class Caller:
    """A caller who has a link and a captcha, and sends texts of all kinds."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._http = portal.http
        self._tokens: list[str] = []

    async def variables(self, case: Case) -> Answer:
        """Return the usual values of the arguments."""
        values = {name: usual(arg.type, name) for name, arg in case.arguments.items()}
        for path in (path for name, arg in case.arguments.items() for path in texts_of(arg.type, (name,))):
            if path in case.places:
                continue
            if path[-1] == "registrationId":
                values = put(values, path, (await self._portal.create_account())["id"])
            elif path[-1] in {"token", "activationToken"}:
                values = put(values, path, await self._token())
        return values

    async def _token(self) -> str:
        """Return a token that can be used, unless many have been used up."""
        used = [token for token in self._tokens[-1:] if not await self._is_usable(token)]
        if not self._tokens or (used and len(self._tokens) < MAX_TOKENS):
            email = f"camille{len(self._tokens)}@exemple.fr"
            self._tokens.append(await self._portal.activation_token(email=email, siret=OTHER_SIRET))
        return self._tokens[-1]

    async def _is_usable(self, token: str) -> bool:
        return "USABLE" in (await self._portal.inspect_activation_link(token)).values()

    async def send(self, query: str, variables: Answer | None = None, *, by_get: bool = False) -> httpx.Response:
        """Send a request whose JSON is ASCII: its escapes can hold lone surrogates."""
        if by_get:
            return await self._http.get("/graphql", params={"query": query, "variables": json.dumps(variables)})
        body = json.dumps({"query": query, "variables": variables})
        return await self._http.post("/graphql", content=body, headers={"Content-Type": "application/json"})

    async def is_answered(self) -> bool:
        """Return whether the service still answers, with its database."""
        variables = {"identifier": {"type": "SIRET", "value": SIRET}}
        return "OrganisationNotFound" in (await self._portal.call(FIND_ORGANISATION, variables)).values()


@pytest.fixture
def caller(portal: Portal) -> Caller:
    return Caller(portal)


def check_typed(case: Case, response: httpx.Response) -> None:
    """Check that the answer is one of those that the schema has for the field."""
    assert response.headers["content-type"].startswith("application/json")
    answer = response.json()
    assert "errors" not in answer, answer["errors"]
    named = get_named_type(case.definition.type)
    assert isinstance(named, GraphQLUnionType)
    assert answer["data"][case.field]["__typename"] in {member.name for member in named.types}


def check_log(caplog: pytest.LogCaptureFixture) -> None:
    """Check that nothing has failed in silence."""
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert "Traceback" not in caplog.text
    caplog.clear()


def put_in_all(case: Case, values: Any, text: str | None) -> Answer:
    """Return *values* with *text* in every place of *case*."""
    for place in case.places:
        values = put(values, place, text)
    return dict(values)


def row_of(case: Case, values: Answer, number: int) -> tuple[Answer, str]:
    """Return *values* and the text that is usual in the place of *case*. Identifiers get a type by *number*."""
    place = case.places[0]
    if place[-1] != "value":
        return values, str(at(values, place) or "x")
    row = list(IDENTIFIER_FORMATS.values())[number % len(IDENTIFIER_FORMATS)]
    return put(values, (*place[:-1], "type"), row.type.name), row.example


@bounded
@pytest.mark.parametrize("case", CASES, ids=str)
@given(sent=st.builds(Sent, anything, type_=st.integers(0, 6), by_get=st.booleans()))
async def test_text_in_a_variable_has_a_typed_answer(
    sent: Sent, case: Case, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """Any text in any argument is accepted or refused in a type of the schema, and nothing fails."""
    values, expected = row_of(case, await caller.variables(case), sent.type_)
    values = put_in_all(case, values, sent.entry.in_place_of(expected))
    response = await caller.send(document(case), values, by_get=sent.by_get and case.operation == "query")
    assert response.status_code == 200, response.text
    check_typed(case, response)
    assert await caller.is_answered()
    check_log(caplog)


@sqlite_only
@settings(bounded, max_examples=20)
@pytest.mark.parametrize("case", CASES, ids=str)
@given(sent=st.builds(Sent, anything, type_=st.integers(0, 6), quotes=st.sampled_from(['"', '"""', ""])))
async def test_text_in_a_document_has_a_typed_answer_or_a_code(
    sent: Sent, case: Case, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """Any text pasted into a document is a value there, or makes the document a refused one."""
    values, expected = row_of(case, await caller.variables(case), sent.type_)
    text = sent.entry.in_place_of(expected)
    written = f"{sent.quotes}{text}{sent.quotes}" if sent.quotes else json.dumps(text)
    left = put_in_all(case, values, None)
    passed = ", ".join(f"{name}: {literal(left[name], arg.type, written)}" for name, arg in case.arguments.items())
    query = f"{case.operation} {{ {case.field}({passed}) {{ __typename }} }}"
    response = await caller.send(query)
    if response.status_code == 200:
        check_typed(case, response)
    else:
        assert response.status_code == 400
        assert {error["extensions"]["code"] for error in response.json()["errors"]} <= CODES_OF_DOCUMENTS
    assert await caller.is_answered()
    check_log(caplog)
