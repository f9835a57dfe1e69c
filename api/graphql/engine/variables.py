"""Errors of variables that don't fit their types: where each is wrong, and why, without quoting its value."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    Undefined,
    get_nullable_type,
    is_list_type,
    is_required_input_field,
    type_from_ast,
    validate_input_value,
)

from api.graphql.engine.errors import BAD_USER_INPUT, MAX_ERRORS, coded_error, list_first_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from graphql import GraphQLSchema, OperationDefinitionNode

Path: TypeAlias = tuple[str | int, ...]

NAME = re.compile(r"\w{1,40}")  # A longer or stranger key is not repeated to its sender: it may be a secret.
DOES_NOT_FIT = "the value does not fit its type"


class _EnoughPlaces(Exception):
    """As many places are known as are told."""


def explain_variables(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
    errors: Sequence[GraphQLError],
) -> list[GraphQLError]:
    """Tell which variables are wrong, where, and why.

    graphql-core has refused them with *errors*, whose messages quote the values. It finds the places again; the value
    and the type at each place give the reason. Without any such place, as in a variable that is nested too deeply, the
    errors have only their positions.
    """
    found = list(islice(_explain(schema, operation, variables), MAX_ERRORS + 1))
    return list_first_errors(found or [_error("A variable does not fit its type.", error.nodes) for error in errors])


def _explain(
    schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> Iterator[GraphQLError]:
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        if name not in variables and definition.default_value is not None:
            continue
        type_, value = type_from_ast(schema, definition.type), variables.get(name, Undefined)
        reasons: dict[Path, Iterator[str]] = {}
        for path in _find_wrong_places(type_, value):
            if path not in reasons:
                reasons[path] = _find_reasons(*_follow(path, type_, value))
            reason = next(reasons[path], DOES_NOT_FIT)
            yield _error(f"Variable ${name}{_format(path)}: {reason}.", [definition])


def _find_wrong_places(type_: Any, value: Any) -> list[Path]:
    """Return the places in *value* that don't fit, each as often as it has mistakes, and no more than are told."""
    places: list[Path] = []

    def note(_: GraphQLError, path: list[str | int]) -> None:
        places.append(tuple(path))
        if len(places) > MAX_ERRORS:
            raise _EnoughPlaces

    with suppress(_EnoughPlaces, RecursionError):
        validate_input_value(value, type_, note, hide_suggestions=True)
    return places


def _follow(path: Path, type_: Any, value: Any) -> tuple[Any, Any]:
    """Return the type and the value at *path*."""
    for key in path:
        type_ = _unwrap(type_, value)
        type_, value = type_.of_type if isinstance(key, int) else type_.fields[key].type, value[key]
    return _unwrap(type_, value), value


def _unwrap(type_: Any, value: Any) -> Any:
    """Return the nullable type that *value* must have. What is no list is taken for a list of one (June 2018, 3.11)."""
    type_ = get_nullable_type(type_)
    while is_list_type(type_) and not isinstance(value, list):
        type_ = get_nullable_type(type_.of_type)
    return type_


def _find_reasons(type_: Any, value: Any) -> Iterator[str]:
    """Tell why *value* does not fit *type_*, a reason for each mistake."""
    if value is Undefined:
        yield "a value is required"
    elif value is None:
        yield "null is not accepted"
    elif isinstance(type_, GraphQLEnumType) and isinstance(value, str):
        yield f"this is no value of {type_.name}"
    elif isinstance(type_, GraphQLInputObjectType) and isinstance(value, dict):
        required = (name for name, field in type_.fields.items() if is_required_input_field(field))
        yield from (f"the field {name} is missing" for name in required if name not in value)
        unknown = (name for name in value if name not in type_.fields)
        yield from (f"there is no field {name}" if NAME.fullmatch(name) else DOES_NOT_FIT for name in unknown)


def _format(path: Path) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


def _error(message: str, nodes: Any) -> GraphQLError:
    return coded_error(BAD_USER_INPUT, message, nodes=nodes)
