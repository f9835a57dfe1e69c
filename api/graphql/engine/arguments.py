"""The number of values in the arguments of an operation, counted before they are coerced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLInputObjectType,
    ListTypeNode,
    ListValueNode,
    NonNullTypeNode,
    ObjectValueNode,
    TypeNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
    type_from_ast,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graphql import GraphQLSchema, OperationDefinitionNode


class ArgumentCounter:
    """Counts the values in arguments. A variable is not looked at if its type bounds the number of its values.

    *step* is called for each value that is looked at, and may raise to end the count. *lengths_of* are the variables
    whose length as a list the count depends on; *depends_on_values* is true if it depends on more than lengths.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
        step: Callable[[], None],
    ) -> None:
        self._definitions = {node.variable.name.value: node for node in operation.variable_definitions or ()}
        self._schema = schema
        self._variables = variables
        self._step = step
        self._values_of: dict[str, int] = {}
        self.lengths_of: set[str] = set()
        self.depends_on_values = False

    def count_values(self, node: ValueNode) -> int:
        """Count the values in an argument: itself, the items of lists, the fields of objects."""
        total, left = 0, [node]
        while left:
            value = left.pop()
            self._step()
            if isinstance(value, VariableNode):
                total += self._count_variable(value.name.value)
                continue
            total += 1
            if isinstance(value, ListValueNode):
                left.extend(value.values)
            elif isinstance(value, ObjectValueNode):
                left.extend(field.value for field in value.fields)
        return total

    def get_length(self, node: ValueNode) -> int:
        """Return the length of a list. Any other value has 1, since GraphQL takes it for a list of one."""
        if isinstance(node, ListValueNode):
            return len(node.values)
        if not isinstance(node, VariableNode):
            return 1
        definition = self._definitions[node.name.value]
        if not _is_list(definition.type):
            return 1
        self.lengths_of.add(node.name.value)
        if node.name.value in self._variables:
            value = self._variables[node.name.value]
            return len(value) if isinstance(value, list) else 1
        return self.get_length(definition.default_value) if definition.default_value is not None else 1

    def _count_variable(self, name: str) -> int:
        """Count the values in a variable, once."""
        if name not in self._values_of:
            self._values_of[name] = self._count_values_of(name)
        return self._values_of[name]

    def _count_values_of(self, name: str) -> int:
        definition = self._definitions[name]
        type_ = type_from_ast(self._schema, definition.type)
        bound = _bound_values(type_)
        if bound is not None:
            return bound
        self.lengths_of.add(name)
        if name not in self._variables:
            return self.count_values(definition.default_value) if definition.default_value is not None else 1
        value, bound_of_item = self._variables[name], _bound_values(_get_item_type(type_))
        if isinstance(value, list) and bound_of_item is not None:
            return 1 + len(value) * bound_of_item
        self.depends_on_values = True
        return self._count_json(value)

    def _count_json(self, value: Any) -> int:
        total, left = 0, [value]
        while left:
            inner = left.pop()
            self._step()
            total += 1
            if isinstance(inner, list):
                left.extend(inner)
            elif isinstance(inner, dict):
                left.extend(inner.values())
        return total


def _get_item_type(type_: Any) -> Any:
    """Return the type of a list's items; any other type as it is."""
    nullable = get_nullable_type(type_)
    return nullable.of_type if is_list_type(nullable) else nullable


def _is_list(node: TypeNode) -> bool:
    return isinstance(node.type if isinstance(node, NonNullTypeNode) else node, ListTypeNode)


def _bound_values(type_: Any, *, within: frozenset[str] = frozenset()) -> int | None:
    """Return the largest number of values in an input of *type_*; None if lists or recursion set no bound."""
    named = get_named_type(type_)
    if is_list_type(get_nullable_type(type_)) or named.name in within:
        return None
    if not isinstance(named, GraphQLInputObjectType):
        return 1
    fields = [_bound_values(field.type, within=within | {named.name}) for field in named.fields.values()]
    return None if None in fields else 1 + sum(number or 0 for number in fields)
