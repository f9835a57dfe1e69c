"""One operation of a valid document, and what is known of it before it is executed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from api.graphql.engine.caching import CACHEABLE
from api.graphql.engine.cost import MAX_COST, CostExceeded, OperationCost
from api.graphql.engine.errors import DocumentRefused, limit_error
from api.graphql.engine.introspection import SCHEMA, TYPE
from api.graphql.engine.plan import compile_plan
from api.graphql.engine.selections import find_switches, get_fragments, get_root_fields
from api.graphql.engine.strawberry_internals import get_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode

    from api.graphql.engine.plan import Plan

MAX_PLANS = 8
"""The largest number of plans for one operation, which has one for each choice of its switches."""
MAX_KNOWN_COSTS = 128
COST_EXCEEDED = f"The operation costs more than {MAX_COST:,}: ask for less at once, or for shorter lists."


class Operation:
    """An operation of *document*, which is valid."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, node: OperationDefinitionNode) -> None:
        self._schema = schema
        self._lists: tuple[str, ...] | None = None
        self._is_affordable: dict[tuple[int | None, ...], bool] = {}  # By the lengths of these variables.
        self._plans: dict[tuple[Any, ...], Plan | None] = {}
        self.document = document
        self.node = node
        self.type = node.operation
        self.name = None if node.name is None else node.name.value

    @cached_property
    def introspects(self) -> bool:
        """True if the operation asks for the schema."""
        return not self._root_fields.isdisjoint({SCHEMA, TYPE})

    @cached_property
    def is_cacheable(self) -> bool:
        """True if the schema declares each of the root fields cacheable."""
        root = self._schema.get_root_type(self.type)
        fields = {} if root is None else root.fields
        return all(name in fields and get_metadata(fields[name], CACHEABLE, False) for name in self._root_fields)

    @cached_property
    def _root_fields(self) -> set[str]:
        return get_root_fields(self.document, self.node)

    @cached_property
    def _switches(self) -> dict[str, Any]:
        """The variables in `@skip` and `@include`, with their defaults."""
        return find_switches(self.document, self.node)

    def find_plan(self, variables: Mapping[str, Any]) -> Plan | None:
        """Return the plan for the operation with these variables, which is compiled once; None if there is none."""
        choice = tuple([variables.get(name, default) for name, default in self._switches.items()])
        if not {type(value) for value in choice} <= {bool}:
            return None
        if choice in self._plans:
            return self._plans[choice]
        if len(self._plans) == MAX_PLANS:
            return None
        switches = dict(zip(self._switches, choice, strict=True))
        self._plans[choice] = compile_plan(self._schema, self.document, self.node, switches)
        return self._plans[choice]

    def check_cost(self, variables: Mapping[str, Any]) -> None:
        """Refuse the operation if it costs too much. It is counted once for all variables that cost the same.

        :raises DocumentRefused: the operation costs more than `MAX_COST`.
        """
        lists = self._lists
        is_affordable = None if lists is None else self._is_affordable.get(_lengths(lists, variables) if lists else ())
        if is_affordable is None:
            is_affordable = self._is_within_limit(variables)
        if not is_affordable:
            raise DocumentRefused([limit_error(COST_EXCEEDED)])

    def _is_within_limit(self, variables: Mapping[str, Any]) -> bool:
        """Tell whether the whole cost can be counted within the limit."""
        cost = OperationCost(self._schema, get_fragments(self.document), self.node, variables)
        try:
            cost.count()
            is_affordable = True
        except CostExceeded:
            is_affordable = False
        lists = cost.lengths_of
        if lists is not None and (is_affordable or not lists):  # A count that ends early has not seen all lists.
            self._lists = tuple(sorted(lists))
            if len(self._is_affordable) < MAX_KNOWN_COSTS:
                self._is_affordable[_lengths(self._lists, variables)] = is_affordable
        return is_affordable


def _lengths(names: Iterable[str], variables: Mapping[str, Any]) -> tuple[int | None, ...]:
    """Return the length of each variable that is a list; -1 for any other value, None for one that is absent."""
    return tuple([_length(variables[name]) if name in variables else None for name in names])


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else -1
