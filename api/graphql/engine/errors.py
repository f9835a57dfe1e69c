"""Top-level errors: their codes, and how failures and mistakes are told without quoting what was sent."""

from __future__ import annotations

import logging
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError

from api.logs import trace_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from graphql import Node

logger = logging.getLogger(__name__)

MAX_ERRORS = 5  # Of each kind, in one answer and in the log. The others are counted.

BAD_REQUEST = "BAD_REQUEST"
PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
BAD_USER_INPUT = "BAD_USER_INPUT"
LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"


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


def coded_error(
    code: str, message: str, nodes: Collection[Node] | None = None, path: Collection[str | int] | None = None
) -> GraphQLError:
    """Return a top-level error with its stable code."""
    return GraphQLError(message, nodes, path=path, extensions={"code": code})


def bad_request(message: str) -> RequestRefused:
    """Return the refusal of a malformed request."""
    return RequestRefused(HTTPStatus.BAD_REQUEST, BAD_REQUEST, message)


def limit_error(message: str) -> GraphQLError:
    """Return the error of a document that asks for too much."""
    return coded_error(LIMIT_EXCEEDED, message)


def report_errors(errors: Sequence[GraphQLError]) -> list[GraphQLError]:
    """Tell what went wrong in fields: the first failures of ours, the first mistakes of the caller, and how many more.

    The failures are logged in the same way, so that one request can't fill the log.
    """
    mistakes = [_argument_error(error) for error in errors if _is_mistake(error)]
    failures = [error for error in errors if not _is_mistake(error)]
    told = [mask_failure(error) for error in failures[:MAX_ERRORS]]
    if len(failures) > MAX_ERRORS:
        told.append(_count_failures(len(failures) - MAX_ERRORS))
    return [*told, *list_first_errors(mistakes)]


def list_first_errors(mistakes: Sequence[GraphQLError]) -> list[GraphQLError]:
    """Return the first mistakes of the caller, and an error that counts the others."""
    more = len(mistakes) - MAX_ERRORS
    if more <= 0:
        return list(mistakes)
    return [*mistakes[:MAX_ERRORS], coded_error(BAD_USER_INPUT, f"And {more:,} more that do not fit their types.")]


def mask_failure(error: GraphQLError) -> GraphQLError:
    """Log a failure of ours under a reference, and tell the caller the reference alone.

    The log has no words of the failure: they may quote what was sent, a password among it.
    """
    reference = secrets.token_hex(8)
    logger.error("Internal error %s at %s\n%s", reference, error.path, trace_of(error.original_error or error))
    return _internal_error(f"Internal error. Reference: {reference}", reference, error.nodes, error.path)


def _count_failures(number: int) -> GraphQLError:
    """Log how many more failures there are, and tell the caller."""
    reference = secrets.token_hex(8)
    logger.error("Internal error %s: and %s more in this request", reference, f"{number:,}")
    return _internal_error(f"And {number:,} more internal errors. Reference: {reference}", reference)


def _internal_error(
    message: str, reference: str, nodes: Collection[Node] | None = None, path: Collection[str | int] | None = None
) -> GraphQLError:
    extensions: dict[str, Any] = {"code": INTERNAL_SERVER_ERROR, "reference": reference}
    return GraphQLError(message, nodes, path=path, extensions=extensions)


def _is_mistake(error: GraphQLError) -> bool:
    """Tell whether graphql-core found the request wrong. A resolver that fails is the original error."""
    return error.original_error is None or isinstance(error.original_error, GraphQLError)


def _argument_error(error: GraphQLError) -> GraphQLError:
    """Say where an argument is wrong that graphql-core checks only when it reaches its field: a null, for example."""
    return coded_error(BAD_USER_INPUT, "An argument does not fit its type.", error.nodes, error.path)
