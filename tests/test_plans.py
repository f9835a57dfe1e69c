"""Plans cover some operations, and leave others to graphql-core. `test_plan_equality.py` compares the answers."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
import strawberry
from graphql import OperationDefinitionNode, parse

from api.graphql.engine.documents import Documents
from api.graphql.engine.execution import execute_operation
from api.graphql.engine.operation import MAX_PLANS
from api.graphql.engine.plan import compile_plan
from api.graphql.engine.plan_outputs import MAX_FIELDS
from api.graphql.engine.strawberry_internals import get_core_schema
from api.graphql.schema import graphql_schema
from tests.support import shapes
from tests.support.both_ways import is_planned, see_both

if TYPE_CHECKING:
    from graphql import GraphQLSchema

    from api.graphql.engine.operation import Operation

pytestmark = pytest.mark.anyio

SWITCHES = """query ($a: Boolean!, $b: Boolean = true, $c: Boolean!, $d: Boolean! = false) {
  echoPicky(picky: {number: 2}) @include(if: $d)
  echoForm(form: {points: []}) @skip(if: $a) ...F @include(if: $b)
}
fragment F on Query { scalars(seed: 1) { text id @skip(if: $c) } }"""


def find_operation(text: str, schema: GraphQLSchema = shapes.schema) -> Operation:
    operation = Documents(schema, introspection=True).get(text).get_operation(None)
    assert operation is not None
    return operation


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("{ plant(seed: 1) { __typename id ... on Leaf { colour } ... on Plant { latinName } } }", {}),
        ("query ($seed: Int!) { things(seed: $seed) { ... on Refused { message } } }", {"seed": 1}),
        ("query ($seed: Int = 1, $b: Boolean!) { things(seed: $seed) { __typename @skip(if: $b) } }", {"b": True}),
        ("{ echoForm(form: {points: {x: 1}}) a: echoForm(form: {points: [], colours: [RED]}) }", {}),
        ("query ($x: Int) { echoForm(form: {points: [{x: 1, y: $x}]}) }", {}),
        ("mutation ($form: Form!) { echoForm(form: $form) }", {"form": {"points": [{"x": 1}], "grid": [[1, None]]}}),
        ("mutation { echoPicky(picky: {number: 2}) }", {}),
    ],
)
def test_plans_cover_what_is_usual(text: str, variables: dict[str, Any]) -> None:
    """Root fields with resolvers, fields that read attributes, and input that fits have a plan."""
    assert is_planned(find_operation(text), variables)


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("{ __typename }", {}),
        ("{ __schema { queryType { name } } }", {}),
        ("{ branches(seed: 1) { counted } }", {}),
        ("{ thing(seed: 1) { __typename } }", {}),
        ("query ($l: Language!) { thing(seed: 1, language: $l) { __typename } }", {"l": None}),
        ("{ echoUnusual(chain: {number: 1}) }", {}),
        ("{ echoUnusual(choice: {number: 1}) }", {}),
        ("{ echoPicky(picky: {number: 1}) }", {}),
        ("query ($seed: Int!) { scalars(seed: $seed) { id } }", {}),
        ("query ($seed: Int!) { scalars(seed: $seed) { id } }", {"seed": 2**31}),
        ("query ($form: Form!) { echoForm(form: $form) }", {"form": {"points": [], "surplus": 1}}),
        ("query ($a: Boolean!) { scalars(seed: 1) { id @skip(if: $a) } }", {"a": "yes"}),
    ],
)
def test_the_unusual_goes_through_graphql_core(text: str, variables: dict[str, Any]) -> None:
    """Fields that do more than read an attribute, defaults of arguments, and input that does not fit have no plan."""
    assert not is_planned(find_operation(text), variables)


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ('{ echoScalars(text: "", number: -0, ratio: -0, flag: true, id: -0) }', {}),
        ('query ($id: ID = -0) { echoScalars(text: "", number: 1, flag: true, id: $id) }', {}),
        ('{ echoScalars(text: "", number: 1, flag: true, shout: "hey") }', {}),
        ('query ($number: Int) { echoScalars(text: "", number: $number, flag: true) }', {}),
        (
            "query ($n: [Int!]) { a: echoLists(numbers: $n, colour: RED) b: echoLists(numbers: $n, colour: RED) }",
            {"n": 1},
        ),
        ("query ($form: Form!) { a: echoForm(form: $form) b: echoForm(form: $form) }", {"form": {"points": {"x": 1}}}),
        ("{ echoUnusual(choice: {number: 1, text: null}) }", {}),
        ("{ echoUnusual(chain: {next: {next: {number: 2}}}) }", {}),
        ("query ($number: Int!) { echoPicky(picky: {number: $number}) }", {"number": 1}),
        ("query ($a: Boolean!) { colours(seed: 1) @skip(if: $a) }", {"a": []}),
        ("query ($a: Boolean!) { colours(seed: 1) @skip(if: $a) }", {"a": 1}),
    ],
)
async def test_unusual_input_is_read_as_by_graphql_core(text: str, variables: dict[str, Any]) -> None:
    """Input that is easily read in another way reaches resolvers, or is refused, as by graphql-core."""
    by_plan, by_core = await see_both(shapes.schema, find_operation(text), variables, shapes.Context)
    assert by_plan == by_core


@pytest.mark.parametrize(("selection", "expected"), [("image", True), ("image audio", False)])
def test_sound_of_a_captcha_goes_through_graphql_core(selection: str, expected: bool) -> None:
    """A captcha's picture is an attribute. Its sound is made by a resolver of its own, which no plan calls."""
    captcha = f"... on PendingRegistration {{ captcha {{ {selection} }} }}"
    text = f"mutation ($id: ID!) {{ renewCaptcha(registrationId: $id) {{ {captcha} }} }}"
    assert is_planned(find_operation(text, graphql_schema), {"id": "1"}) is expected


