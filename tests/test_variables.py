"""Errors of variables: the place and the reason of each, as graphql-core finds them, without its words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.graphql.engine.errors import MAX_ERRORS
from api.graphql.engine.variables import DOES_NOT_FIT, explain_variables
from tests.support.work import calls_of

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = graphql.build_schema(
    """
    enum Colour { RED GREEN }
    input Point { x: Int!, y: Int! = 0, colour: Colour, label: String }
    input Shape { points: [Point!]!, grid: [[Int!]], centre: Point, ratio: Float, shapes: [Shape] }
    input Choice @oneOf { number: Int, text: String }
    type Query { draw(shape: Shape!, again: [Shape!], colours: [Colour!], choice: Choice, word: String): Int }
    """
)
QUERY = """query ($shape: Shape!, $again: [Shape!], $colours: [Colour!], $choice: Choice, $word: String! = "default") {
  draw(shape: $shape, again: $again, colours: $colours, choice: $choice, word: $word)
}"""
DOCUMENT = graphql.parse(QUERY)
POINT = {"x": 1}
SHAPE = {"points": [POINT]}


def operation() -> graphql.OperationDefinitionNode:
    assert graphql.validate(SCHEMA, DOCUMENT) == []
    node = graphql.get_operation_ast(DOCUMENT)
    assert node is not None
    return node


def refusals(variables: dict[str, Any], most: int | None = None) -> list[graphql.GraphQLError]:
    """Return graphql-core's own errors, all or the first, none if it coerces the variables."""
    definitions = operation().variable_definitions or ()
    values = graphql.get_variable_values(SCHEMA, definitions, variables, max_errors=most, hide_suggestions=True)
    return values if isinstance(values, list) else []


def messages(variables: dict[str, Any]) -> list[str]:
    errors = explain_variables(SCHEMA, operation(), variables, refusals(variables, MAX_ERRORS))
    assert all(error.extensions == {"code": "BAD_USER_INPUT"} for error in errors)
    return [error.message for error in errors]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ["Variable $shape: a value is required."]),
        ({"shape": None}, ["Variable $shape: null is not accepted."]),
        ({"shape": SHAPE, "word": None}, ["Variable $word: null is not accepted."]),
        ({"shape": SHAPE, "word": 1}, ["Variable $word: the value does not fit its type."]),
        ({"shape": "secret"}, ["Variable $shape: the value does not fit its type."]),
        ({"shape": {}}, ["Variable $shape: the field points is missing."]),
        ({"shape": SHAPE | {"size": 1}}, ["Variable $shape: there is no field size."]),
        ({"shape": SHAPE | {"a secret": 1}}, ["Variable $shape: the value does not fit its type."]),
        ({"shape": SHAPE | {"s" * 41: 1}}, ["Variable $shape: the value does not fit its type."]),
        (
            {"shape": {"points": POINT}, "again": SHAPE | {"ratio": "secret"}},
            ["Variable $again.ratio: " + DOES_NOT_FIT],
        ),
        ({"shape": {"points": {"y": 1}}}, ["Variable $shape.points: the field x is missing."]),
        ({"shape": {"points": [POINT, None]}}, ["Variable $shape.points[1]: null is not accepted."]),
        ({"shape": {"points": [{"x": 1, "y": None}]}}, ["Variable $shape.points[0].y: null is not accepted."]),
        ({"shape": SHAPE | {"grid": [[1], [2, None]]}}, ["Variable $shape.grid[1][1]: null is not accepted."]),
        ({"shape": SHAPE | {"grid": ["secret"]}}, ["Variable $shape.grid[0]: the value does not fit its type."]),
        ({"shape": SHAPE | {"grid": "secret"}}, ["Variable $shape.grid: the value does not fit its type."]),
        ({"shape": SHAPE, "colours": ["RED", "secret"]}, ["Variable $colours[1]: this is no value of Colour."]),
        ({"shape": SHAPE, "colours": "secret"}, ["Variable $colours: this is no value of Colour."]),
        ({"shape": SHAPE, "colours": [1]}, ["Variable $colours[0]: the value does not fit its type."]),
        ({"shape": SHAPE, "choice": {}}, ["Variable $choice: the value does not fit its type."]),
        ({"shape": SHAPE, "choice": {"text": None}}, ["Variable $choice.text: null is not accepted."]),
        (
            {"shape": {"points": [{"colour": "secret", "size": 1}]}, "word": []},
            [
                "Variable $shape.points[0]: the field x is missing.",
                "Variable $shape.points[0].colour: this is no value of Colour.",
                "Variable $shape.points[0]: there is no field size.",
                "Variable $word: the value does not fit its type.",
            ],
        ),
    ],
)
def test_error_names_the_place_and_the_reason(variables: dict[str, Any], expected: list[str]) -> None:
    """The error names the wrong variable, the place and the reason, without a value."""
    told = messages(variables)
    assert told == [message if message.endswith(".") else f"{message}." for message in expected]
    assert "secret" not in "".join(told)


