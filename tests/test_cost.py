"""The cost of an operation, with its arguments and its answer, is bounded before it is executed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import graphql
import pytest

from api.graphql.engine.cost import DEFAULT_LIST_SIZE, MAX_COST, OperationCost
from api.graphql.engine.documents import Documents
from api.graphql.engine.errors import DocumentRefused
from api.graphql.engine.selections import get_fragments, get_operations
from api.graphql.schema import graphql_schema
from models.identifiers import IDENTIFIER_FORMATS
from tests.support.client import CHECK_PASSWORD, FIND_ORGANISATION, FIND_ORGANISATIONS, SIRET
from tests.support.databases import sqlite_only
from tests.support.work import calls_of

if TYPE_CHECKING:
    import httpx

    from tests.support.client import Answer, Portal

SCHEMA = graphql_schema
IDENTIFIER = {"type": "SIRET", "value": SIRET}
ALL_OF_IT = graphql.get_introspection_query(
    specified_by_url=True,
    directive_is_repeatable=True,
    schema_description=True,
    input_value_deprecation=True,
    experimental_directive_deprecation=True,
    one_of=True,
)
# Types of fields under twenty aliases, with their inner types: 1 KB whose answer would have megabytes.
WIDE = """fragment F on __Type { ...G ofType { ...G ofType { ...G } } }
fragment G on __Type { kind name description isOneOf enumValues(includeDeprecated: true) { name description }
  possibleTypes { ...H } interfaces { ...H } inputFields { name type { ...H } }
  fields { name args { name type { ...H } } type { ...H } } }
fragment H on __Type { kind name description isOneOf ofType { kind name enumValues { name } ofType { kind name } } }"""
ALIASED_TYPES = "{ __schema { types { fields { " + " ".join(f"a{n}: type {{ ...F }}" for n in range(20)) + " } } } }"
ALIASED_SCHEMAS = "{ __schema { " + " ".join(f"a{n}: types {{ ...T }}" for n in range(20)) + " } }"
ATTACKS = [
    ALIASED_TYPES + WIDE,
    ALIASED_SCHEMAS + "fragment T on __Type { fields { type { ...F } } inputFields { type { ...F } } }" + WIDE,
    "query ($n: String!) { __type(name: $n) { fields { "
    + " ".join(f"a{n}: type {{ ...F }}" for n in range(20))
    + "}}}"
    + WIDE,
]


def cost(query: str, variables: Answer | None = None) -> int:
    """Return the cost of the only operation of *query*."""
    document = graphql.parse(query)
    assert graphql.validate(SCHEMA, document) == []
    (operation,) = get_operations(document)
    return OperationCost(SCHEMA, get_fragments(document), operation, variables or {}).count()


def answered_fields(value: Any) -> int:
    """Count the fields of an answer, at any depth."""
    if isinstance(value, dict):
        return sum(1 + answered_fields(inner) for inner in value.values())
    return sum(map(answered_fields, value)) if isinstance(value, list) else 0


# --- Introspection ---


@pytest.mark.parametrize(
    "query",
    [
        ALL_OF_IT,
        graphql.get_introspection_query(),
        "{ __schema { types { fields { args { name type { name } } } } directives { args { name } } } }",
        '{ __type(name: "ProblemCode") { enumValues { name } ofType { name } } }',
        '{ __type(name: "Problem") { possibleTypes { name interfaces { name } } } a: __type(name: "No") { name } }',
        "{ ...F ...F } fragment F on Query { __schema { ... on __Schema { queryType { ...G } } ...S } __typename }"
        " fragment G on __Type { name fields { name } } fragment S on __Schema { mutationType { ...G } }",
    ],
    ids=lambda query: query[:40],
)
def test_cost_of_introspection_is_its_number_of_fields(query: str) -> None:
    """The cost of introspection is exactly the number of fields in its answer."""
    assert cost(query) == answered_fields(graphql.execute_sync(SCHEMA, graphql.parse(query)).data)


def test_type_named_by_a_variable_counts_as_all_types() -> None:
    """A variable that names a type can't make introspection cheaper than it is."""
    query = "query ($name: String!) { __type(name: $name) { name fields { name type { name } } } }"
    all_types = "{ __schema { types { name fields { name type { name } } } } }"
    assert cost(query) == cost(query, {"name": "Query"}) == cost(all_types) - 1


