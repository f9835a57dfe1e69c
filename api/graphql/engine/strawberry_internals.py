"""The private parts of Strawberry that the service depends on.

Strawberry has no public way to any of them. A new release may change them without notice: before `TRIED_ON` follows it,
`tests/test_private_parts_of_graphql.py` says what has changed.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import strawberry
from graphql import GraphQLInputObjectType
from strawberry.schema.name_converter import NameConverter
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryMaybe, StrawberryObjectDefinition
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import INFO_PARAMSPEC
from strawberry.utils.str_converters import to_camel_case

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from graphql import GraphQLField, GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema
    from strawberry.types.arguments import StrawberryArgument

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


@dataclass(frozen=True, slots=True)
class Resolver:
    """A resolver as it was written, without what Strawberry puts around it."""

    function: Callable[..., Any]
    arguments: Mapping[str, str]
    """The parameters of *function*, by the names of the arguments in the schema."""
    field: StrawberryField
    info_class: type[strawberry.Info[Any, Any]]
    handlers: tuple[tuple[tuple[type[Exception], ...], Any], ...]

    def build_info(self, core: GraphQLResolveInfo[Any]) -> strawberry.Info[Any, Any]:
        """Return what Strawberry tells a resolver."""
        return self.info_class(_raw_info=core, _field=self.field)

    def handle(self, error: Exception, info: strawberry.Info[Any, Any]) -> Awaitable[Any] | Any:
        """Return the member of the field's union for *error*, or a promise of it; None without such a member."""
        for types, handler in self.handlers:
            if isinstance(error, types):
                return handler.handle(error, field=self.field, info=info)
        return None


def get_resolver(schema: GraphQLSchema, field: GraphQLField) -> Resolver | None:
    """Return the resolver of *field*, which takes `info` and no parent; None if it is not such a function alone."""
    definition = _definition_of(field)
    resolver = None if definition is None else definition.base_resolver
    if definition is None or resolver is None or definition.extensions or not callable(resolver.wrapped_func):
        return None
    reserved = {spec: parameter.name for spec, parameter in resolver.reserved_parameters.items() if parameter}
    if reserved != {INFO_PARAMSPEC: "info"}:
        return None
    converter: GraphQLCoreConverter = schema._strawberry_schema.schema_converter  # type: ignore[attr-defined]
    return Resolver(
        function=resolver.wrapped_func,
        arguments={_name_of(argument): argument.python_name for argument in definition.arguments},
        field=definition,
        info_class=converter.config.info_class,
        handlers=converter._get_field_exception_handlers(definition),
    )


@dataclass(frozen=True, slots=True)
class InputClass:
    """The class of an input type."""

    build: Callable[..., Any]
    attributes: Mapping[str, str]
    """The attributes, by the names of the fields in the schema."""
    nulls: dict[str, None]
    """None for each attribute that has no default of its own."""


def get_input_class(type_: GraphQLInputObjectType) -> InputClass | None:
    """Return the class that Strawberry builds for *type_*; None if it builds a value in another way."""
    definition = type_.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(definition, StrawberryObjectDefinition) or definition.from_input is not None:
        return None
    if definition.is_one_of or any(isinstance(field.type, StrawberryMaybe) for field in definition.fields):
        return None
    return InputClass(
        build=definition.origin,
        attributes={_name_of(field): field.python_name for field in definition.fields},
        nulls={
            field.python_name: None
            for field in definition.fields
            if field.default_value is MISSING and field.default_factory is MISSING
        },
    )


def get_object_class(type_: GraphQLObjectType) -> type | None:
    """Return the class whose instances are objects of *type_*; None if a method of it decides what is one."""
    definition = type_.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(definition, StrawberryObjectDefinition):
        return None
    return None if definition.is_type_of or definition.resolve_type else definition.origin


_camel_case = cache(to_camel_case)


class CachedNames(NameConverter):
    """Strawberry's names, each made once. Strawberry makes them again for each argument of each request."""

    def apply_naming_config(self, name: str) -> str:
        return _camel_case(name)


def _name_of(part: StrawberryField | StrawberryArgument) -> str:
    """Return the name that the schema has for a field or an argument."""
    return part.graphql_name or _camel_case(part.python_name)


def _mend_is_one_of(schema: GraphQLSchema) -> None:
    """Make `__Type.isOneOf` work for lists and non-null types.

    Strawberry replaces graphql-core's resolver by one that reads `extensions`, which wrapping types don't have: each
    field of such a type that is asked for fails. None of our inputs is a OneOf that Strawberry made.
    """
    schema.type_map["__Type"].fields["isOneOf"].resolve = _is_one_of  # type: ignore[attr-defined]  # An object type.


def _is_one_of(type_: Any, _: GraphQLResolveInfo[Any]) -> bool | None:
    """Tell whether an input object is a OneOf. The specification has null for any other type."""
    return type_.is_one_of if isinstance(type_, GraphQLInputObjectType) else None
