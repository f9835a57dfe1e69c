"""The execution of a valid operation."""

from __future__ import annotations

from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any

from graphql import ExecutionResult, GraphQLError, execute

from api.graphql.engine.errors import MAX_ERRORS, DocumentRefused, mask_failure, report_errors
from api.graphql.engine.graphql_core_internals import AttributeExecutor
from api.graphql.engine.plan import Failure
from api.graphql.engine.plan_inputs import NotPlanned
from api.graphql.engine.variables import explain_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graphql import GraphQLResolveInfo, GraphQLSchema

    from api.graphql.engine.operation import Operation
    from api.graphql.engine.plan import Outcome


async def execute_operation(
    schema: GraphQLSchema, operation: Operation, variables: dict[str, Any], context: object
) -> ExecutionResult:
    """Execute *operation*, by its plan if it has one. Its errors are those that the caller may see.

    :raises DocumentRefused: the variables don't fit their types. Nothing was executed.
    """
    plan = operation.find_plan(variables)
    try:
        arguments = None if plan is None else plan.read_arguments(variables)
    except NotPlanned:
        arguments = None
    if plan is None or arguments is None:
        return await execute_by_graphql_core(schema, operation, variables, context)
    outcomes = await plan.resolve(arguments, variables, context)
    try:
        return ExecutionResult(plan.complete(outcomes))
    except Exception:  # noqa: S110  # graphql-core meets the same failure again, and knows its place.
        pass  # Outside of this block, so that no failure of graphql-core's has this one as its cause.
    return await execute_by_graphql_core(schema, operation, variables, context, outcomes)


async def execute_by_graphql_core(
    schema: GraphQLSchema,
    operation: Operation,
    variables: dict[str, Any],
    context: object,
    outcomes: Mapping[str, Outcome] | None = None,
) -> ExecutionResult:
    """Execute *operation* by graphql-core. Root fields that have *outcomes* already are not resolved again.

    :raises DocumentRefused: the variables don't fit their types. Nothing was executed.
    """
    try:
        outcome = execute(
            schema,
            operation.document,
            variable_values=variables,
            operation_name=operation.name,
            context_value=context,
            max_coercion_errors=MAX_ERRORS,
            hide_suggestions=True,
            executor_class=AttributeExecutor,
            middleware=None if outcomes is None else [_answer_again(outcomes)],
        )
        result = await outcome if isawaitable(outcome) else outcome
    except Exception as exc:
        return ExecutionResult(errors=[mask_failure(GraphQLError("", original_error=exc))])
    if not result.errors:
        return result
    if all(error.path is None for error in result.errors):  # Not one of them is of a field.
        raise DocumentRefused(explain_variables(schema, operation.node, variables, result.errors))
    return ExecutionResult(result.data, report_errors(result.errors))


def _answer_again(outcomes: Mapping[str, Outcome]) -> Callable[..., Any]:
    """Return a middleware of graphql-core that answers *outcomes* in the place of the root fields' resolvers.

    The outcome of an asynchronous resolver is awaited as the resolver was, so that errors keep their order.
    """

    def resolve(resolve_next: Callable[..., Any], source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        if info.path.prev is not None:
            return resolve_next(source, info, **arguments)
        outcome = outcomes[str(info.path.key)]
        return _give_later(outcome) if iscoroutinefunction(resolve_next) else _give(outcome)

    return resolve


def _give(outcome: Outcome) -> Any:
    if isinstance(outcome, Failure):
        raise outcome.error
    return outcome


async def _give_later(outcome: Outcome) -> Any:
    return _give(outcome)