@pytest.mark.parametrize("depth", range(5, 10))
def test_introspection_by_tools_takes_half_of_the_limit(depth: int) -> None:
    """The introspection of GraphiQL and of code generators costs at most half of the limit."""
    introspection = graphql.get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
        one_of=True,
        type_depth=depth,
    )
    assert cost(introspection) <= MAX_COST // 2
    assert cost(ALL_OF_IT) <= MAX_COST // 2


@sqlite_only
@pytest.mark.anyio
@pytest.mark.parametrize("query", ATTACKS, ids=lambda query: query[:40])
async def test_introspection_that_multiplies_the_schema_is_refused(http: httpx.AsyncClient, query: str) -> None:
    """Introspection that multiplies the schema is refused before it is executed, by GET and by POST."""
    variables = {"n": "Organisation"}
    answers = [
        await http.post("/graphql", json={"query": query, "variables": variables}),
        await http.get("/graphql", params={"query": query, "variables": json.dumps(variables)}),
    ]
    for answer in answers:
        assert answer.status_code == 400
        assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["LIMIT_EXCEEDED"]


@pytest.mark.parametrize("query", ATTACKS, ids=lambda query: query[:40])
def test_refusing_introspection_is_cheaper_than_answering(query: str) -> None:
    """It takes less work to find that an answer is too large than to answer the ordinary introspection."""
    document = Documents(SCHEMA, introspection=True).get(query).get_operation(None)
    assert document is not None

    def refuse() -> None:
        with pytest.raises(DocumentRefused):
            document.check_cost({"n": "Query"})

    assert calls_of(refuse) < calls_of(lambda: graphql.execute_sync(SCHEMA, graphql.parse(ALL_OF_IT))) / 2


# --- Lists ---


def lists(aliases: int, selection: str = "__typename") -> str:
    fields = " ".join(f"a{n}: organisations(identifiers: $identifiers) {{ {selection} }}" for n in range(aliases))
    return f"query ($identifiers: [OrganisationIdentifierInput!]!) {{ {fields} }}"


@sqlite_only
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (lists(20), {"identifiers": [IDENTIFIER] * 100}),
        (lists(1), {"identifiers": [IDENTIFIER] * 1_000}),
        (lists(20), {"identifiers": [{}] * 2_150}),
        (lists(20), {"identifiers": [None] * 10_000}),
        (lists(1), {"identifiers": [1] * 20_000}),
        (lists(20, "... on OrganisationList { items { __typename } }"), {"identifiers": [IDENTIFIER] * 90}),
        (CHECK_PASSWORD, {"input": {"password": "x", "personalData": ["x"] * 5_000}}),
        (CHECK_PASSWORD, {"input": {"password": "x", "personalData": [["x"] * 5_000]}}),
        (CHECK_PASSWORD, {"input": {"password": "x", "personalData": {"a": [["x"] * 5_000]}}}),
    ],
)
async def test_long_lists_are_refused_before_they_are_coerced(
    http: httpx.AsyncClient, query: str, variables: Answer
) -> None:
    """Lists that are much too long, or under too many aliases, are refused before they are coerced."""

    async def ask() -> httpx.Response:
        return await http.post("/graphql", json={"query": query, "variables": variables})

    answer = await ask()
    assert answer.status_code == 400
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["LIMIT_EXCEEDED"]


@pytest.mark.parametrize("count", [2_150, 21_500])
def test_long_list_is_counted_and_not_read(count: int) -> None:
    """A list is refused by its length alone: the work does not grow with the list."""
    operation = Documents(SCHEMA, introspection=True).get(lists(20)).get_operation(None)
    assert operation is not None

    def refuse() -> None:
        with pytest.raises(DocumentRefused):
            operation.check_cost({"identifiers": [IDENTIFIER] * count})

    assert calls_of(refuse) < 2_000


