"""The cost of an operation, counted before it is executed: about one unit for each field that is resolved."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from api.graphql.engine.arguments import ArgumentCounter
from api.graphql.engine.introspection import SCHEMA, TYPE, IntrospectionCounter
from api.graphql.engine.selections import collect_fields
from api.graphql.engine.strawberry_internals import get_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import (
        FieldNode,
        FragmentDefinitionNode,
        GraphQLField,
        GraphQLSchema,
        OperationDefinitionNode,
        SelectionSetNode,
    )

    from api.graphql.engine.selections import Fragment

    Composite: TypeAlias = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType

# A unit takes about 7 µs: this is 60 ms of the event loop, and an answer of less than 400 kB. Tools that ask for the
# whole schema, with everything in it, spend 4,000; a list of a hundred objects with all of their fields takes 2,100.
MAX_COST = 8_000
COST_OF_VALUE = 3  # Of each value in an argument: graphql-core coerces it, and Strawberry makes an object of it.
DEFAULT_LIST_SIZE = 20  # Of a list whose field does not declare its size.

# Keys of a Strawberry field's metadata: the cost of one value of the field; the largest size of its list, as a number
# or as `ARGUMENT_LENGTH`, the length of the list that the field above has as its argument.
COST, SIZE = "cost", "size"
ARGUMENT_LENGTH = "argument length"


class CostExceeded(Exception):
    """The operation costs more than `MAX_COST`."""


class _Budget:
    """The number of steps that one count may take."""

    def __init__(self) -> None:
        self._left = MAX_COST

    def spend(self, steps: int = 1) -> None:
        """Take *steps* from the budget.

        :raises CostExceeded: the budget has fewer.
        """
        self._left -= steps
        if self._left < 0:
            raise CostExceeded


class OperationCost:
    """Counts the cost of one operation with its variables.

    A list multiplies the cost of its items. Each selection is counted once for each type that it is applied to, and the
    count ends at the limit: it takes no more steps than `MAX_COST`.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._operation = operation
        self._spend = _Budget().spend
        self._known: dict[tuple[int, str, int], int] = {}
        self._arguments = ArgumentCounter(schema, operation, variables, self._spend)
        self._introspection = IntrospectionCounter(schema, fragments, self._spend)

    @property
    def lengths_of(self) -> frozenset[str] | None:
        """The variables whose length as a list decides the cost; None if it depends on more than lengths."""
        return None if self._arguments.depends_on_values else frozenset(self._arguments.lengths_of)

    def count(self) -> int:
        """Count the cost of the operation, which must be valid.

        :raises CostExceeded: the cost is over `MAX_COST`.
        """
        root = self._schema.get_root_type(self._operation.operation)
        cost = 0 if root is None else self._count_selections(self._operation.selection_set, root)
        if cost > MAX_COST:
            raise CostExceeded
        return cost

    def _count_selections(self, selections: SelectionSetNode, type_: Composite, *, argument_length: int = 1) -> int:
        """Count *selections* for the most expensive object type that *type_* can be.

        *argument_length* is the length of the list that the field above has as its argument.
        """
        if not isinstance(type_, GraphQLObjectType):
            possible_types = self._schema.get_possible_types(type_)
            return max(
                self._count_selections(selections, possible, argument_length=argument_length)
                for possible in possible_types
            )
        key = (id(selections), type_.name, argument_length)
        if key not in self._known:
            fields = collect_fields(selections, self._fragments, partial(self._applies, type_))
            self._known[key] = sum(self._count_field(field, type_, argument_length) for field in fields)
        return self._known[key]

    def _applies(self, type_: GraphQLObjectType, fragment: Fragment) -> bool:
        self._spend()
        if fragment.type_condition is None:
            return True
        condition = self._schema.get_type(fragment.type_condition.name.value)
        if isinstance(condition, GraphQLInterfaceType | GraphQLUnionType):
            return self._schema.is_sub_type(condition, type_)
        return condition is type_

    def _count_field(self, node: FieldNode, type_: GraphQLObjectType, argument_length: int) -> int:
        self._spend()
        name = node.name.value
        if name in {SCHEMA, TYPE} and type_ is self._schema.query_type:
            return self._introspection.count(node)
        field = type_.fields.get(name)
        if field is None:  # It is __typename.
            return 1
        cost = int(get_metadata(field, COST, 1))
        arguments = [argument.value for argument in node.arguments or ()]
        if node.selection_set is not None:
            value_type: Any = get_named_type(field.type)
            longest = max((self._arguments.get_length(value) for value in arguments), default=1)
            cost += self._count_selections(node.selection_set, value_type, argument_length=longest)
        cost_of_arguments = COST_OF_VALUE * sum(map(self._arguments.count_values, arguments))
        return cost_of_arguments + cost * _bound_size(field, argument_length)


def _bound_size(field: GraphQLField, argument_length: int) -> int:
    """Return the largest number of values that the field answers."""
    if not is_list_type(get_nullable_type(field.type)):
        return 1
    size = get_metadata(field, SIZE, DEFAULT_LIST_SIZE)
    return argument_length if size == ARGUMENT_LENGTH else int(size)
