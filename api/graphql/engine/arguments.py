"""How much the fields of an operation are given: the values in their arguments and variables, counted uncoerced."""

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


class Arguments:
    """Counts values. Where their number is known by the type of a variable, the variable is not looked at."""

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
        self.depend_on_variables = False

    def values(self, node: ValueNode) -> int:
        """Count the values in an argument: itself, the items of lists, the fields of objects."""
        total, left = 0, [node]
        while left:
            value = left.pop()
            self._step()
            if isinstance(value, VariableNode):
                total += self._values_of_variable(value.name.value)
                continue
            total += 1
            if isinstance(value, ListValueNode):
                left.extend(value.values)
            elif isinstance(value, ObjectValueNode):
                left.extend(field.value for field in value.fields)
        return total

    def length(self, node: ValueNode) -> int:
        """The length of a list; 1 for any other value, which GraphQL takes for a list of one."""
        if isinstance(node, ListValueNode):
            return len(node.values)
        if not isinstance(node, VariableNode):
            return 1
        definition = self._definitions[node.name.value]
        if not _is_list(definition.type):
            return 1
        self.depend_on_variables = True
        if node.name.value in self._variables:
            value = self._variables[node.name.value]
            return len(value) if isinstance(value, list) else 1
        return self.length(definition.default_value) if definition.default_value is not None else 1

    def _values_of_variable(self, name: str) -> int:
        if name not in self._values_of:
            self._values_of[name] = self._count_variable(name)
        return self._values_of[name]

    def _count_variable(self, name: str) -> int:
        definition = self._definitions[name]
        type_ = type_from_ast(self._schema, definition.type)
        known = _most_values(type_)
        if known is not None:
            return known
        self.depend_on_variables = True
        if name not in self._variables:
            return self.values(definition.default_value) if definition.default_value is not None else 1
        value, of_item = self._variables[name], _most_values(_item_type(type_))
        if isinstance(value, list) and of_item is not None:
            return 1 + len(value) * of_item
        return self._values_in_json(value)

    def _values_in_json(self, value: Any) -> int:
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


def _item_type(type_: Any) -> Any:
    """The type of a list's items; any other type as it is."""
    nullable = get_nullable_type(type_)
    return nullable.of_type if is_list_type(nullable) else nullable


def _is_list(node: TypeNode) -> bool:
    return isinstance(node.type if isinstance(node, NonNullTypeNode) else node, ListTypeNode)


def _most_values(type_: Any, *, within: frozenset[str] = frozenset()) -> int | None:
    """How many values an input of *type_* has at most; None if lists or recursion set no bound."""
    named = get_named_type(type_)
    if is_list_type(get_nullable_type(type_)) or named.name in within:
        return None
    if not isinstance(named, GraphQLInputObjectType):
        return 1
    fields = [_most_values(field.type, within=within | {named.name}) for field in named.fields.values()]
    return None if None in fields else 1 + sum(number or 0 for number in fields)
