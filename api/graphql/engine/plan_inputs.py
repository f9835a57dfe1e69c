"""Plans for input: a variable or an argument becomes the value that a resolver gets, without graphql-core.

Each function here returns a function that does the work of one type. It accepts what fits the type, and raises
`NotPlanned` for anything else: graphql-core then explains what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLString,
    ListValueNode,
    NonNullTypeNode,
    ObjectValueNode,
    VariableNode,
    is_required_input_field,
    type_from_ast,
    value_from_ast_untyped,
)

from api.graphql.engine.strawberry_internals import get_input_class

if TYPE_CHECKING:
    from graphql import GraphQLSchema, OperationDefinitionNode, ValueNode

Convert: TypeAlias = Callable[[Any], Any]
"""Return the Python value for a value of JSON."""

ABSENT: Any = object()
"""Stands for a variable that the request does not set."""


class NotPlanned(Exception):
    """The plan does not cover this: graphql-core does."""


def compile_input(type_: Any) -> Convert:
    """Return the conversion of JSON to an input type.

    :raises NotPlanned: the type is not one that plans cover.
    """
    if isinstance(type_, GraphQLNonNull):
        return _refuse_null(_compile_nullable(type_.of_type))
    return _keep_null(_compile_nullable(type_))


def _compile_nullable(type_: Any) -> Convert:
    if isinstance(type_, GraphQLList):
        return _compile_list(compile_input(type_.of_type))
    if isinstance(type_, GraphQLInputObjectType):
        return _compile_object(type_)
    if isinstance(type_, GraphQLEnumType):
        return _compile_enum(type_)
    return _take_text if type_ is GraphQLString else _compile_scalar(type_)


def _refuse_null(convert: Convert) -> Convert:
    def convert_non_null(value: Any) -> Any:
        if value is None:
            raise NotPlanned
        return convert(value)

    return convert_non_null


def _keep_null(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _take_text(value: Any) -> Any:
    if type(value) is str:
        return value
    raise NotPlanned


def _compile_scalar(type_: Any) -> Convert:
    coerce = type_.coerce_input_value

    def convert(value: Any) -> Any:
        try:
            return coerce(value)
        except Exception:
            raise NotPlanned from None

    return convert


def _compile_enum(type_: GraphQLEnumType) -> Convert:
    members = {name: type_.coerce_input_value(name) for name in type_.values}

    def convert(value: Any) -> Any:
        if type(value) is not str or value not in members:
            raise NotPlanned
        return members[value]

    return convert


def _compile_list(convert_item: Convert) -> Convert:
    """Take what is no list for a list of one (June 2018, 3.11)."""

    def convert(value: Any) -> Any:
        return [convert_item(item) for item in value] if type(value) is list else [convert_item(value)]

    return convert


def _compile_object(type_: GraphQLInputObjectType) -> Convert:
    class_ = get_input_class(type_)
    if class_ is None:
        raise NotPlanned
    build, nulls = class_.build, class_.nulls
    fields = [
        (name, class_.attributes[name], compile_input(field.type), is_required_input_field(field))
        for name, field in type_.fields.items()
    ]

    def convert(value: Any) -> Any:
        if type(value) is not dict:
            raise NotPlanned
        taken, attributes = 0, nulls.copy()
        for name, attribute, convert_field, is_required in fields:
            if name in value:
                attributes[attribute] = convert_field(value[name])
                taken += 1
            elif is_required:
                raise NotPlanned
        if taken < len(value):  # A field is unknown.
            raise NotPlanned
        return build(**attributes)

    return convert


class VariablePlan:
    """Converts the variables of an operation, by the types that it declares for them."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._variables: list[tuple[str, Convert, bool]] = []
        self._defaults: dict[str, Any] = {}
        for definition in operation.variable_definitions or ():
            name, is_required = definition.variable.name.value, isinstance(definition.type, NonNullTypeNode)
            self._variables.append((name, compile_input(type_from_ast(schema, definition.type)), is_required))
            if definition.default_value is not None:
                self._defaults[name] = value_from_ast_untyped(definition.default_value)

    def convert(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of those variables that have one.

        :raises NotPlanned: a value does not fit its type, or is missing.
        """
        values = {}
        for name, convert, is_required in self._variables:
            value = self.get_json(name, variables)
            if value is not ABSENT:
                values[name] = convert(value)
            elif is_required:
                raise NotPlanned
        return values

    def get_json(self, name: str, variables: Mapping[str, Any]) -> Any:
        """Return a variable as the request, or else its default, has it; `ABSENT` if there is neither."""
        return variables[name] if name in variables else self._defaults.get(name, ABSENT)


ReadArgument: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
"""Return an argument's value, or `ABSENT`, by the converted variables and those of the request."""


def compile_argument(node: ValueNode, type_: Any, variables: VariablePlan) -> ReadArgument:
    """Return a reader of an argument, which is a variable, or a literal that may have variables in it."""
    if isinstance(node, VariableNode):
        return _compile_variable(node.name.value, is_required=isinstance(type_, GraphQLNonNull))
    convert = compile_input(type_)
    return lambda _, sent: convert(_substitute(node, sent, variables))


def _compile_variable(name: str, *, is_required: bool) -> ReadArgument:
    def read(values: Mapping[str, Any], _: Mapping[str, Any]) -> Any:
        value = values.get(name, ABSENT)
        if is_required and (value is None or value is ABSENT):
            raise NotPlanned
        return value

    return read


def _substitute(node: ValueNode, sent: Mapping[str, Any], variables: VariablePlan) -> Any:
    """Return a literal as JSON, with the variables in it: in a list an absent one is null, in an object left out."""
    if isinstance(node, VariableNode):
        return variables.get_json(node.name.value, sent)
    if isinstance(node, ListValueNode):
        items = (_substitute(item, sent, variables) for item in node.values)
        return [None if item is ABSENT else item for item in items]
    if isinstance(node, ObjectValueNode):
        fields = ((field.name.value, _substitute(field.value, sent, variables)) for field in node.fields)
        return {name: value for name, value in fields if value is not ABSENT}
    return value_from_ast_untyped(node)
