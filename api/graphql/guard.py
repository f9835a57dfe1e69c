"""Which documents are executed at all, and what may be said of those that are not."""

from __future__ import annotations

import logging
import re
import secrets
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    Visitor,
    parse,
    specified_rules,
    validate,
    visit,
)

from api.logs import trace_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

logger = logging.getLogger(__name__)

MAX_TOKENS = 500
MAX_DEPTH = 15  # The whole introspection query has 14.
MAX_ALIASES = 20
MAX_REPETITIONS = 30  # Validation compares each two of them: with 110, it took 100 ms.
MAX_ERRORS = 5
CACHED_DOCUMENTS = 100
LONGEST_CACHED_DOCUMENT = 10_000

BAD_REQUEST = "BAD_REQUEST"
PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
BAD_USER_INPUT = "BAD_USER_INPUT"
LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"

TOKEN_VALUE = re.compile(r"\b(Name|String|BlockString|Int|Float|Comment) (['\"]).*\2", re.DOTALL)
PART_OF_VALUE = re.compile(r"(?:(?<=sequence: )|(?<=variable ))'.*'", re.DOTALL)
SUGGESTION = re.compile(r",? did you mean .*", re.DOTALL | re.IGNORECASE)
UNDEFINED_VARIABLE = re.compile(r"Variable '\$\w+' is not defined")
WHOLE_INPUT = re.compile(r"[,;.]? found: .*", re.DOTALL | re.IGNORECASE)
VARIABLE = re.compile(r"Variable '\$(\w+)' has invalid value(?: at ([\w.\[\]]+))?: ")
# What graphql-core says of a value that can't be coerced, and what may be said of it.
REASONS = (
    (re.compile(r"Expected value of type '.*?' to include required field '(\w+)'"), "the field {} is missing"),
    (
        re.compile(r"Expected value of type '.*?' not to include unknown field '(\w{1,40})'"),
        "there is no field {}",
    ),
    (re.compile(r"Expected a value of non-null type '(.*?)' to be provided"), "a value is required"),
    (re.compile(r"Expected value of non-null type '(.*?)' not to be None"), "null is not accepted"),
    (re.compile(r"Value .* does not exist in '(\w+)' enum", re.DOTALL), "this is no value of {}"),
)


class DocumentRefused(Exception):
    """The document is not executed; *errors* say why, and quote nothing of it."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__(len(errors))
        self.errors = list(errors)


def coded_error(code: str, message: str, **extensions: Any) -> GraphQLError:
    """A top-level error with its stable code."""
    return GraphQLError(message, extensions={"code": code, **extensions})


class Documents:
    """Parses and validates; a document that passed is kept by its text, so that it is checked once."""

    def __init__(self, schema: GraphQLSchema, *, introspection: bool) -> None:
        self._schema = schema
        self._rules = specified_rules if introspection else (*specified_rules, NoSchemaIntrospectionCustomRule)
        self._passed: OrderedDict[str, DocumentNode] = OrderedDict()

    def get(self, text: str) -> DocumentNode:
        """The document of *text*, fit to be executed.

        :raises DocumentRefused: it is not GraphQL, not of this schema, or over a limit.
        """
        document = self._passed.get(text)
        if document is not None:
            self._passed.move_to_end(text)
            return document
        document = self._check(text)
        if len(text) <= LONGEST_CACHED_DOCUMENT and not _may_hold_secrets(document):
            self._passed[text] = document
            if len(self._passed) > CACHED_DOCUMENTS:
                self._passed.popitem(last=False)
        return document

    def _check(self, text: str) -> DocumentNode:
        try:
            document = parse(text, max_tokens=MAX_TOKENS)
        except GraphQLSyntaxError as exc:
            raise DocumentRefused([_syntax_error(exc)]) from None
        except RecursionError:
            raise DocumentRefused([coded_error(LIMIT_EXCEEDED, "The document is nested too deeply.")]) from None
        if errors := list(_limit_errors(document)):
            raise DocumentRefused(errors)
        invalid = validate(self._schema, document, self._rules, max_errors=MAX_ERRORS, hide_suggestions=True)
        if invalid:
            raise DocumentRefused([_validation_error(error) for error in invalid])
        return document


def _may_hold_secrets(document: DocumentNode) -> bool:
    """Whether a mutation has a text written into it, where a password should be a variable."""
    if not any(operation.operation is not OperationType.QUERY for operation in _operations(document)):
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


def _operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    return [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]


def _syntax_error(exc: GraphQLSyntaxError) -> GraphQLError:
    """The error without the values that it quotes."""
    code = LIMIT_EXCEEDED if exc.message.endswith("Parsing aborted.") else PARSE_FAILED
    message = PART_OF_VALUE.sub("…", SUGGESTION.sub(".", TOKEN_VALUE.sub(r"\1", exc.message)))
    return GraphQLError(message, source=exc.source, positions=exc.positions, extensions={"code": code})


def _validation_error(error: GraphQLError) -> GraphQLError:
    """The error with its code; one that speaks of a written value doesn't quote it."""
    message = SUGGESTION.sub("", WHOLE_INPUT.sub(".", error.message))
    message = UNDEFINED_VARIABLE.sub("A variable that is used here is not defined", message)
    if any(isinstance(node, ValueNode) and not isinstance(node, VariableNode) for node in error.nodes or ()):
        message = "A value that is written here does not fit its type."
    return GraphQLError(message, error.nodes, extensions={"code": VALIDATION_FAILED})


