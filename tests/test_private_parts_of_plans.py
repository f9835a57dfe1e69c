"""The private parts of Strawberry that plans use do what they expect, in the installed version."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, cast

import graphql
import pytest
import strawberry
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission
from strawberry.schema.config import StrawberryConfig

from api.graphql.engine.strawberry_internals import (
    InputClass,
    Resolver,
    get_core_schema,
    get_input_class,
    get_object_class,
    get_resolver,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class RefusedError(Exception):
    """The exception that the handler below handles."""


@strawberry.type
class Refusal:
    words: str


@strawberry.type
class Answer:
    some_number: int


class Handler:
    exception_type = RefusedError
    error_type = Refusal

    def handle(self, exception: RefusedError, *, field: object, info: strawberry.Info[Any, Any]) -> Refusal:
        return Refusal(words=f"{info.field_name}: {exception}")


class OwnInfo(strawberry.Info[Any, Any]):
    """The class of info that a schema may choose."""


class Extension(FieldExtension):
    def resolve(self, next_: Callable[..., Any], source: Any, info: Any, **arguments: Any) -> Any:
        return next_(source, info, **arguments)


class Permission(BasePermission):
    message = "No."

    def has_permission(self, source: Any, info: Any, **_: Any) -> bool:
        return True


def ask(
    info: strawberry.Info[Any, Any],
    some_text: Annotated[str, strawberry.argument(name="words")],
    other: int = 1,
) -> Annotated[Answer | Refusal, strawberry.union("AskResult")]:
    if some_text == "no":
        raise RefusedError(some_text)
    return Answer(some_number=other)


def number(info: strawberry.Info[Any, Any]) -> int:
    return 1


def number_without_info() -> int:
    return 1


def number_of_parent(root: Any, info: strawberry.Info[Any, Any]) -> int:
    return 1


def number_by_another_name(told: strawberry.Info[Any, Any]) -> int:
    return 1


@strawberry.type
class Resolved:
    ask: Annotated[Answer | Refusal, strawberry.union("AskResult")] = strawberry.field(resolver=ask)
    plain: int = strawberry.field(resolver=number)
    without_info: int = strawberry.field(resolver=number_without_info)
    of_parent: int = strawberry.field(resolver=number_of_parent)
    by_another_name: int = strawberry.field(resolver=number_by_another_name)
    extended: int = strawberry.field(resolver=number, extensions=[Extension()])
    permitted: int = strawberry.field(resolver=number, permission_classes=[Permission])
    attribute: int = 1


@pytest.fixture
def resolved() -> graphql.GraphQLSchema:
    config = StrawberryConfig(info_class=OwnInfo)
    return get_core_schema(strawberry.Schema(Resolved, config=config, exception_handlers=[Handler()]))


def resolver_of(schema: graphql.GraphQLSchema, name: str) -> Resolver | None:
    assert schema.query_type is not None
    return get_resolver(schema, schema.query_type.fields[name])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", True),
        ("ask", True),
        ("withoutInfo", False),
        ("ofParent", False),
        ("byAnotherName", False),
        ("extended", False),
        ("permitted", False),
        ("attribute", False),
    ],
)
def test_resolvers_are_known_that_are_functions_of_info_alone(
    name: str, expected: bool, resolved: graphql.GraphQLSchema
) -> None:
    """A resolver is called directly only if Strawberry puts nothing around it and passes it `info` and no parent."""
    assert (resolver_of(resolved, name) is not None) is expected


def test_resolver_leads_to_function_arguments_info_and_handlers(resolved: graphql.GraphQLSchema) -> None:
    """A resolver has the function as it was written, its names for the arguments, its info, and its handlers."""
    resolver = resolver_of(resolved, "ask")
    assert resolver is not None
    assert resolver.function is ask
    assert resolver.arguments == {"words": "some_text", "other": "other"}
    info = resolver.build_info(SimpleNamespace(field_name="ask"))  # type: ignore[arg-type]  # The part that is read.
    assert type(info) is OwnInfo
    assert resolver.handle(RefusedError("no"), info) == Refusal(words="ask: no")
    assert resolver.handle(ValueError(), info) is None
    plain = resolver_of(resolved, "plain")
    assert plain is not None
    assert plain.handle(RefusedError("no"), info) is None


@strawberry.input
class Details:
    some_number: int
    note: str | None
    number: int = 7
    words: list[str] = strawberry.field(default_factory=lambda: ["word"])
    left_out: int | None = strawberry.UNSET
    renamed: int = strawberry.field(name="other", default=1)


@strawberry.input(one_of=True)
class OneOf:
    first: int | None = strawberry.UNSET


@strawberry.input
class WithMaybe:
    first: strawberry.Maybe[int]


@strawberry.type
class Inputs:
    @strawberry.field
    def take(self, details: Details, one_of: OneOf, with_maybe: WithMaybe) -> str:
        return repr(details)


def input_class_of(name: str) -> InputClass | None:
    type_ = get_core_schema(strawberry.Schema(Inputs)).type_map[name]
    assert isinstance(type_, graphql.GraphQLInputObjectType)
    return get_input_class(type_)


def test_input_class_is_built_with_its_defaults() -> None:
    """An input class has its own defaults, and None where it has none: Strawberry builds the same from the schema."""
    class_ = input_class_of("Details")
    assert class_ is not None
    assert class_.attributes["someNumber"] == "some_number"
    assert class_.attributes["other"] == "renamed"
    built = class_.build(**class_.nulls | {"some_number": 3})
    query = "{ take(details: {someNumber: 3}, oneOf: {first: 1}, withMaybe: {}) }"
    core = get_core_schema(strawberry.Schema(Inputs))
    assert graphql.execute_sync(core, graphql.parse(query)).data == {"take": repr(built)}


@pytest.mark.parametrize("name", ["OneOf", "WithMaybe"])
def test_unusual_input_classes_are_left_to_strawberry(name: str) -> None:
    """A OneOf and a Maybe are more than classes with attributes."""
    assert input_class_of(name) is None


@strawberry.type
class Judge:
    words: str

    @classmethod
    def is_type_of(cls, value: object, info: object) -> bool:  # noqa: ARG003  # Strawberry passes both.
        return True


@strawberry.type
class Objects:
    judge: Judge
    answer: Answer


def test_object_types_lead_to_their_classes() -> None:
    """An object type has the class of its objects, unless a method decides what is one."""
    types = get_core_schema(strawberry.Schema(Objects)).type_map
    classes = {name: get_object_class(cast("graphql.GraphQLObjectType", types[name])) for name in ("Answer", "Judge")}
    assert classes == {"Answer": Answer, "Judge": None}
