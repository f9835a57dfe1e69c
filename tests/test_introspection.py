"""Introspection: each of its fields works for each type."""

from __future__ import annotations

from typing import Any

import graphql

from api.graphql.engine.introspection import CHILDREN
from api.graphql.schema import graphql_schema

SCHEMA = graphql_schema
NAMES_OF_META = ("__Schema", "__Type", "__Field", "__InputValue", "__EnumValue", "__Directive")
TYPES = [SCHEMA.type_map[name] for name in NAMES_OF_META]


def fields_of(type_: Any) -> dict[str, graphql.GraphQLField]:
    fields: dict[str, graphql.GraphQLField] = type_.fields
    return fields


def asking_for_all(type_: Any, depth: int) -> str:
    """Select every field of *type_*, down to *depth* levels."""
    parts = ["__typename"]
    for name, field in fields_of(type_).items():
        arguments = "(includeDeprecated: true)" if "includeDeprecated" in field.args else ""
        named = graphql.get_named_type(field.type)
        if not isinstance(named, graphql.GraphQLObjectType):
            parts.append(name + arguments)
        elif depth:
            parts.append(f"{name}{arguments} {asking_for_all(named, depth - 1)}")
    return f"{{ {' '.join(parts)} }}"


def test_every_field_works_for_every_type() -> None:
    """Every field of introspection works for every kind of type, wrapping types included."""
    result = graphql.execute_sync(SCHEMA, graphql.parse(f"{{ __schema {asking_for_all(TYPES[0], 4)} }}"))
    assert result.errors is None
    kinds = {type_["kind"] for type_ in walk(result.data, "kind")}
    assert kinds == {kind.name for kind in graphql.TypeKind}


def walk(value: Any, key: str) -> list[dict[str, Any]]:
    """Return the objects in *value* that have *key*."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [value] if isinstance(value, dict) and key in value else []
    return [*found, *(object_ for part in inner for object_ in walk(part, key))]


def test_is_one_of_is_null_for_all_but_inputs() -> None:
    """isOneOf is a Boolean for input objects, and null for every other type."""
    query = "{ __schema { types { kind isOneOf fields { type { kind isOneOf } } } } }"
    data = graphql.execute_sync(SCHEMA, graphql.parse(query)).data
    told = {(type_["kind"], type_["isOneOf"]) for type_ in walk(data, "isOneOf")}
    assert told >= {("INPUT_OBJECT", False), ("NON_NULL", None), ("LIST", None), ("OBJECT", None)}
    assert {kind for kind, value in told if value is not None} == {"INPUT_OBJECT"}


def test_cost_knows_the_children_of_each_field() -> None:
    """The cost table lists each introspection field of this graphql-core that has fields itself."""
    fields = {
        name
        for type_ in TYPES
        for name, field in fields_of(type_).items()
        if isinstance(graphql.get_named_type(field.type), graphql.GraphQLObjectType)
    }
    assert fields == set(CHILDREN)
