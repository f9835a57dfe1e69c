"""graphql-core's executor, with a short way for the fields that only read an attribute."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from graphql import get_nullable_type, is_leaf_type
from graphql.execution.executor import Executor
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphql import GraphQLField, GraphQLObjectType
    from graphql.execution.collect_fields import FieldDetails
    from graphql.pyutils import Path

TYPE_NAME = "__typename"


class AttributeExecutor(Executor[Any]):
    """Reads plain attributes without the ceremony that resolvers need: half of the time of an object of leaves.

    Whatever is not as expected, a null or a value that can't be serialised, goes the long way, where graphql-core
    deals with it. Nothing of an execution is left to the garbage collector, whose walks keep all callers waiting.
    """

    def build_response(self, data: dict[str, Any] | None) -> Any:
        response = super().build_response(data)
        del self.async_helpers  # They refer to this executor; what resolvers still hold of them goes on working.
        return response

    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        field_details_list: list[FieldDetails],
        path: Path,
        position_context: Any,
    ) -> Any:
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
        """The serialised value; None where there is none, for whatever reason."""
        value = getattr(source, self.name, None)
        try:
            return None if value is None else self.serialise(value)
        except Exception:
            return None


@cache
def _attributes(type_: GraphQLObjectType) -> dict[str, _Attribute]:
    """The fields of *type_* that only read an attribute."""
    return {name: attribute for name, field in type_.fields.items() if (attribute := _attribute(field)) is not None}


def _attribute(field: GraphQLField) -> _Attribute | None:
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    type_ = get_nullable_type(field.type)
    if not isinstance(definition, StrawberryField) or not definition.is_basic_field or not is_leaf_type(type_):
        return None
    return _Attribute(definition.python_name, type_.coerce_output_value)
