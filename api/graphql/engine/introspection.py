"""The number of fields that introspection will answer, counted on the schema."""

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

from api.graphql.engine.selections import collect_fields

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


def _present(thing: Any) -> Iterable[Any]:
    return () if thing is None else (thing,)


# The things under each field of introspection that has fields itself, deprecated ones included.
CHILDREN: Mapping[str, Callable[[Any, GraphQLSchema], Iterable[Any]]] = {
    "types": lambda schema, _: schema.type_map.values(),
    "queryType": lambda schema, _: _present(schema.query_type),
    "mutationType": lambda schema, _: _present(schema.mutation_type),
    "subscriptionType": lambda schema, _: _present(schema.subscription_type),
    "directives": lambda schema, _: schema.directives,
    "fields": lambda type_, _: _output_fields(type_),
    "interfaces": lambda type_, _: getattr(type_, "interfaces", ()),
    "possibleTypes": _possible_types,
    "enumValues": lambda type_, _: _enum_values(type_),
    "inputFields": lambda type_, _: _input_fields(type_),
    "ofType": lambda type_, _: _present(getattr(type_, "of_type", None)),
    "args": lambda field, _: field.args.values(),
    "type": lambda field, _: (field.type,),
}


class IntrospectionCounter:
    """Counts the fields that introspection will answer: the schema is known, and so is their number.

    Each selection is counted once for each thing of the schema that it is applied to. *spend* is called with each part
    of the count at once, and may raise to end it.
    """

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], spend: Callable[[int], None]
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._spend = spend
        self._known: dict[tuple[int, int], int] = {}
        self._selections: dict[int, _Selection] = {}

    def count(self, root: FieldNode) -> int:
        """Count the fields of `__schema` or `__type`. A type that a variable names counts as all types."""
        if root.selection_set is None:
            return 1
        return 1 + self._count_for_each(root.selection_set, self._find_roots(root))

    def _find_roots(self, root: FieldNode) -> Iterable[Any]:
        if root.name.value == SCHEMA:
            return (self._schema,)
        (name,) = [argument.value for argument in root.arguments or ()]
        if isinstance(name, StringValueNode):
            return _present(self._schema.type_map.get(name.value))
        return self._schema.type_map.values()

    def _count_for_each(self, selections: SelectionSetNode, things: Iterable[Any]) -> int:
        total = 0
        for thing in things:
            key = (id(selections), id(thing))
            if key in self._known:
                self._spend(self._known[key])
            else:
                self._known[key] = self._count_for(selections, thing)
            total += self._known[key]
        return total

    def _count_for(self, selections: SelectionSetNode, thing: Any) -> int:
        selection = self._split(selections)
        total = selection.leaves + len(selection.objects)
        self._spend(total)
        for find, inner in selection.objects:
            total += self._count_for_each(inner, find(thing, self._schema))
        return total

    def _split(self, selections: SelectionSetNode) -> _Selection:
        """Split *selections* into leaves and objects. They are the same for all things: each place has one type."""
        if id(selections) not in self._selections:
            fields = list(collect_fields(selections, self._fragments, lambda _: True))
            objects = [(CHILDREN[field.name.value], inner) for field in fields if (inner := field.selection_set)]
            self._selections[id(selections)] = _Selection(len(fields) - len(objects), objects)
        return self._selections[id(selections)]


@dataclass(frozen=True, slots=True)
class _Selection:
    """The number of leaves in a selection set; for each object, how to find it and the selections in it."""

    leaves: int
    objects: Sequence[tuple[Callable[[Any, GraphQLSchema], Iterable[Any]], SelectionSetNode]]
