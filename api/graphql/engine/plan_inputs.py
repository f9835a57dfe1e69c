"""Plans for input: a variable or an argument becomes the value that a resolver gets, without graphql-core.

Each function here returns a function that does the work of one type. It accepts what fits the type, and raises
`NotPlanned` for anything else: graphql-core then explains what is wrong. Only that of a nullable type accepts null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLString,
    IntValueNode,
    ListValueNode,
    NonNullTypeNode,
    ObjectValueNode,
    Undefined,
    VariableNode,
    get_named_type,
    is_required_input_field,
    is_specified_scalar_type,
    type_from_ast,
    value_from_ast_untyped,
)

from api.graphql.engine.strawberry_internals import get_input_class

if TYPE_CHECKING:
    from graphql import GraphQLArgument, GraphQLSchema, OperationDefinitionNode, ValueNode

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
        return _compile_non_null(type_.of_type)
    return keep_null(_compile_non_null(type_))


def _compile_non_null(type_: Any) -> Convert:
    if isinstance(type_, GraphQLList):
        return _compile_list(compile_input(type_.of_type))
    if isinstance(type_, GraphQLInputObjectType):
        return _compile_object(type_)
    if isinstance(type_, GraphQLEnumType):
        return _compile_enum(type_)
    return _take_text if type_ is GraphQLString else _compile_scalar(type_)


def keep_null(convert: Convert) -> Convert:
    """Return *convert* for a type that accepts null."""
    return lambda value: None if value is None else convert(value)


def _take_text(value: Any) -> Any:
    if type(value) is str:
        return value
    raise NotPlanned


def _compile_scalar(type_: GraphQLScalarType) -> Convert:
    if not is_specified_scalar_type(type_) and _parses_literals(type_):
        raise NotPlanned
    coerce = type_.coerce_input_value

    def convert(value: Any) -> Any:
        if value is None:
            raise NotPlanned
        try:
            return coerce(value)
        except Exception:
            raise NotPlanned from None

    return convert


def _parses_literals(type_: GraphQLScalarType) -> bool:
    """Tell whether a custom scalar reads a literal in another way than the same value of JSON."""
    return type_.coerce_input_literal is not None or type_.to_kwargs()["parse_literal"] is not None


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
        if value is None:
            raise NotPlanned
        return [convert_item(item) for item in value] if type(value) is list else [convert_item(value)]

    return convert


def _compile_object(type_: GraphQLInputObjectType) -> Convert:
    class_ = get_input_class(type_)
    if class_ is None or _holds_itself(type_):
        raise NotPlanned
    build, nulls = class_.build, class_.nulls
    fields = [
        (name, class_.attributes[name], compile_input(field.type), is_required_input_field(field))
        for name, field in type_.fields.items()
    ]

    def convert(value: Any) -> Any:
        if type(value) is not dict:
            raise NotPlanned
        taken, attributes = 0, nulls.copy() if nulls else {}
        for name, attribute, convert_field, is_required in fields:
            if name in value:
                attributes[attribute] = convert_field(value[name])
                taken += 1
            elif is_required:
                raise NotPlanned
        if taken < len(value):  # A field is unknown.
            raise NotPlanned
        try:
            return build(**attributes)
        except Exception:
            raise NotPlanned from None

    return convert


def _holds_itself(type_: GraphQLInputObjectType) -> bool:
    """Tell whether an input can have one of its own type in it, at any depth."""
    seen: set[str] = set()
    left = [get_named_type(field.type) for field in type_.fields.values()]
    while left:
        inner = left.pop()
        if inner is type_:
            return True
        if isinstance(inner, GraphQLInputObjectType) and inner.name not in seen:
            seen.add(inner.name)
            left += [get_named_type(field.type) for field in inner.fields.values()]
    return False


class VariablePlan:
    """Converts the variables of an operation, by the types that it declares for them."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._conversions: dict[str, tuple[Convert, bool]] = {}
        self._defaults: dict[str, BuildJson] = {}
        self._read: set[str] = set()
        for definition in operation.variable_definitions or ():
            name, is_required = definition.variable.name.value, isinstance(definition.type, NonNullTypeNode)
            self._conversions[name] = compile_input(type_from_ast(schema, definition.type)), is_required
            if definition.default_value is not None:
                self._defaults[name] = _compile_literal(definition.default_value, self)

    def convert(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of those variables that have one.

        :raises NotPlanned: a value does not fit its type, or is missing.
        """
        values = {}
        for name, (convert, is_required) in self._conversions.items():
            value = self.get_json(name, variables)
            if value is not ABSENT:
                values[name] = convert(value)
            elif is_required:
                raise NotPlanned
        return values

    def get_json(self, name: str, variables: Mapping[str, Any]) -> Any:
        """Return a variable as the request, or else its default, has it; `ABSENT` if there is neither."""
        if name in variables:
            return variables[name]
        return self._defaults[name](variables) if name in self._defaults else ABSENT

    def compile_reader(self, name: str) -> ReadArgument:
        """Return a reader of a variable. Each has a value of its own, since a resolver may change what it gets."""
        if name not in self._read:
            self._read.add(name)
            return lambda values, _: values.get(name, ABSENT)
        convert, _ = self._conversions[name]

        def read(values: Mapping[str, Any], sent: Mapping[str, Any]) -> Any:
            return convert(self.get_json(name, sent)) if name in values else ABSENT

        return read


BuildJson: TypeAlias = Callable[[Mapping[str, Any]], Any]
"""Return a literal as JSON, with the variables of a request in it."""

ReadArgument: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
"""Return an argument's value, or `ABSENT`, by the converted variables and those of the request."""


def has_default(argument: GraphQLArgument) -> bool:
    """Tell whether the schema has a value for *argument* where it is left out."""
    return argument.default is not None or argument.default_value is not Undefined


def compile_argument(node: ValueNode, argument: GraphQLArgument, variables: VariablePlan) -> ReadArgument:
    """Return a reader of an argument, which is a variable, or a literal that may have variables in it.

    :raises NotPlanned: the type is not one that plans cover, or the literal is written in an unusual way.
    """
    if isinstance(node, VariableNode):
        return _compile_variable(node.name.value, argument, variables)
    convert, build = compile_input(argument.type), _compile_literal(node, variables)
    return lambda _, sent: convert(build(sent))


def _compile_variable(name: str, argument: GraphQLArgument, variables: VariablePlan) -> ReadArgument:
    read = variables.compile_reader(name)
    refuses_null = isinstance(argument.type, GraphQLNonNull)
    refuses_absence = refuses_null or has_default(argument)

    def read_argument(values: Mapping[str, Any], sent: Mapping[str, Any]) -> Any:
        value = read(values, sent)
        if (value is None and refuses_null) or (value is ABSENT and refuses_absence):
            raise NotPlanned
        return value

    return read_argument


def _compile_literal(node: ValueNode, variables: VariablePlan) -> BuildJson:
    """Compile a literal. A variable without a value is null in a list, and left out of an object."""
    if isinstance(node, VariableNode):
        name = node.name.value
        return lambda sent: variables.get_json(name, sent)
    if isinstance(node, ListValueNode):
        return _compile_list_literal([_compile_literal(item, variables) for item in node.values])
    if isinstance(node, ObjectValueNode):
        return _compile_object_literal(
            {part.name.value: _compile_literal(part.value, variables) for part in node.fields}
        )
    if isinstance(node, IntValueNode) and node.value == "-0":  # JSON has one zero. An ID or a Float keeps the sign.
        raise NotPlanned
    value = value_from_ast_untyped(node)
    return lambda _: value


def _compile_list_literal(items: Sequence[BuildJson]) -> BuildJson:
    def build(sent: Mapping[str, Any]) -> Any:
        values = (build_item(sent) for build_item in items)
        return [None if value is ABSENT else value for value in values]

    return build


def _compile_object_literal(fields: Mapping[str, BuildJson]) -> BuildJson:
    def build(sent: Mapping[str, Any]) -> Any:
        values = ((name, build_field(sent)) for name, build_field in fields.items())
        return {name: value for name, value in values if value is not ABSENT}

    return build