# --- Bounds ---


async def test_choices_of_switches_have_a_bounded_number_of_plans() -> None:
    """An operation has a plan for each choice of its switches, up to a bound; the others are answered all the same."""
    operation = find_operation(SWITCHES)
    choices = [dict(zip("abcd", values, strict=True)) for values in product([True, False], repeat=4)]
    for choice in choices:
        by_plan, by_core = await see_both(shapes.schema, operation, choice, shapes.Context)
        assert by_plan == by_core
    planned = [operation.find_plan(choice) is not None for choice in choices]
    assert planned == [True] * MAX_PLANS + [False] * (16 - MAX_PLANS)
    assert operation.find_plan(choices[0]) is operation.find_plan(choices[0])


@pytest.mark.parametrize(("number", "expected"), [(MAX_FIELDS, True), (MAX_FIELDS + 1, False)])
def test_operations_of_many_fields_have_no_plan(number: int, expected: bool) -> None:
    """An operation with more fields than `MAX_FIELDS` is not compiled."""
    names = " ".join(f"a{index}: id" for index in range(number))
    document = parse(f"{{ scalars(seed: 1) {{ {names} }} }}")
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    assert (compile_plan(shapes.schema, document, operation, {}) is not None) is expected


# --- Failures ---


class Calls:
    """The context of a request: the names of the fields that were resolved."""

    def __init__(self) -> None:
        self.calls: list[str] = []


Info = strawberry.Info[Calls, None]


@strawberry.type
class Book:
    title: str
    shelf: int | None = None


async def book(info: Info) -> Book:
    info.context.calls.append("book")
    return Book(title="Title", shelf=7)


def nameless(info: Info) -> Book | None:
    info.context.calls.append("nameless")
    return Book(title=None)  # type: ignore[arg-type]  # That is the failure.


async def lost(info: Info) -> Book | None:
    info.context.calls.append("lost")
    raise LookupError


def torn(info: Info) -> str | None:
    info.context.calls.append("torn")
    raise LookupError


def lent(info: Info) -> Book | None:
    return book(info)  # type: ignore[return-value]  # A plain function may return a promise.


@strawberry.type
class Query:
    book: Book = strawberry.field(resolver=book)
    nameless: Book | None = strawberry.field(resolver=nameless)
    lost: Book | None = strawberry.field(resolver=lost)
    torn: str | None = strawberry.field(resolver=torn)
    lent: Book | None = strawberry.field(resolver=lent)


library = get_core_schema(strawberry.Schema(Query))


async def execute(text: str) -> tuple[Any, list[str], list[str]]:
    """Return the data, the places of the errors, and the calls of resolvers."""
    context, operation = Calls(), find_operation(text, library)
    assert is_planned(operation, {})
    result = await execute_operation(library, operation, {}, context)
    places = [".".join(map(str, error.path or ())) for error in result.errors or ()]
    return result.data, places, context.calls


async def test_root_fields_that_fail_keep_the_data_of_others() -> None:
    """A root field that fails is null with an error at its place, and the others have their data."""
    data, places, calls = await execute("{ book { title shelf } lost { title } nameless { title } }")
    assert data == {"book": {"title": "Title", "shelf": 7}, "lost": None, "nameless": None}
    assert places == ["nameless.title", "lost"]
    assert sorted(calls) == ["book", "lost", "nameless"]


async def test_no_resolver_is_called_twice_for_a_value_that_does_not_fit() -> None:
    """graphql-core completes the value that the resolver returned to the plan, and calls no resolver again."""
    assert await execute("{ nameless { title } }") == ({"nameless": None}, ["nameless.title"], ["nameless"])


async def test_failure_of_a_scalar_is_no_value() -> None:
    """A scalar that can write anything, as a text can, never writes a failure."""
    assert await execute("{ torn }") == ({"torn": None}, ["torn"], ["torn"])


async def test_promise_of_a_plain_resolver_is_awaited() -> None:
    """A resolver that is not asynchronous may return a promise."""
    assert await execute("{ lent { title } }") == ({"lent": {"title": "Title"}}, [], ["book"])
