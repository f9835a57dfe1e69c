"""Plans: an operation that is compiled once, and then executed without graphql-core.

A plan covers what nearly all requests are: root fields with resolvers, and below them fields that read attributes. It
answers as graphql-core does, or not at all. Anything unusual goes through graphql-core: an operation that no plan
covers, variables that don't fit, and a value that can't be completed, which graphql-core gets in the place of a second
call of the resolver.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeAlias

from api.graphql.engine.graphql_core_internals import FieldCollector
from api.graphql.engine.plan_inputs import ABSENT, NotPlanned, VariablePlan, compile_argument, has_default
from api.graphql.engine.plan_outputs import OutputCompiler
from api.graphql.engine.strawberry_internals import get_resolver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from graphql import DocumentNode, FieldNode, GraphQLField, GraphQLSchema, OperationDefinitionNode

    from api.graphql.engine.graphql_core_internals import BuildInfo
    from api.graphql.engine.plan_inputs import ReadArgument
    from api.graphql.engine.plan_outputs import Complete
    from api.graphql.engine.strawberry_internals import Resolver

Arguments: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """The outcome of a resolver that raised."""

    error: Exception


Outcome: TypeAlias = Any
"""The value of a root field, or a `Failure`."""


class RootField:
    """One root field of a plan."""

    def __init__(
        self,
        resolver: Resolver,
        arguments: Sequence[tuple[str, ReadArgument]],
        build_info: BuildInfo,
        complete: Complete,
    ) -> None:
        self._resolver = resolver
        self._arguments = arguments
        self._build_info = build_info
        self.complete = complete

    def read_arguments(self, values: Mapping[str, Any], variables: Mapping[str, Any]) -> Arguments:
        """Return the resolver's arguments.

        :raises NotPlanned: one of them does not fit its type.
        """
        return {name: value for name, read in self._arguments if (value := read(values, variables)) is not ABSENT}

    async def resolve(self, arguments: Arguments, variables: Mapping[str, Any], context: object) -> Outcome:
        """Call the resolver. A refusal becomes the member of the union that stands for it."""
        info = self._resolver.build_info(self._build_info(variables, context))
        try:
            value = self._resolver.function(info=info, **arguments)
            return await value if isawaitable(value) else value
        except Exception as exc:
            return await self._handle(exc, info)

    async def _handle(self, error: Exception, info: Any) -> Outcome:
        try:
            handled = self._resolver.handle(error, info)
            if isawaitable(handled):
                handled = await handled
        except Exception as exc:
            return Failure(exc)
        return Failure(error) if handled is None else handled


class Plan:
    """The way to execute one operation."""

    def __init__(self, variables: VariablePlan, fields: Mapping[str, RootField]) -> None:
        self._variables = variables
        self._fields = fields

    def read_arguments(self, variables: Mapping[str, Any]) -> list[Arguments]:
        """Return the arguments of each root field. Nothing is executed.

        :raises NotPlanned: the variables don't fit.
        """
        values = self._variables.convert(variables)
        return [field.read_arguments(values, variables) for field in self._fields.values()]

    async def resolve(
        self, arguments: list[Arguments], variables: Mapping[str, Any], context: object
    ) -> dict[str, Outcome]:
        """Resolve all root fields, at the same time. Return their outcomes, by their keys in the answer.

        All are called, even where one that fails makes the whole answer null: graphql-core then spares the others.
        """
        calls = [
            field.resolve(own, variables, context) for field, own in zip(self._fields.values(), arguments, strict=True)
        ]
        outcomes = [await calls[0]] if len(calls) == 1 else await asyncio.gather(*calls)
        return dict(zip(self._fields, outcomes, strict=True))

    def complete(self, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        """Return the data of the answer. Raise any exception if one of *outcomes* is not what its type needs."""
        for outcome in outcomes.values():
            if isinstance(outcome, (Failure, Exception)):
                raise NotPlanned
        return {key: field.complete(outcomes[key]) for key, field in self._fields.items()}


def compile_plan(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, switches: Mapping[str, bool]
) -> Plan | None:
    """Return the plan for a valid operation, with the values of the variables in its directives; None without one."""
    try:
        return _compile(schema, operation, FieldCollector(schema, document, operation, switches))
    except NotPlanned:
        return None


def _compile(schema: GraphQLSchema, operation: OperationDefinitionNode, collector: FieldCollector) -> Plan:
    root = schema.get_root_type(operation.operation)
    assert root is not None  # noqa: S101  # The operation is valid.
    variables = VariablePlan(schema, operation)
    outputs = OutputCompiler(schema, collector)
    fields = {}
    for key, selected in collector.collect_fields(root).items():
        field = root.fields.get(selected[0].node.name.value)
        resolver = None if field is None else get_resolver(schema, field)
        if field is None or resolver is None:
            raise NotPlanned
        fields[key] = RootField(
            resolver,
            list(_compile_arguments(field, selected[0].node, resolver, variables)),
            collector.compile_info(root, field, key, selected),
            outputs.compile(field.type, selected),
        )
    return Plan(variables, fields)


def _compile_arguments(
    field: GraphQLField, node: FieldNode, resolver: Resolver, variables: VariablePlan
) -> Iterator[tuple[str, ReadArgument]]:
    """Yield a reader for each argument of *node*, with the name that the resolver has for it."""
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    for name, argument in field.args.items():
        if name in given:
            yield resolver.arguments[name], compile_argument(given[name], argument, variables)
        elif has_default(argument):
            raise NotPlanned
