"""An operation executed in both ways, by its plan and by graphql-core, and everything that can be seen of it."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from api.graphql.engine.errors import DocumentRefused
from api.graphql.engine.execution import execute_by_graphql_core, execute_operation
from api.graphql.engine.plan_inputs import NotPlanned

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from graphql import ExecutionResult, GraphQLError, GraphQLSchema

    from api.graphql.engine.operation import Operation

REFERENCE = re.compile(r"\b[0-9a-f]{16}\b")
ADDRESS = re.compile(rb"\b0x[0-9a-f]+\b")
NULL = b"null"
OUR_PLACE = re.compile(r'  File ".*/tests/')
LOGGER = logging.getLogger("api.graphql.engine.errors")


@dataclass(frozen=True)
class Seen:
    """The visible parts of an execution: the answer, byte for byte, the calls of resolvers, the log.

    graphql-core calls no more resolvers once the whole answer is null. A plan has called all.
    """

    data: bytes
    errors: bytes
    refused: bool
    calls: list[str]
    log: list[str]


class _Log(logging.Handler):
    """Takes the log: the first line of each record, where in these tests the error was raised, and its causes."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        lines = REFERENCE.sub("reference", record.getMessage()).splitlines()
        places = [line for line in lines if OUR_PLACE.match(line)]
        self.lines += [lines[0], *places[-1:], lines[-1]]


async def see(
    execute: Callable[..., Awaitable[ExecutionResult]],
    schema: GraphQLSchema,
    operation: Operation,
    variables: dict[str, Any],
    context: Any,
) -> Seen:
    """Execute *operation* in one way."""
    log, refused = _Log(), False
    LOGGER.addHandler(log)
    try:
        result = await execute(schema, operation, variables, context)
        data, errors = result.data, result.errors or []
    except DocumentRefused as refusal:
        refused, data, errors = True, None, refusal.errors
    finally:
        LOGGER.removeHandler(log)
    calls = sorted(getattr(context, "calls", ()))
    return Seen(_write(data), _format(errors), refused, calls, log.lines)


def _write(data: Any) -> bytes:
    """Return *data* as JSON, where no object is told by its address in memory."""
    return ADDRESS.sub(b"address", orjson.dumps(data, default=repr))


def _format(errors: list[GraphQLError]) -> bytes:
    return REFERENCE.sub("reference", orjson.dumps([error.formatted for error in errors]).decode()).encode()


async def see_both(
    schema: GraphQLSchema, operation: Operation, variables: dict[str, Any], build_context: Callable[[], Any]
) -> tuple[Seen, Seen]:
    """Execute *operation* by its plan and by graphql-core, each with a context of its own."""
    by_plan = await see(execute_operation, schema, operation, variables, build_context())
    by_core = await see(execute_by_graphql_core, schema, operation, variables, build_context())
    is_null = not by_core.refused and by_core.data == NULL
    return replace(by_plan, calls=[call for call in by_plan.calls if call in by_core.calls or not is_null]), by_core


def is_planned(operation: Operation, variables: dict[str, Any]) -> bool:
    """Tell whether a plan covers *operation* with these variables."""
    plan = operation.find_plan(variables)
    try:
        return plan is not None and bool(plan.read_arguments(variables))
    except NotPlanned:
        return False
