"""Which documents are executed at all: each is parsed, held to the limits and validated once, and then kept."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    StringValueNode,
    Visitor,
    get_operation_ast,
    parse,
    visit,
)

from api.graphql.engine.caching import CACHEABLE
from api.graphql.engine.cost import MAX_COST, CostExceeded, OperationCost
from api.graphql.engine.errors import DocumentRefused, limit_error
from api.graphql.engine.introspection import SCHEMA, TYPE
from api.graphql.engine.limits import MAX_TOKENS, limit_errors
from api.graphql.engine.selections import fragments, operations, root_fields
from api.graphql.engine.strawberry_internals import metadata_of
from api.graphql.engine.syntax_errors import syntax_error
from api.graphql.engine.validation import validation_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CACHED_DOCUMENTS = 100
LONGEST_CACHED_DOCUMENT = 10_000
COST_EXCEEDED = f"The operation costs more than {MAX_COST:,}: ask for less at once, or for shorter lists."


class Operation:
    """One operation of a valid document."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, node: OperationDefinitionNode) -> None:
        self._schema = schema
        self._is_within_limit: bool | None = None
        self.document = document
        self.node = node

    def check_cost(self, variables: Mapping[str, Any]) -> None:
        """Refuse the operation if it costs too much; where its variables don't matter, that is counted once.

        :raises DocumentRefused: it costs more than `MAX_COST`.
        """
        if self._is_within_limit is None:
            cost = OperationCost(self._schema, fragments(self.document), self.node, variables)
            is_within_limit = _is_counted(cost)
            if not cost.depends_on_variables:
                self._is_within_limit = is_within_limit
        else:
            is_within_limit = self._is_within_limit
        if not is_within_limit:
            raise DocumentRefused([limit_error(COST_EXCEEDED)])

    @property
    def name(self) -> str | None:
        """The name that chooses this operation among others."""
        return None if self.node.name is None else self.node.name.value

    @property
    def type(self) -> OperationType:
        """Whether this is a query or a mutation."""
        return self.node.operation

    @cached_property
    def introspects(self) -> bool:
        """Whether the operation asks for the schema."""
        return not self._root_fields.isdisjoint({SCHEMA, TYPE})

    @cached_property
    def is_cacheable(self) -> bool:
        """Whether the schema declares all of the root fields cacheable."""
        root = self._schema.get_root_type(self.node.operation)
        fields = {} if root is None else root.fields
        return all(name in fields and metadata_of(fields[name], CACHEABLE, False) for name in self._root_fields)

    @cached_property
    def _root_fields(self) -> set[str]:
        return root_fields(self.document, self.node)


def _is_counted(cost: OperationCost) -> bool:
    """Whether the whole cost could be counted within the limit."""
    try:
        cost.count()
    except CostExceeded:
        return False
    return True


class Document:
    """A valid document, and its operations as they are asked for."""

    def __init__(self, schema: GraphQLSchema, tree: DocumentNode) -> None:
        self._schema = schema
        self._operations: dict[str | None, Operation] = {}
        self.tree = tree

    def operation(self, name: str | None) -> Operation | None:
        """The operation of that name, or the only one; None if there is no such operation."""
        known = self._operations.get(name)
        if known is None and (node := get_operation_ast(self.tree, name)) is not None:
            known = self._operations[name] = Operation(self._schema, self.tree, node)
        return known


class Documents:
    """Parses and validates; a document that passed is kept by its text, so that it is checked once."""

    def __init__(self, schema: GraphQLSchema, *, introspection: bool) -> None:
        self._schema = schema
        self._introspection = introspection
        self._passed: OrderedDict[str, Document] = OrderedDict()

    def get(self, text: str) -> Document:
        """The document of *text*, fit to be executed.

        :raises DocumentRefused: it is not GraphQL, not of this schema, or over a limit.
        """
        document = self._passed.get(text)
        if document is not None:
            self._passed.move_to_end(text)
            return document
        document = Document(self._schema, self._check(text))
        if len(text) <= LONGEST_CACHED_DOCUMENT and not _may_hold_secrets(document.tree):
            self._passed[text] = document
            if len(self._passed) > CACHED_DOCUMENTS:
                self._passed.popitem(last=False)
        return document

    def _check(self, text: str) -> DocumentNode:
        try:
            document = parse(text, max_tokens=MAX_TOKENS)
        except GraphQLSyntaxError as exc:
            raise DocumentRefused([syntax_error(exc)]) from None
        except RecursionError:
            raise DocumentRefused([limit_error("The document is nested too deeply.")]) from None
        if errors := list(limit_errors(document)):
            raise DocumentRefused(errors)
        if errors := validation_errors(self._schema, document, introspection=self._introspection):
            raise DocumentRefused(errors)
        return document


def _may_hold_secrets(document: DocumentNode) -> bool:
    """Whether a mutation has a text written into it, where a password should be a variable."""
    if not any(operation.operation is not OperationType.QUERY for operation in operations(document)):
        return False
    return bool(list(_inline_texts(document)))


def _inline_texts(document: DocumentNode) -> Iterator[str]:
    """Texts that are written into the document."""
    collector = _TextCollector()
    visit(document, collector)
    yield from collector.texts


class _TextCollector(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        self.texts.append(node.value)
