"""The private parts of graphql-core that the service depends on: how its executor collects and executes fields.

A new release may change them without notice: before `TRIED_ON` follows it,
`tests/test_private_parts_of_graphql.py` says what has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import Executor, FragmentDefinitionNode, GraphQLResolveInfo, get_nullable_type, is_leaf_type
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues, get_variable_values
from graphql.pyutils import Path, is_awaitable

from api.graphql.engine.strawberry_internals import get_attribute

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graphql import DocumentNode, GraphQLField, GraphQLObjectType, GraphQLSchema, OperationDefinitionNode

TRIED_ON = "3.3.2"
TYPE_NAME = "__typename"

Fields: TypeAlias = list[FieldDetails]
"""The selections of one field under one key: several, if the document repeats it."""


class AttributeExecutor(Executor[Any]):
    """graphql-core's executor, with a short way for fields that only read an attribute.

    An object of such fields takes half of the time. A null, or a value that can't be serialised, goes the long way,
    where graphql-core handles it. An execution leaves nothing to the garbage collector, whose walks make every caller
    wait.
    """

    def build_response(self, data: dict[str, Any] | None) -> Any:
        """Build the response, and break the cycle between the executor and its helpers for resolvers."""
        response = super().build_response(data)
        del self.async_helpers  # A resolver that still holds them can go on using them.
        return response

    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        field_details_list: list[FieldDetails],
        path: Path,
        position_context: Any,
    ) -> Any:
        """Read the field's attribute, or resolve the field as graphql-core does."""
        name = field_details_list[0].node.name.value
        if name == TYPE_NAME:
            return parent_type.name
        attribute = _attributes(parent_type).get(name)
        if attribute is not None:
            value = attribute.read(source)
            if value is not None:
                return value
        return super().execute_field(parent_type, source, field_details_list, path, position_context)


@dataclass(frozen=True, slots=True)
class _Attribute:
    """A field that reads an attribute and serialises it, and does nothing else."""

    name: str
    serialise: Callable[[Any], Any]

    def read(self, source: Any) -> Any:
        """Return the serialised value; None if there is none, or if it can't be serialised."""
        value = getattr(source, self.name, None)
        try:
            return None if value is None else self.serialise(value)
        except Exception:
            return None


@cache
def _attributes(type_: GraphQLObjectType) -> dict[str, _Attribute]:
    """Return the fields of *type_* that only read an attribute."""
    return {name: attribute for name, field in type_.fields.items() if (attribute := _attribute(field)) is not None}


def _attribute(field: GraphQLField) -> _Attribute | None:
    name, type_ = get_attribute(field), get_nullable_type(field.type)
    return _Attribute(name, type_.coerce_output_value) if name is not None and is_leaf_type(type_) else None


class FieldCollector:
    """Collects the selected fields of one operation as graphql-core's executor does, by key, in the answer's order.

    *switches* are the values of the variables in `@skip` and `@include`.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        switches: Mapping[str, bool],
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._nodes = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._fragments = {name: FragmentDetails(node) for name, node in self._nodes.items()}
        self._switches = VariableValues({}, dict(switches))

    def collect_fields(self, root: GraphQLObjectType) -> dict[str, Fields]:
        """Return the root fields."""
        return collect_fields(self._schema, self._fragments, self._switches, root, self._operation).grouped_field_set

    def collect_subfields(self, type_: GraphQLObjectType, fields: Fields) -> dict[str, Fields]:
        """Return the fields below *fields*, whose value is an object of *type_*."""
        collected = collect_subfields(self._schema, self._fragments, self._switches, self._operation, type_, fields)
        return collected.grouped_field_set

    def compile_info(self, root: GraphQLObjectType, field: GraphQLField, key: str, fields: Fields) -> BuildInfo:
        """Return a function that builds what graphql-core tells the resolver of a root field."""
        nodes = [details.node for details in fields]
        path = Path(None, key, root.name)
        schema, operation = self._schema, self._operation
        before = (nodes[0].name.value, nodes, field.type, root, path, schema, self._nodes, None, operation)

        def build(variables: Mapping[str, Any], context: object) -> GraphQLResolveInfo[Any]:
            values: Any = _LazyValues(schema, operation, variables)
            return GraphQLResolveInfo(*before, values, context, is_awaitable, None, None)  # type: ignore[arg-type]

        return build


BuildInfo: TypeAlias = "Callable[[Mapping[str, Any], object], GraphQLResolveInfo[Any]]"
"""Build the info of a resolver from the variables and the context of the request."""


class _LazyValues:
    """graphql-core's `VariableValues`, which are coerced when they are asked for: few resolvers do."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> None:
        self._parts = (schema, operation, variables)

    @cached_property
    def _values(self) -> VariableValues:
        schema, operation, variables = self._parts
        values = get_variable_values(schema, operation.variable_definitions or (), dict(variables))
        assert isinstance(values, VariableValues)  # noqa: S101  # The plan has converted them.
        return values

    @property
    def sources(self) -> dict[str, Any]:
        return self._values.sources

    @property
    def coerced(self) -> dict[str, Any]:
        return self._values.coerced
