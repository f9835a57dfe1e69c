"""The parts of a document: operations, fragments, fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    value_from_ast_untyped,
    visit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from graphql import DirectiveNode, DocumentNode, SelectionNode, SelectionSetNode

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


def find_switches(document: DocumentNode, operation: OperationDefinitionNode) -> dict[str, Any]:
    """Return the variables in directives of *document* that *operation* declares, with their defaults or None."""
    finder = _SwitchFinder()
    visit(document, finder)
    defaults = {node.variable.name.value: node.default_value for node in operation.variable_definitions or ()}
    return {
        name: None if (default := defaults[name]) is None else value_from_ast_untyped(default)
        for name in finder.found
        if name in defaults
    }


class _SwitchFinder(Visitor):
    """Finds the variables in the directives of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, None] = {}

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        values = (argument.value for argument in node.arguments or ())
        self.found |= dict.fromkeys(value.name.value for value in values if isinstance(value, VariableNode))
