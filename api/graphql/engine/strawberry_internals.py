"""The private parts of Strawberry that the service depends on.

Strawberry has no public way to any of them. A new release may change them without notice: before `TRIED_ON` follows it,
`tests/test_private_parts_of_graphql.py` says what has changed.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from graphql import GraphQLInputObjectType
from strawberry.schema.name_converter import NameConverter
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

if TYPE_CHECKING:
    import strawberry
    from graphql import GraphQLField, GraphQLResolveInfo, GraphQLSchema

TRIED_ON = "0.341.2"


def get_core_schema(schema: strawberry.Schema) -> GraphQLSchema:
    """Return the schema that graphql-core executes, with `isOneOf` mended."""
    core = schema._schema
    _mend_is_one_of(core)
    return core


def get_core_info(info: strawberry.Info[Any, Any]) -> GraphQLResolveInfo[Any]:
    """Return what graphql-core tells a resolver."""
    return info._raw_info


def get_metadata(field: GraphQLField, key: str, default: Any) -> Any:
    """Return what `strawberry.field(metadata=…)` has under *key*."""
    definition = _definition_of(field)
    return default if definition is None else definition.metadata.get(key, default)


def get_attribute(field: GraphQLField) -> str | None:
    """Return the attribute that *field* reads; None if the field does anything else."""
    definition = _definition_of(field)
    return definition.python_name if definition is not None and definition.is_basic_field else None


def _definition_of(field: GraphQLField) -> StrawberryField | None:
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return definition if isinstance(definition, StrawberryField) else None


_camel_case = cache(to_camel_case)


class CachedNames(NameConverter):
    """Strawberry's names, each made once. Strawberry makes them again for each argument of each request."""

    def apply_naming_config(self, name: str) -> str:
        return _camel_case(name)


def _mend_is_one_of(schema: GraphQLSchema) -> None:
    """Make `__Type.isOneOf` work for lists and non-null types.

    Strawberry replaces graphql-core's resolver by one that reads `extensions`, which wrapping types don't have: each
    field of such a type that is asked for fails. None of our inputs is a OneOf that Strawberry made.
    """
    schema.type_map["__Type"].fields["isOneOf"].resolve = _is_one_of  # type: ignore[attr-defined]  # An object type.


def _is_one_of(type_: Any, _: GraphQLResolveInfo[Any]) -> bool | None:
    """Tell whether an input object is a OneOf. The specification has null for any other type."""
    return type_.is_one_of if isinstance(type_, GraphQLInputObjectType) else None
