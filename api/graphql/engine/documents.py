"""The documents that are executed. Each is parsed, checked against the limits and validated once, and then cached."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from graphql import (
    BREAK,
    GraphQLSyntaxError,
    OperationType,
    Visitor,
    get_operation_ast,
    parse,
    visit,
)

from api.graphql.engine.errors import DocumentRefused
from api.graphql.engine.limits import MAX_TOKENS, check_limits
from api.graphql.engine.operation import Operation
from api.graphql.engine.selections import get_operations
from api.graphql.engine.syntax_errors import reword_syntax_error
from api.graphql.engine.validation import find_validation_errors

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLSchema

MAX_CACHED_DOCUMENTS = 100
MAX_CACHED_LENGTH = 10_000


class Document:
    """A valid document, and those of its operations that were asked for."""

    def __init__(self, schema: GraphQLSchema, tree: DocumentNode) -> None:
        self._schema = schema
        self._operations: dict[str | None, Operation] = {}
        self.tree = tree

    def get_operation(self, name: str | None) -> Operation | None:
        """Return the operation called *name*, or without a name the only one; None if there is no such operation."""
        known = self._operations.get(name)
        if known is None and (node := get_operation_ast(self.tree, name)) is not None:
            known = self._operations[name] = Operation(self._schema, self.tree, node)
        return known


class Documents:
    """Parses and validates documents, and caches those that are valid by their text."""

    def __init__(self, schema: GraphQLSchema, *, introspection: bool) -> None:
        self.schema = schema
        self._introspection = introspection
        self._cache: OrderedDict[str, Document] = OrderedDict()

    def get(self, text: str) -> Document:
        """Return the document of *text*, ready to be executed.

        :raises DocumentRefused: it is not GraphQL, does not fit the schema, or is over a limit.
        """
        document = self._cache.get(text)
        if document is not None:
            self._cache.move_to_end(text)
            return document
        document = Document(self.schema, self._parse(text))
        if len(text) <= MAX_CACHED_LENGTH and not _may_hold_secrets(document.tree):
            self._cache[text] = document
            if len(self._cache) > MAX_CACHED_DOCUMENTS:
                self._cache.popitem(last=False)
        return document

    def _parse(self, text: str) -> DocumentNode:
        try:
            tree = parse(text, max_tokens=MAX_TOKENS)
        except GraphQLSyntaxError as exc:
            raise DocumentRefused([reword_syntax_error(exc)]) from None
        if errors := list(check_limits(tree)):
            raise DocumentRefused(errors)
        if errors := find_validation_errors(self.schema, tree, introspection=self._introspection):
            raise DocumentRefused(errors)
        return tree


def _may_hold_secrets(tree: DocumentNode) -> bool:
    """Tell whether a mutation has a text written into it, where a password should be a variable."""
    if all(operation.operation is OperationType.QUERY for operation in get_operations(tree)):
        return False
    finder = _TextFinder()
    visit(tree, finder)
    return finder.found


class _TextFinder(Visitor):
    """Finds whether a document has a text in it."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_string_value(self, *_: Any) -> Any:
        self.found = True
        return BREAK
