"""Plans for output: the value of a resolver becomes the part of the answer that a selection asks for.

Each function here returns a function that does the work of one type. It completes what a resolver should return. For
anything else, such as a null where none may be, it raises any exception: graphql-core then completes the same value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLString,
    GraphQLUnionType,
    Undefined,
    is_leaf_type,
)
from graphql.pyutils import is_awaitable

from api.graphql.engine.graphql_core_internals import TYPE_NAME
from api.graphql.engine.plan_inputs import NotPlanned, keep_null
from api.graphql.engine.strawberry_internals import get_attribute, get_object_class

if TYPE_CHECKING:
    from graphql import GraphQLSchema

    from api.graphql.engine.graphql_core_internals import FieldCollector, Fields

Complete: TypeAlias = Callable[[Any], Any]

STRICT_SCALARS = (GraphQLBoolean, GraphQLFloat, GraphQLInt)
"""Scalars that refuse an exception or a promise. Others may serialise it: a text takes anything."""

MAX_FIELDS = 500
"""The largest number of fields that a plan has, so that a document which is sent only once costs little more."""


class OutputCompiler:
    """Compiles the selections of one operation."""

    def __init__(self, schema: GraphQLSchema, collector: FieldCollector) -> None:
        self._schema = schema
        self._collector = collector
        self._left = MAX_FIELDS

    def compile(self, type_: Any, fields: Fields) -> Complete:
        """Return the completion of a value of *type_* by the selections of *fields*.

        :raises NotPlanned: a field does more than to read an attribute, or there are more than `MAX_FIELDS`.
        """
        if isinstance(type_, GraphQLNonNull):
            return self._compile_non_null(type_.of_type, fields)
        return keep_null(self._compile_non_null(type_, fields))

    def _compile_non_null(self, type_: Any, fields: Fields) -> Complete:
        if isinstance(type_, GraphQLList):
            return _compile_list(self.compile(type_.of_type, fields))
        if is_leaf_type(type_):
            return _compile_leaf(type_)
        if isinstance(type_, GraphQLObjectType):
            class_, complete = self._compile_object(type_, fields)
            return _compile_choice({class_: complete})
        assert isinstance(type_, GraphQLUnionType | GraphQLInterfaceType)  # noqa: S101  # No other type is left.
        possible_types = self._schema.get_possible_types(type_)
        return _compile_choice(dict(self._compile_object(possible, fields) for possible in possible_types))

    def _compile_object(self, type_: GraphQLObjectType, fields: Fields) -> tuple[type, Complete]:
        """Return the class of the objects of *type_*, and their completion."""
        class_ = get_object_class(type_)
        if class_ is None:
            raise NotPlanned
        constants: dict[str, Any] = {}
        attributes = []
        for key, selected in self._collector.collect_subfields(type_, fields).items():
            self._left -= 1
            name = selected[0].node.name.value
            constants[key] = type_.name if name == TYPE_NAME else None
            if name != TYPE_NAME:
                attributes.append((key, *self._compile_attribute(type_, name, selected)))
        return class_, _complete_attributes(constants, attributes)

    def _compile_attribute(self, type_: GraphQLObjectType, name: str, selected: Fields) -> tuple[str, Complete]:
        field = type_.fields[name]
        attribute = get_attribute(field)
        if attribute is None or self._left < 0:
            raise NotPlanned
        return attribute, self.compile(field.type, selected)


def _compile_leaf(type_: Any) -> Complete:
    if isinstance(type_, GraphQLEnumType):
        return _compile_enum(type_)
    class_ = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}.get(type_)
    coerce, takes_anything = type_.coerce_output_value, type_ not in STRICT_SCALARS

    def complete(value: Any) -> Any:
        if type(value) is class_:
            return value
        if value is None or (takes_anything and (isinstance(value, Exception) or is_awaitable(value))):
            raise NotPlanned
        completed = coerce(value)
        if completed is None or completed is Undefined:
            raise NotPlanned
        return completed

    return complete


def _compile_enum(type_: GraphQLEnumType) -> Complete:
    names = {type_.coerce_input_value(name): name for name in type_.values}
    class_ = type(next(iter(names)))

    def complete(value: Any) -> Any:
        if type(value) is not class_:
            raise NotPlanned
        return names[value]

    return complete


def _compile_list(complete_item: Complete) -> Complete:
    def complete(value: Any) -> Any:
        if type(value) is not list:
            raise NotPlanned
        return [complete_item(item) for item in value]

    return complete


def _compile_choice(completions: dict[type, Complete]) -> Complete:
    """Complete a value by its own class, which tells the type of the schema."""
    return lambda value: completions[type(value)](value)


def _complete_attributes(constants: dict[str, Any], attributes: list[tuple[str, str, Complete]]) -> Complete:
    """Complete an object by its attributes. *constants* have all keys, in the order of the answer."""

    def complete(value: Any) -> Any:
        data = constants.copy()
        for key, attribute, complete_attribute in attributes:
            data[key] = complete_attribute(getattr(value, attribute))
        return data

    return complete
