"""The limits of a document's form, such as its depth, checked before it is validated, in linear work."""

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
from api.graphql.engine.selections import get_fragments, get_operations

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TOKENS = 500
MAX_DEPTH = 15  # The whole introspection query has 14.
MAX_ALIASES = 20
# Validation compares all pairs of fields of one name: 110 equal objects took 100 ms, 480 equal leaves 46 ms. Clients
# add __typename to each selection set. 500 tokens hold about 120 of them: 7,140 pairs, which take 12 ms.
MAX_EQUAL_OBJECTS = 30
MAX_EQUAL_LEAVES = 120
MAX_PAIRS_OF_LEAVES = 8_000  # Of all names together.


def check_limits(document: DocumentNode) -> Iterator[GraphQLError]:
    """Check the limits of form; yield an error for each that the document exceeds."""
    yield from _repetition_errors(document)
    sizes = _Sizes(document)
    for operation in get_operations(document):
        size = sizes.measure(operation.selection_set)
        if size.depth > MAX_DEPTH:
            yield limit_error(f"The operation is deeper than {MAX_DEPTH} levels.")
        if size.aliases > MAX_ALIASES:
            yield limit_error(f"The operation has more than {MAX_ALIASES} aliases.")
        if operation.operation is OperationType.MUTATION and size.fields > 1:
            yield limit_error("An operation that mutates has one root field.")


def _repetition_errors(document: DocumentNode) -> Iterator[GraphQLError]:
    fields = [field for node in document.definitions for field in _find_fields(getattr(node, "selection_set", None))]
    objects = Counter((field.alias or field.name).value for field in fields if field.selection_set is not None)
    leaves = Counter((field.alias or field.name).value for field in fields if field.selection_set is None)
    if max(objects.values(), default=0) > MAX_EQUAL_OBJECTS:
        yield limit_error(f"The document asks for the same object more than {MAX_EQUAL_OBJECTS} times.")
    if max(leaves.values(), default=0) > MAX_EQUAL_LEAVES:
        yield limit_error(f"The document asks for the same field more than {MAX_EQUAL_LEAVES} times.")
    elif sum(number * (number - 1) // 2 for number in leaves.values()) > MAX_PAIRS_OF_LEAVES:
        yield limit_error("The document asks for the same fields too often.")


def _find_fields(selections: SelectionSetNode | None) -> Iterator[FieldNode]:
    """Yield the fields at any depth. Those of a fragment are found where it is defined."""
    for node in selections.selections if selections is not None else ():
        if isinstance(node, FieldNode):
            yield node
        if isinstance(node, FieldNode | InlineFragmentNode):
            yield from _find_fields(node.selection_set)


@dataclass(frozen=True, slots=True)
class _Size:
    """The depth of a selection set, its aliases at any depth, and its fields at the top."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0


class _Sizes:
    """Measures selections. Each fragment is measured once."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = get_fragments(document)
        self._sizes: dict[str, _Size] = {}

    def measure(self, selections: SelectionSetNode | None) -> _Size:
        """Measure *selections*, and the fragments in them."""
        depth = aliases = fields = 0
        for node in selections.selections if selections is not None else ():
            inner = self._measure_inside(node)
            if isinstance(node, FieldNode):
                inner = _Size(1 + inner.depth, inner.aliases + (node.alias is not None), fields=1)
            depth = max(depth, inner.depth)
            aliases += inner.aliases
            fields += inner.fields
        return _Size(depth, aliases, fields)

    def _measure_inside(self, node: SelectionNode) -> _Size:
        if isinstance(node, FragmentSpreadNode):
            return self._measure_fragment(node)
        return self.measure(node.selection_set if isinstance(node, FieldNode | InlineFragmentNode) else None)

    def _measure_fragment(self, spread: FragmentSpreadNode) -> _Size:
        name = spread.name.value
        if name not in self._sizes:
            self._sizes[name] = _Size()  # Ends the recursion of a fragment that spreads itself. Validation refuses it.
            if name in self._fragments:
                self._sizes[name] = self.measure(self._fragments[name].selection_set)
        return self._sizes[name]