@dataclass(frozen=True, slots=True)
class _Size:
    """How deep a selection goes, how many aliases it has, and how many fields stand at its top."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0


class _Measure:
    """Sizes of selections; each fragment is measured once, however often it is spread."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
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


def _object_fields(selections: SelectionSetNode | None) -> Iterator[str]:
    """Names under which objects are asked for, at any depth; what is spread is counted where it is defined."""
    for node in selections.selections if selections is not None else ():
        if isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set is not None:
            if isinstance(node, FieldNode):
                yield (node.alias or node.name).value
            yield from _object_fields(node.selection_set)


def _most_repetitions(document: DocumentNode) -> int:
    """How often the object is asked for that is asked for most often, under one name in the whole document."""
    names = Counter(
        name
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode | FragmentDefinitionNode)
        for name in _object_fields(node.selection_set)
    )
    return max(names.values(), default=0)


def _limit_errors(document: DocumentNode) -> Iterator[GraphQLError]:
    if _most_repetitions(document) > MAX_REPETITIONS:
        yield coded_error(LIMIT_EXCEEDED, f"The document asks for the same object more than {MAX_REPETITIONS} times.")
    measure = _Measure(document)
    for operation in _operations(document):
        size = measure.of(operation.selection_set)
        if size.depth > MAX_DEPTH:
            yield coded_error(LIMIT_EXCEEDED, f"The operation is deeper than {MAX_DEPTH} levels.")
        if size.aliases > MAX_ALIASES:
            yield coded_error(LIMIT_EXCEEDED, f"The operation has more than {MAX_ALIASES} aliases.")
        if operation.operation is OperationType.MUTATION and size.fields > 1:
            yield coded_error(LIMIT_EXCEEDED, "An operation that mutates has one root field.")


def input_error(error: GraphQLError) -> GraphQLError:
    """What may be said of a variable that can't be coerced: graphql-core quotes its value, password included."""
    variable = VARIABLE.match(error.message)
    if variable is None:
        return GraphQLError("A variable does not fit its type.", error.nodes, extensions={"code": BAD_USER_INPUT})
    reason = "the value does not fit its type"
    for pattern, words in REASONS:
        if match := pattern.match(error.message, variable.end()):
            reason = words.format(match[1])
    where = f"Variable ${variable[1]}{variable[2] or ''}"
    return GraphQLError(f"{where}: {reason}.", error.nodes, extensions={"code": BAD_USER_INPUT})


def argument_error(error: GraphQLError) -> GraphQLError:
    """What may be said of an argument that could only be found wrong when its field was reached: a null, say."""
    message = "An argument does not fit its type."
    return GraphQLError(message, error.nodes, path=error.path, extensions={"code": BAD_USER_INPUT})


def masked_error(error: GraphQLError) -> GraphQLError:
    """What may be said of a failure of ours: a reference, under which the log has where it comes from.

    The log has no words of the failure: they may quote what was sent, a password among it.
    """
    reference = secrets.token_hex(8)
    logger.error("Internal error %s at %s\n%s", reference, error.path, trace_of(error.original_error or error))
    return GraphQLError(
        f"Internal error. Reference: {reference}",
        error.nodes,
        path=error.path,
        extensions={"code": INTERNAL_SERVER_ERROR, "reference": reference},
    )
