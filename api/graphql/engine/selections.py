"""The parts of a document: operations, fragments, fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from graphql import DocumentNode, SelectionNode, SelectionSetNode

Fragment: TypeAlias = FragmentDefinitionNode | InlineFragmentNode


def get_operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    """Return the operations of a document."""
    return [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]


def get_fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """Return the fragments of a document, by name."""
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def get_root_fields(document: DocumentNode, operation: OperationDefinitionNode) -> set[str]:
    """Return the names of the fields at the top of an operation, and of those in its fragments."""
    fields = collect_fields(operation.selection_set, get_fragments(document), lambda _: True)
    return {field.name.value for field in fields}


def collect_fields(
    selections: SelectionSetNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    applies: Callable[[Fragment], bool],
) -> Iterator[FieldNode]:
    """Yield the fields of one selection set, and those of its fragments that apply.

    Each fragment is opened once, as in execution.
    """
    opened: set[str] = set()
    left: list[SelectionNode] = [*selections.selections]
    while left:
        node = left.pop()
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            left += node.selection_set.selections if applies(node) else ()
        elif isinstance(node, FragmentSpreadNode) and node.name.value not in opened:
            opened.add(node.name.value)
            fragment = fragments.get(node.name.value)
            left += fragment.selection_set.selections if fragment is not None and applies(fragment) else ()