@sqlite_only
@pytest.mark.anyio
async def test_three_lists_of_a_hundred_are_answered(portal: Portal) -> None:
    """One request can ask three times for a hundred organisations, with all of their fields."""
    (field,) = [line for line in FIND_ORGANISATIONS.splitlines() if "organisations(" in line]
    start = FIND_ORGANISATIONS.index(field)
    end = FIND_ORGANISATIONS.rindex("}")
    whole = FIND_ORGANISATIONS[start:end]
    thrice = FIND_ORGANISATIONS[:start] + " ".join(f"a{n}: {whole}" for n in range(3)) + "}"
    answer = await portal.execute(thrice, {"identifiers": [IDENTIFIER] * 100})
    assert "errors" not in answer
    assert [len(listed["items"]) for listed in answer["data"].values()] == [100] * 3


def test_lists_in_defaults_of_variables_count() -> None:
    """A list that is the default of a variable costs the same as one that is sent."""
    default = '[{type: SIRET, value: "1"}, {type: SIRET, value: "2"}]'
    query = lists(1).replace("Input!]!", f"Input!] = {default}")
    assert cost(query) == cost(lists(1), {"identifiers": [IDENTIFIER] * 2})
    assert cost(query, {"identifiers": [IDENTIFIER] * 50}) == cost(lists(1), {"identifiers": [IDENTIFIER] * 50})


# --- Everything else ---


def test_only_the_most_expensive_member_of_a_union_counts() -> None:
    """The cost of a union or an interface is that of its most expensive member, not of all together."""
    one = '{ organisation(identifier: {type: SIRET, value: "1"}) { SELECTION } }'
    long = "... on Organisation { id name city source status }"
    assert cost(one.replace("SELECTION", long)) == cost(one.replace("SELECTION", long + "... on Problem { code }"))


def test_lists_without_a_declared_size_are_within_the_default() -> None:
    """A list whose field declares no size is no longer than the default that the cost assumes."""
    assert len(IDENTIFIER_FORMATS) <= DEFAULT_LIST_SIZE


def test_sound_can_be_requested_twice_per_request() -> None:
    """A sound of a hundred kilobytes is answered under two aliases, and refused under three."""
    query = "mutation { renewCaptcha(registrationId: 1) { ... on PendingRegistration { captcha { SOUNDS } } } }"
    assert cost(query.replace("SOUNDS", "image a: audio b: audio")) <= MAX_COST
    operation = Documents(SCHEMA, introspection=True).get(query.replace("SOUNDS", "a: audio b: audio c: audio"))
    with pytest.raises(DocumentRefused):
        operation.get_operation(None).check_cost({})  # type: ignore[union-attr]  # The document has one.


def test_cost_without_lists_is_counted_once() -> None:
    """The cost of an operation without lists is counted with its first request only."""
    operation = Documents(SCHEMA, introspection=True).get(FIND_ORGANISATION).get_operation(None)
    assert operation is not None
    variables = {"identifier": IDENTIFIER, "language": "FR"}
    assert calls_of(lambda: operation.check_cost(variables)) > 50
    assert calls_of(lambda: operation.check_cost(variables)) < 5


def test_long_list_is_refused_after_a_short_one() -> None:
    """A long list is refused after a short one was accepted in the same document."""
    operation = Documents(SCHEMA, introspection=True).get(FIND_ORGANISATIONS).get_operation(None)
    assert operation is not None
    operation.check_cost({"identifiers": [IDENTIFIER]})
    with pytest.raises(DocumentRefused):
        operation.check_cost({"identifiers": [IDENTIFIER] * 1_000})
    operation.check_cost({"identifiers": [IDENTIFIER]})


def test_cost_of_lists_is_counted_once_for_each_length() -> None:
    """Lists of one length cost the same, with any content; a longer one is counted anew, and may cost too much."""
    query = "query ($i: [OrganisationIdentifierInput!]!) { organisations(identifiers: $i) { __typename } }"
    operation = Documents(SCHEMA, introspection=True).get(query).get_operation(None)
    assert operation is not None
    one: dict[str, Any] = {"type": "SIRET", "value": "732 829 320 00074"}
    operation.check_cost({"i": [one] * 100})
    assert calls_of(lambda: operation.check_cost({"i": [one | {"value": "x"}] * 100})) < 8
    with pytest.raises(DocumentRefused):
        operation.check_cost({"i": [one] * 5_000})
    operation.check_cost({"i": [one] * 100})
    with pytest.raises(DocumentRefused):
        operation.check_cost({"i": {"type": [[1]] * 9_000}})
    operation.check_cost({"i": one})
