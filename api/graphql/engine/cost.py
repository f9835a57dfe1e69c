"""The cost of an operation, known before it is executed: about one unit for each field that is resolved."""

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

from api.graphql.engine.arguments import Arguments
from api.graphql.engine.introspection import SCHEMA, TYPE, Introspection
from api.graphql.engine.selections import fields_of
from api.graphql.engine.strawberry_internals import metadata_of

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

# A unit takes about 7 µs, so that this is 60 ms of the event loop and less than 400 kB. To introspect the whole schema,
# with all that tools ask for, costs 4,000; all that can be known of a hundred organisations 2,100.
MAX_COST = 8_000
COST_OF_VALUE = 3  # Of each value in an argument: graphql-core coerces it, and Strawberry makes an object of it.
USUAL_SIZE = 20  # Of a list whose field doesn't say otherwise.

# Keys of a Strawberry field's metadata: what a value of the field costs, and how many values its list has at most, a
# number or as many as were given, in a list, to the field above.
COST, SIZE = "cost", "size"
GIVEN = "given"


class CostExceeded(Exception):
    """The operation costs more than `MAX_COST`."""


class _Budget:
    """The steps that one count may take."""

    def __init__(self) -> None:
        self._left = MAX_COST

    def spend(self, steps: int = 1) -> None:
        """Take *steps* from what is left.

        :raises CostExceeded: there are not as many.
        """
        self._left -= steps
        if self._left < 0:
            raise CostExceeded


class OperationCost:
    """Counts what one operation costs with the variables that it is sent with.

    A list multiplies what is asked of its items. Each selection is counted once for each type that it is asked of, and
    counting ends at the limit: it takes no more steps than `MAX_COST`.
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
        self._arguments = Arguments(schema, operation, variables, self._spend)
        self._introspection = Introspection(schema, fragments, self._spend)

    @property
    def depends_on_variables(self) -> bool:
        """Whether it would be another with other variables."""
        return self._arguments.depend_on_variables

    def count(self) -> int:
        """The cost of the operation, which must be valid.

        :raises CostExceeded: it is over `MAX_COST`.
        """
        root = self._schema.get_root_type(self._operation.operation)
        cost = 0 if root is None else self._asked_of(self._operation.selection_set, root)
        if cost > MAX_COST:
            raise CostExceeded
        return cost

    def _asked_of(self, selections: SelectionSetNode, type_: Composite, *, given: int = 1) -> int:
        """The cost of *selections*, for the dearest of the object types that *type_* can be.

        The field above was given a list of *given* items.
        """
        if not isinstance(type_, GraphQLObjectType):
            possible_types = self._schema.get_possible_types(type_)
            return max(self._asked_of(selections, possible, given=given) for possible in possible_types)
        key = (id(selections), type_.name, given)
        if key not in self._known:
            fields = fields_of(selections, self._fragments, partial(self._applies, type_))
            self._known[key] = sum(self._field(field, type_, given) for field in fields)
        return self._known[key]

    def _applies(self, type_: GraphQLObjectType, fragment: Fragment) -> bool:
        self._spend()
        if fragment.type_condition is None:
            return True
        condition = self._schema.get_type(fragment.type_condition.name.value)
        if isinstance(condition, GraphQLInterfaceType | GraphQLUnionType):
            return self._schema.is_sub_type(condition, type_)
        return condition is type_

    def _field(self, node: FieldNode, type_: GraphQLObjectType, given: int) -> int:
        self._spend()
        name = node.name.value
        if name in {SCHEMA, TYPE} and type_ is self._schema.query_type:
            return self._introspection.fields(node)
        field = type_.fields.get(name)
        if field is None:  # It is __typename.
            return 1
        cost = int(metadata_of(field, COST, 1))
        arguments = [argument.value for argument in node.arguments or ()]
        if node.selection_set is not None:
            value_type: Any = get_named_type(field.type)
            longest = max((self._arguments.length(value) for value in arguments), default=1)
            cost += self._asked_of(node.selection_set, value_type, given=longest)
        return COST_OF_VALUE * sum(map(self._arguments.values, arguments)) + cost * _size(field, given)


def _size(field: GraphQLField, given: int) -> int:
    """How many values the field answers at most."""
    if not is_list_type(get_nullable_type(field.type)):
        return 1
    size = metadata_of(field, SIZE, USUAL_SIZE)
    return given if size == GIVEN else int(size)
