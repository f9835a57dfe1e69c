"""What a document is made of: operations, fragments, fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
)

if TYPE_CHECKING:
    from graphql import DocumentNode, SelectionNode


def operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    """The operations of a document."""
    return [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]


def fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The fragments of a document, by name."""
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def root_fields(document: DocumentNode, operation: OperationDefinitionNode) -> set[str]:
    """The names of the fields at the top, in fragments too; each is opened once, however often it is spread."""
    unopened = fragments(document)
    fields: set[str] = set()
    left: list[SelectionNode] = [*operation.selection_set.selections]
    while left:
        node = left.pop()
        if isinstance(node, FieldNode):
            fields.add(node.name.value)
        elif isinstance(node, InlineFragmentNode):
            left += node.selection_set.selections
        elif isinstance(node, FragmentSpreadNode) and (fragment := unopened.pop(node.name.value, None)):
            left += fragment.selection_set.selections
    return fields
