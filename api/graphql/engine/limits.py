"""The form of a document: how deep and how wide it may be, counted before it is validated, in linear work."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
)

from api.graphql.engine.errors import limit_error
from api.graphql.engine.selections import fragments, operations

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TOKENS = 500
MAX_DEPTH = 15  # The whole introspection query has 14.
MAX_ALIASES = 20
# Validation compares each two fields of one name: 110 equal objects took 100 ms, 480 equal leaves 46 ms. Clients add
# __typename to each selection, of which 500 tokens hold about 120: those are 7,140 pairs, and take 12 ms.
MAX_EQUAL_OBJECTS = 30
MAX_EQUAL_LEAVES = 120
MAX_PAIRS_OF_LEAVES = 8_000  # Of all names together.


def limit_errors(document: DocumentNode) -> Iterator[GraphQLError]:
    """Name each limit of form that the document passes."""
    yield from _repetition_errors(document)
    measure = _Measure(document)
    for operation in operations(document):
        size = measure.of(operation.selection_set)
        if size.depth > MAX_DEPTH:
            yield limit_error(f"The operation is deeper than {MAX_DEPTH} levels.")
        if size.aliases > MAX_ALIASES:
            yield limit_error(f"The operation has more than {MAX_ALIASES} aliases.")
        if operation.operation is OperationType.MUTATION and size.fields > 1:
            yield limit_error("An operation that mutates has one root field.")


def _repetition_errors(document: DocumentNode) -> Iterator[GraphQLError]:
    fields = [field for node in document.definitions for field in _fields(getattr(node, "selection_set", None))]
    objects = Counter((field.alias or field.name).value for field in fields if field.selection_set is not None)
    leaves = Counter((field.alias or field.name).value for field in fields if field.selection_set is None)
    if max(objects.values(), default=0) > MAX_EQUAL_OBJECTS:
        yield limit_error(f"The document asks for the same object more than {MAX_EQUAL_OBJECTS} times.")
    if max(leaves.values(), default=0) > MAX_EQUAL_LEAVES:
        yield limit_error(f"The document asks for the same field more than {MAX_EQUAL_LEAVES} times.")
    elif sum(number * (number - 1) // 2 for number in leaves.values()) > MAX_PAIRS_OF_LEAVES:
        yield limit_error("The document asks for the same fields too often.")


def _fields(selections: SelectionSetNode | None) -> Iterator[FieldNode]:
    """The fields at any depth; what is spread is counted where it is defined."""
    for node in selections.selections if selections is not None else ():
        if isinstance(node, FieldNode):
            yield node
        if isinstance(node, FieldNode | InlineFragmentNode):
            yield from _fields(node.selection_set)


@dataclass(frozen=True, slots=True)
class _Size:
    """How deep a selection goes, how many aliases it has, and how many fields stand at its top."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0


class _Measure:
    """Sizes of selections. Each fragment is measured once."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = fragments(document)
        self._sizes: dict[str, _Size] = {}

    def of(self, selections: SelectionSetNode | None) -> _Size:
        depth = aliases = fields = 0
        for node in selections.selections if selections is not None else ():
            inner = self._inside(node)
            if isinstance(node, FieldNode):
                inner = _Size(1 + inner.depth, inner.aliases + (node.alias is not None), fields=1)
            depth = max(depth, inner.depth)
            aliases += inner.aliases
            fields += inner.fields
        return _Size(depth, aliases, fields)

    def _inside(self, node: SelectionNode) -> _Size:
        if isinstance(node, FragmentSpreadNode):
            return self._of_fragment(node)
        return self.of(node.selection_set if isinstance(node, FieldNode | InlineFragmentNode) else None)

    def _of_fragment(self, spread: FragmentSpreadNode) -> _Size:
        name = spread.name.value
        if name not in self._sizes:
            self._sizes[name] = _Size()  # A fragment in itself ends here; validation refuses it.
            if name in self._fragments:
                self._sizes[name] = self.of(self._fragments[name].selection_set)
        return self._sizes[name]