def test_errors_point_at_the_definitions_of_the_variables() -> None:
    """Each error has the place in the document where its variable is defined."""
    wrong = {"colours": 1}
    errors = explain_variables(SCHEMA, operation(), wrong, refusals(wrong))
    assert [error.locations for error in errors] == [error.locations for error in refusals(wrong)]
    assert len({str(error.locations) for error in errors}) == 2


def test_five_errors_are_reported_and_the_rest_announced() -> None:
    """Of many mistakes, five are told, and that there are more."""
    told = messages({"shape": SHAPE, "colours": [0] * 50})
    assert told == [
        *(f"Variable $colours[{number}]: {DOES_NOT_FIT}." for number in range(5)),
        "And 1 more that do not fit their types.",
    ]


def test_many_mistakes_take_no_more_work_than_a_few() -> None:
    """The search for mistakes ends when as many are found as are told."""

    def work(count: int) -> int:
        wrong = {"shape": SHAPE, "colours": [0] * count}
        return calls_of(lambda: explain_variables(SCHEMA, operation(), wrong, []))

    work(10)  # Patterns are compiled and types are found here.
    assert work(2_000) < 1.05 * work(10)  # The garbage collector may call a finaliser meanwhile.


def test_too_deep_value_is_reported_without_a_place() -> None:
    """A variable that is refused for its depth alone gets an error without a place."""
    shape: dict[str, Any] = dict(SHAPE)
    for _ in range(400):
        shape = SHAPE | {"shapes": [shape]}
    assert messages({"shape": shape}) == ["A variable does not fit its type."]


def json_like() -> st.SearchStrategy[Any]:
    """Values that often fit the schema in part."""
    leaves = st.sampled_from([None, True, 0, 1, 1.5, -(2**40), "RED", "secret", ""])
    keys = st.sampled_from(["points", "grid", "centre", "ratio", "shapes", "x", "y", "colour", "label", "secret"])
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))


def places(errors: Iterable[graphql.GraphQLError]) -> list[str]:
    """Return the beginnings of graphql-core's messages, up to the place."""
    return [error.message.partition(": ")[0] for error in errors]


@given(st.fixed_dictionaries({"shape": json_like()}, optional={"again": json_like(), "colours": json_like()}))
def test_each_mistake_is_reported_with_graphql_cores_place_and_a_reason(variables: dict[str, Any]) -> None:
    """The errors have the places that graphql-core finds, in its order, and a reason for each field."""
    found = refusals(variables)
    told = explain_variables(SCHEMA, operation(), variables, found)
    expected = [place.replace("'", "").replace(" has invalid value", "").replace(" at ", "") for place in places(found)]
    assert places(told)[:MAX_ERRORS] == expected[:MAX_ERRORS]
    assert len(told) == min(len(found), MAX_ERRORS + 1)
    assert "secret" not in "".join(error.message for error in told if "no field" not in error.message)
    for error, original in zip(told[:MAX_ERRORS], found, strict=False):
        is_of_a_field = "required field" in original.message or "unknown field" in original.message
        assert not (is_of_a_field and DOES_NOT_FIT in error.message)
