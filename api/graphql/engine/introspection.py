"""Introspection: how many fields it will answer, counted on the schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    StringValueNode,
)

from api.graphql.engine.selections import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from graphql import FieldNode, FragmentDefinitionNode, GraphQLSchema, SelectionSetNode

SCHEMA, TYPE = "__schema", "__type"


def _output_fields(type_: Any) -> Iterable[Any]:
    return type_.fields.values() if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) else ()


def _input_fields(type_: Any) -> Iterable[Any]:
    return type_.fields.values() if isinstance(type_, GraphQLInputObjectType) else ()


def _enum_values(type_: Any) -> Iterable[Any]:
    return type_.values.values() if isinstance(type_, GraphQLEnumType) else ()


def _possible_types(type_: Any, schema: GraphQLSchema) -> Iterable[Any]:
    return schema.get_possible_types(type_) if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType) else ()


def _there(thing: Any) -> Iterable[Any]:
    return () if thing is None else (thing,)


# What is found under each field of introspection that has fields itself, deprecated things included.
FOUND: Mapping[str, Callable[[Any, GraphQLSchema], Iterable[Any]]] = {
    "types": lambda schema, _: schema.type_map.values(),
    "queryType": lambda schema, _: _there(schema.query_type),
    "mutationType": lambda schema, _: _there(schema.mutation_type),
    "subscriptionType": lambda schema, _: _there(schema.subscription_type),
    "directives": lambda schema, _: schema.directives,
    "fields": lambda type_, _: _output_fields(type_),
    "interfaces": lambda type_, _: getattr(type_, "interfaces", ()),
    "possibleTypes": _possible_types,
    "enumValues": lambda type_, _: _enum_values(type_),
    "inputFields": lambda type_, _: _input_fields(type_),
    "ofType": lambda type_, _: _there(getattr(type_, "of_type", None)),
    "args": lambda field, _: field.args.values(),
    "type": lambda field, _: (field.type,),
}


class Introspection:
    """Counts the fields that introspection will answer: the schema is the same for all, so their number is known.

    Each selection is counted once for each thing of the schema that it is asked of. *spend* is told of all that is
    counted as soon as it is, and may raise to end the counting.
    """

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], spend: Callable[[int], None]
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._spend = spend
        self._known: dict[tuple[int, int], int] = {}
        self._selections: dict[int, _Selection] = {}

    def fields(self, root: FieldNode) -> int:
        """How many fields `__schema` or `__type` will answer; a type that a variable names counts as all types."""
        if root.selection_set is None:
            return 1
        return 1 + self._asked_of_each(root.selection_set, self._named(root))

    def _named(self, root: FieldNode) -> Iterable[Any]:
        if root.name.value == SCHEMA:
            return (self._schema,)
        (name,) = [argument.value for argument in root.arguments or ()]
        if isinstance(name, StringValueNode):
            return _there(self._schema.type_map.get(name.value))
        return self._schema.type_map.values()

    def _asked_of_each(self, selections: SelectionSetNode, things: Iterable[Any]) -> int:
        total = 0
        for thing in things:
            key = (id(selections), id(thing))
            if key in self._known:
                self._spend(self._known[key])
            else:
                self._known[key] = self._asked_of(selections, thing)
            total += self._known[key]
        return total

    def _asked_of(self, selections: SelectionSetNode, thing: Any) -> int:
        selection = self._selection(selections)
        total = selection.leaves + len(selection.objects)
        self._spend(total)
        for find, inner in selection.objects:
            total += self._asked_of_each(inner, find(thing, self._schema))
        return total

    def _selection(self, selections: SelectionSetNode) -> _Selection:
        """The fields in *selections*, the same for everything: introspection has one type at each place."""
        if id(selections) not in self._selections:
            fields = list(fields_of(selections, self._fragments, lambda _: True))
            objects = [(FOUND[field.name.value], inner) for field in fields if (inner := field.selection_set)]
            self._selections[id(selections)] = _Selection(len(fields) - len(objects), objects)
        return self._selections[id(selections)]


@dataclass(frozen=True, slots=True)
class _Selection:
    """How many leaves are asked for, and how each object is found, with what is asked of it."""

    leaves: int
    objects: Sequence[tuple[Callable[[Any, GraphQLSchema], Iterable[Any]], SelectionSetNode]]
