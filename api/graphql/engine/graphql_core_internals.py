"""The private parts of graphql-core that the service depends on: the methods by which its executor executes fields.

A new release may change them without notice: before `TRIED_ON` follows it,
`tests/test_private_parts_of_graphql.py` says what has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from graphql import Executor, get_nullable_type, is_leaf_type

from api.graphql.engine.strawberry_internals import get_attribute

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphql import GraphQLField, GraphQLObjectType
    from graphql.execution.collect_fields import FieldDetails
    from graphql.pyutils import Path

TRIED_ON = "3.3.2"
TYPE_NAME = "__typename"


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
