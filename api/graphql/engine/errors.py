"""Top-level errors: their codes, and what may be said of what went wrong without quoting what was sent."""

from __future__ import annotations

import logging
import re
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, GraphQLSyntaxError, ValueNode, VariableNode

from api.logs import trace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

logger = logging.getLogger(__name__)

MAX_ERRORS = 5  # Of each kind, in one answer and in the log; the rest is counted.

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


class RequestRefused(Exception):
    """A request that is not executed: its status, the one error that says why, and headers."""

    def __init__(self, status: HTTPStatus, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.error = coded_error(code, message)
        self.headers = headers or {}


class DocumentRefused(Exception):
    """A document or variables that are not executed. The errors say why, and quote nothing that was sent."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__(len(errors))
        self.errors = list(errors)


def coded_error(code: str, message: str, **extensions: Any) -> GraphQLError:
    """A top-level error with its stable code."""
    return GraphQLError(message, extensions={"code": code, **extensions})


def bad_request(message: str) -> RequestRefused:
    """Return the refusal of a malformed request."""
    return RequestRefused(HTTPStatus.BAD_REQUEST, BAD_REQUEST, message)


def limit_error(message: str) -> GraphQLError:
    """The error of a document that asks for too much."""
    return coded_error(LIMIT_EXCEEDED, message)


def syntax_error(exc: GraphQLSyntaxError) -> GraphQLError:
    """The error without the values that it quotes."""
    code = LIMIT_EXCEEDED if exc.message.endswith("Parsing aborted.") else PARSE_FAILED
    message = PART_OF_VALUE.sub("…", SUGGESTION.sub(".", TOKEN_VALUE.sub(r"\1", exc.message)))
    return GraphQLError(message, source=exc.source, positions=exc.positions, extensions={"code": code})


def validation_error(error: GraphQLError) -> GraphQLError:
    """The error with its code; one that speaks of a written value doesn't quote it."""
    message = SUGGESTION.sub("", WHOLE_INPUT.sub(".", error.message))
    message = UNDEFINED_VARIABLE.sub("A variable that is used here is not defined", message)
    if any(isinstance(node, ValueNode) and not isinstance(node, VariableNode) for node in error.nodes or ()):
        message = "A value that is written here does not fit its type."
    return GraphQLError(message, error.nodes, extensions={"code": VALIDATION_FAILED})


def input_errors(errors: Sequence[GraphQLError]) -> list[GraphQLError]:
    """Tell which variables can't be coerced, a few of them one by one."""
    return _first_few(errors, _input_error, _more_input_errors)


def execution_errors(errors: Sequence[GraphQLError]) -> list[GraphQLError]:
    """Tell what went wrong in fields: a few failures of ours, a few mistakes of the caller, the rest as a number.

    Log the failures in the same way, so that one request can't fill the log.
    """
    failures = [error for error in errors if not _is_callers(error)]
    mistakes = [error for error in errors if _is_callers(error)]
    return [
        *_first_few(failures, masked_error, _more_failures),
        *_first_few(mistakes, _argument_error, _more_input_errors),
    ]


def masked_error(error: GraphQLError) -> GraphQLError:
    """Log a failure of ours under a reference, and tell the caller that reference alone.

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


def _first_few(
    errors: Sequence[GraphQLError],
    tell: Callable[[GraphQLError], GraphQLError],
    count: Callable[[int], GraphQLError],
) -> list[GraphQLError]:
    """Tell the first errors one by one, and count the rest in one."""
    told = [tell(error) for error in errors[:MAX_ERRORS]]
    more = len(errors) - len(told)
    return [*told, count(more)] if more else told


def _more_failures(number: int) -> GraphQLError:
    reference = secrets.token_hex(8)
    logger.error("Internal error %s: and %s more in this request", reference, f"{number:,}")
    message = f"And {number:,} more internal errors. Reference: {reference}"
    return coded_error(INTERNAL_SERVER_ERROR, message, reference=reference)


def _more_input_errors(number: int) -> GraphQLError:
    return coded_error(BAD_USER_INPUT, f"And {number:,} more that do not fit their types.")


def _is_callers(error: GraphQLError) -> bool:
    """Whether graphql-core itself found the request wrong, rather than a resolver failing."""
    return error.original_error is None or isinstance(error.original_error, GraphQLError)


def _input_error(error: GraphQLError) -> GraphQLError:
    """Say where a variable can't be coerced: graphql-core quotes its value, password included."""
    variable = VARIABLE.match(error.message)
    if variable is None:
        return GraphQLError("A variable does not fit its type.", error.nodes, extensions={"code": BAD_USER_INPUT})
    reason = "the value does not fit its type"
    for pattern, words in REASONS:
        if match := pattern.match(error.message, variable.end()):
            reason = words.format(match[1])
    where = f"Variable ${variable[1]}{variable[2] or ''}"
    return GraphQLError(f"{where}: {reason}.", error.nodes, extensions={"code": BAD_USER_INPUT})


def _argument_error(error: GraphQLError) -> GraphQLError:
    """Say where an argument is wrong that could only be found so when its field was reached: a null, say."""
    message = "An argument does not fit its type."
    return GraphQLError(message, error.nodes, path=error.path, extensions={"code": BAD_USER_INPUT})
