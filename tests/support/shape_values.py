"""Values of any output type, grown from a seed: mostly right, and wrong in every way."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    Undefined,
    is_abstract_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.utils.str_converters import to_camel_case

if TYPE_CHECKING:
    from collections.abc import Generator

    from graphql import GraphQLSchema

MAX_DEPTH = 3
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


class Promise:
    """A value that has to be awaited, or an error in its place."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "promise"

    def __await__(self) -> Generator[None, None, Any]:
        if isinstance(self._value, Exception):
            raise self._value
        return self._value
        yield


class Thorn:
    """Stands for an attribute that raises *error* when it is read."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __repr__(self) -> str:
        return "thorn"


class Fragile:
    """An object with attributes that may raise."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if isinstance(value, Thorn):
            raise value.error
        return value


async def _iterate_later() -> AsyncIterator[Any]:
    yield None


SCALARS: dict[str, Callable[[Random], Any]] = {
    "String": lambda random: random.choice(["", "text", "é\u2028\0", "2"]),
    "Int": lambda random: random.choice([0, -1, 2**31 - 1, 3.0, True]),
    "Float": lambda random: random.choice([0.0, -0.0, 1.5, 7, 1e300]),
    "Boolean": lambda random: random.choice([True, False, 1, 0]),
    "ID": lambda random: random.choice(["", "id", 7, 2.0]),
    "DateTime": lambda random: NOON + timedelta(seconds=random.randrange(100_000)),
    "UUID": lambda random: UUID(int=random.getrandbits(128)),
    "JSON": lambda random: random.choice([1, "text", [1, {"a": None}], {"b": 1, "a": 2}]),
    "Shout": lambda random: random.choice(["hey", "ho"]),
}

OBJECTS = ("Leaf", "Needle", "Branch", "Scalars", "Refused")

WRONG: Sequence[Callable[[], Any]] = (
    lambda: None,
    lambda: Undefined,
    lambda: "text",
    lambda: "RED",
    lambda: 2**31,
    lambda: 2**70,
    lambda: 1.5,
    lambda: math.nan,
    lambda: math.inf,
    lambda: True,
    lambda: b"bytes",
    object,
    list,
    lambda: [None],
    lambda: ["text", 1],
    lambda: [Promise(1), Promise(ValueError("secret"))],
    lambda: [ValueError("secret"), Undefined],
    lambda: (1, 2),
    lambda: {1},
    lambda: {"id": 1},
    lambda: iter(["text", None]),
    lambda: Promise(None),
    lambda: Promise("text"),
    lambda: Promise(ValueError("secret")),
    lambda: ValueError("secret"),
    lambda: GraphQLError("words"),
    lambda: Thorn(ValueError("secret")),
    lambda: Thorn(GraphQLError("words")),
    lambda: Thorn(StopIteration()),
    _iterate_later,
)


class Grower:
    """Grows values for *schema* from *seed*. Some seeds give nothing wrong."""

    def __init__(self, schema: GraphQLSchema, seed: int) -> None:
        self._schema = schema
        self._random = Random(seed)  # noqa: S311  # It has to be the same for the same seed.
        self._objects = [self._schema.type_map[name] for name in OBJECTS]
        self._wrongness = self._random.choice([0, 0, 0.02, 0.05, 0.1])

    def fail(self, share: float, errors: Sequence[Exception]) -> None:
        """Raise one of *errors*, for a *share* of those seeds that give something wrong."""
        if self._wrongness and self._chance(share):
            raise self._random.choice(errors)

    def grow(self, type_: Any, depth: int = 0) -> Any:
        """Return a value of *type_*, or what should be one."""
        if self._chance(self._wrongness):
            return self._grow_wrong(type_, depth)
        if isinstance(type_, GraphQLNonNull):
            return self._grow_right(type_.of_type, depth)
        return None if depth > MAX_DEPTH or self._chance(0.2) else self._grow_right(type_, depth)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _grow_wrong(self, type_: Any, depth: int) -> Any:
        if self._chance(0.2) and depth <= MAX_DEPTH:
            return Promise(self.grow(type_, depth + 1))
        if self._chance(0.2) and depth <= MAX_DEPTH:
            return self._grow_object(self._random.choice(self._objects), depth)
        value = self._random.choice(WRONG)()
        return value.error if depth == 0 and isinstance(value, Thorn) else value

    def _grow_right(self, type_: Any, depth: int) -> Any:
        if isinstance(type_, GraphQLList):
            length = 0 if depth > MAX_DEPTH else self._random.randrange(3)
            return [self.grow(type_.of_type, depth + 1) for _ in range(length)]
        if isinstance(type_, GraphQLEnumType):
            return self._random.choice([type_.coerce_input_value(name) for name in type_.values])
        if isinstance(type_, GraphQLObjectType) or is_abstract_type(type_):
            return self._grow_object(type_, depth)
        return SCALARS[type_.name](self._random)

    def _grow_object(self, type_: Any, depth: int) -> Any:
        possible = self._schema.get_possible_types(type_) if is_abstract_type(type_) else [type_]
        chosen = self._random.choice(possible)
        class_ = chosen.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].origin
        attributes = {
            field.name: self.grow(chosen.fields[to_camel_case(field.name)].type, depth + 1)
            for field in fields(class_)
            if field.init  # One that is resolved is no attribute.
        }
        if self._chance(self._wrongness):  # A class that the schema does not know.
            class_ = type(class_.__name__, (class_,), {})
        grown = class_(**attributes)
        if self._chance(self._wrongness):
            delattr(grown, self._random.choice([*attributes]))
        return grown
