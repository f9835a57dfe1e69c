"""Errors of validation are reported by their subject, without graphql-core's sentences where those quote values."""

from __future__ import annotations

import graphql
import pytest

from api.graphql.engine.validation import RULES, find_validation_errors
from api.graphql.schema import graphql_schema

WRITTEN = "A value that is written here does not fit its type."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ terms }", ["Field 'terms' of type 'Terms!' must have a selection of subfields."]),
        ("{ terms { url { a } } }", ["Field 'url' must not have a selection since type 'String!' has no subfields."]),
        ("{ terms(language: secret) { url } }", [WRITTEN]),
        ('{ terms(language: "secret") { url } }', [WRITTEN]),
        ("query ($l: Language = secret) { terms(language: $l) { url } }", [WRITTEN]),
        (
            '{ organisation(identifier: {type: SIRET, value: "secret", name: 1}) { __typename } }',
            ["There is no field 'name' in the input that is written here."],
        ),
        ('{ organisation(identifier: {type: SIRET, value: ["secret"]}) { __typename } }', [WRITTEN]),
        ('{ organisation(identifier: {value: "secret"}) { __typename } }', [WRITTEN]),
        ("{ terms(language: $secret) { url } }", ["A variable that is used here is not defined."]),
        (
            "query Q { terms(language: $secret) { url } }",
            ["A variable that is used here is not defined by operation 'Q'."],
        ),
        ("{ nothing }", ["Cannot query field 'nothing' on type 'Query'."]),
    ],
)
def test_error_names_its_subject_without_values_or_hints(text: str, expected: list[str]) -> None:
    """Written values, their fields and unknown variables are told in words that quote no value and give no hint."""
    errors = find_validation_errors(graphql_schema, graphql.parse(text), introspection=True)
    assert [error.message for error in errors] == expected
    assert all(error.nodes for error in errors)
    assert all(error.extensions == {"code": "GRAPHQL_VALIDATION_FAILED"} for error in errors)


def test_every_rule_of_graphql_core_is_applied() -> None:
    """One rule is replaced by its own kind; none is left out."""
    assert len(RULES) == len(graphql.specified_rules)
    assert all(issubclass(rule, original) for rule, original in zip(RULES, graphql.specified_rules, strict=True))
    assert sum(rule is not original for rule, original in zip(RULES, graphql.specified_rules, strict=True)) == 1


def test_graphql_core_still_gives_the_hint_that_we_remove() -> None:
    """graphql-core's rule gives a hint though suggestions are hidden. Once it no longer does, ours can go."""
    (error,) = graphql.validate(graphql_schema, graphql.parse("{ terms }"), hide_suggestions=True)
    assert "Did you mean" in error.message
