"""The execution of a valid operation."""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from graphql import ExecutionResult, GraphQLError, execute

from api.graphql.engine.errors import MAX_ERRORS, DocumentRefused, mask_failure, report_errors
from api.graphql.engine.graphql_core_internals import AttributeExecutor
from api.graphql.engine.variables import explain_variables

if TYPE_CHECKING:
    from graphql import GraphQLSchema

    from api.graphql.engine.operation import Operation


async def execute_operation(
    schema: GraphQLSchema, operation: Operation, variables: dict[str, Any], context: object
) -> ExecutionResult:
    """Execute *operation*. Its errors are those that the caller may see.

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
        )
        result = await outcome if isawaitable(outcome) else outcome
    except Exception as exc:
        return ExecutionResult(errors=[mask_failure(GraphQLError("", original_error=exc))])
    if not result.errors:
        return result
    if all(error.path is None for error in result.errors):  # Not one of them is of a field.
        raise DocumentRefused(explain_variables(schema, operation.node, variables, result.errors))
    return ExecutionResult(result.data, report_errors(result.errors))
