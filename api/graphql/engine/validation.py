"""The validation of a document against the schema, whose errors quote no value and give no hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphql import (
    FieldNode,
    GraphQLError,
    NoSchemaIntrospectionCustomRule,
    ObjectFieldNode,
    OperationDefinitionNode,
    ScalarLeafsRule,
    ValueNode,
    VariableNode,
    specified_rules,
    validate,
)

from api.graphql.engine.errors import MAX_ERRORS, VALIDATION_FAILED, coded_error

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLSchema


class ScalarLeafsWithoutHint(ScalarLeafsRule):
    """graphql-core's rule, which gives a hint even where suggestions are hidden."""

    def report_error(self, error: GraphQLError) -> None:
        match error.nodes:
            case [FieldNode() as field]:
                message = f"Field '{field.name.value}' of type '{self.context.get_type()}' must have a selection"
                super().report_error(GraphQLError(f"{message} of subfields.", field))
            case _:
                super().report_error(error)


RULES = tuple(ScalarLeafsWithoutHint if rule is ScalarLeafsRule else rule for rule in specified_rules)


def find_validation_errors(schema: GraphQLSchema, document: DocumentNode, *, introspection: bool) -> list[GraphQLError]:
    """Return the first errors of *document*, and one more that says so if there are others."""
    rules = RULES if introspection else (*RULES, NoSchemaIntrospectionCustomRule)
    errors = validate(schema, document, rules, max_errors=MAX_ERRORS, hide_suggestions=True)
    return [coded_error(VALIDATION_FAILED, _reword(error), error.nodes) for error in errors]


def _reword(error: GraphQLError) -> str:
    """Choose other words if *error* is about a written value, a field of one, or a variable that is not defined."""
    match error.nodes or []:
        case [ObjectFieldNode() as field]:
            return f"There is no field '{field.name.value}' in the input that is written here."
        case [VariableNode(), OperationDefinitionNode() as operation]:  # A password after a "$" looks like a variable.
            by = "" if operation.name is None else f" by operation '{operation.name.value}'"
            return f"A variable that is used here is not defined{by}."
        case nodes if any(isinstance(node, ValueNode) and not isinstance(node, VariableNode) for node in nodes):
            return "A value that is written here does not fit its type."
        case _:
            return error.message
