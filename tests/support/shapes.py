"""A schema of every shape. Its resolvers note that they were called, and return what a seed makes them return."""

from datetime import datetime
from typing import Annotated, Any, NewType, TypeAlias, cast
from uuid import UUID

import strawberry
from graphql import GraphQLError, ValueNode, value_from_ast_untyped
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig

from api.graphql.context import language_of
from api.graphql.engine.strawberry_internals import CachedNames, get_core_info, get_core_schema
from api.graphql.instants import DATE_TIME
from api.messages.languages import Language
from tests.support.shape_inputs import Chain, Choice, Colour, Form, Picky, Point, Size
from tests.support.shape_values import Fragile, Grower, Promise

Shout = NewType("Shout", str)


def _shout(node: ValueNode, variables: dict[str, Any] | None = None) -> str:
    return f"{value_from_ast_untyped(node, variables)}!"


SHOUT = strawberry.scalar(name="Shout", serialize=str, parse_value=str, parse_literal=_shout)


class Context:
    """The context of one execution. Another *salt* makes another value of each seed."""

    def __init__(self, salt: int = 0) -> None:
        self.salt = salt
        self.language = Language.FR
        self.turned_away = False
        self.calls: list[str] = []


Info: TypeAlias = strawberry.Info[Context, None]


@strawberry.interface
class Plant(Fragile):
    id: strawberry.ID
    latin_name: str | None


@strawberry.type
class Leaf(Plant):
    colour: Colour
    size: Size | None
    area: float | None


@strawberry.type
class Needle(Leaf):
    """A class below another that the schema has too."""

    is_sharp: bool


@strawberry.type
class Branch(Plant):
    leaves: list[Leaf]
    plants: list[Plant | None] | None
    thing: "Thing | None"
    things: list[list["Thing"]] | None
    grid: list[list[int | None]]
    branch: "Branch | None"

    @strawberry.field
    def counted(self, info: Info) -> int:
        """Count the calls: no plan covers a field like this."""
        note(info, {})
        return len(info.context.calls)


@strawberry.type
class Scalars(Fragile):
    text: str
    some_text: str | None
    count: int
    some_count: int | None
    ratio: float
    some_flag: bool | None
    id: strawberry.ID | None
    some_time: datetime | None
    time: datetime
    uuid: UUID | None
    uuids: list[UUID | None] | None
    texts: list[str] | None
    ids: list[strawberry.ID | None] | None
    anything: JSON | None
    shouts: list[Shout]


@strawberry.type
class Refused(Fragile):
    language: Language
    message: str


Thing: TypeAlias = Annotated[Leaf | Needle | Branch | Scalars | Refused, strawberry.union("Thing")]


class Refusal(Exception):
    """An expected refusal, and how its handler behaves."""

    def __init__(self, way: int) -> None:
        super().__init__(way)
        self.way = way


class RefusalHandler:
    """Makes a refusal the member of a union, at once or later; or declines, or fails."""

    exception_type = Refusal
    error_type = Refused

    def handle(self, exception: Refusal, *, field: object, info: Info) -> Any:
        match exception.way % 5:
            case 0:
                return None
            case 1:
                raise LookupError
            case 2:
                return Promise(Refused(language=_language_of(info), message="later"))
            case _:
                return Refused(language=_language_of(info), message="at once")


def _language_of(info: Info) -> Language:
    return language_of(cast("Any", info))  # It asks for the language alone.


def note(info: Info, arguments: dict[str, Any]) -> None:
    """Note a call: its place, its arguments, and what the resolver is told."""
    core = get_core_info(info)
    given = {name: value for name, value in arguments.items() if name != "info"}
    told = (info.field_name, info.python_name, str(core.return_type), str(core.parent_type), core.root_value)
    values = (info.variable_values, info.selected_fields, sorted(core.fragments), core.operation.operation)
    info.context.calls.append(repr((core.path.as_list(), given, told, values)))


def grow(info: Info, seed: int) -> Any:
    """Return a value for the field, mostly one of its type. Some seeds raise."""
    seed += 10_000 * info.context.salt
    grower = Grower(get_core_info(info).schema, seed)
    grower.fail(0.2, [ValueError("secret"), GraphQLError("words"), Refusal(seed), StopIteration(), KeyError()])
    return grower.grow(get_core_info(info).return_type)


async def plant(info: Info, seed: int) -> Plant | None:
    note(info, locals())
    return grow(info, seed)  # type: ignore[no-any-return]  # So it is in all that grows.


def plants(info: Info, seed: int, language: Language | None = strawberry.UNSET) -> list[Plant]:
    note(info, locals())
    return grow(info, seed)  # type: ignore[no-any-return]


async def thing(info: Info, seed: int, language: Language = Language.EN) -> Thing:
    note(info, locals())
    return grow(info, seed)  # type: ignore[no-any-return]


def things(info: Info, seed: int, form: Form | None = strawberry.UNSET) -> list[list[Thing | None]] | None:
    note(info, locals())
    return grow(info, seed)  # type: ignore[no-any-return]


def scalars(info: Info, seed: int) -> Scalars | None:
    note(info, locals())
    return grow(info, seed)  # type: ignore[no-any-return]


async def branches(info: Info, seed: int) -> list[Branch] | None:
    note(info, locals())
    return grow(info, seed)  # type: ignore[no-any-return]


def uuid(info: Info, seed: int) -> UUID | None:
    note(info, locals())
    return grow(info, seed)  # type: ignore[no-any-return]


async def anything(info: Info, seed: int) -> JSON | None:
    note(info, locals())
    return grow(info, seed)  # type: ignore[no-any-return]


def colours(info: Info, seed: int) -> list[Colour | None] | None:
    note(info, locals())
    return grow(info, seed)  # type: ignore[no-any-return]


def echo_scalars(  # noqa: PLR0917  # Strawberry passes them by name.
    info: Info,
    text: str = "default",
    number: int | None = 3,
    ratio: float | None = strawberry.UNSET,
    flag: bool | None = None,
    id: strawberry.ID | None = strawberry.UNSET,  # noqa: A002
    some_time: datetime | None = strawberry.UNSET,
    shout: Shout | None = strawberry.UNSET,
) -> str:
    note(info, locals())
    return repr((text, number, ratio, flag, id, some_time, shout))


async def echo_lists(  # noqa: PLR0917  # Strawberry passes them by name.
    info: Info,
    numbers: list[int] | None = strawberry.UNSET,
    grid: list[list[int | None]] | None = strawberry.UNSET,
    colour: Colour = Colour.RED,
    sizes: list[Size | None] | None = strawberry.UNSET,
    ids: list[strawberry.ID] | None = strawberry.UNSET,
) -> str:
    """Return the arguments, and change them: no other call may see that."""
    note(info, locals())
    echo = repr((numbers, grid, colour, sizes, ids))
    for list_ in (numbers, grid, sizes, ids):
        if isinstance(list_, list):
            list_.clear()
    return echo


def echo_form(info: Info, form: Form, points: list[Point] | None = strawberry.UNSET) -> str:
    """Return the arguments, and change them: no other call may see that."""
    note(info, locals())
    echo = repr((form, points))
    form.points.clear()
    form.tags.append("changed")
    return echo


def echo_unusual(
    info: Info,
    chain: Chain | None = strawberry.UNSET,
    choice: Choice | None = strawberry.UNSET,
    anything: JSON | None = strawberry.UNSET,
) -> str:
    note(info, locals())
    return repr((chain, choice, anything))


async def echo_picky(info: Info, picky: Picky) -> str | None:
    note(info, locals())
    return repr(picky)


@strawberry.type
class Query:
    plant: Plant | None = strawberry.field(resolver=plant)
    plants: list[Plant] = strawberry.field(resolver=plants)
    thing: Thing = strawberry.field(resolver=thing)
    things: list[list[Thing | None]] | None = strawberry.field(resolver=things)
    scalars: Scalars | None = strawberry.field(resolver=scalars)
    branches: list[Branch] | None = strawberry.field(resolver=branches)
    uuid: UUID | None = strawberry.field(resolver=uuid)
    anything: JSON | None = strawberry.field(resolver=anything)
    colours: list[Colour | None] | None = strawberry.field(resolver=colours)
    echo_scalars: str = strawberry.field(resolver=echo_scalars)
    echo_lists: str = strawberry.field(resolver=echo_lists)
    echo_form: str = strawberry.field(resolver=echo_form)
    echo_unusual: str = strawberry.field(resolver=echo_unusual)
    echo_picky: str | None = strawberry.field(resolver=echo_picky)


async def judge(info: Info, seed: int, form: Form) -> Thing:
    note(info, locals())
    return grow(info, seed)  # type: ignore[no-any-return]


@strawberry.type
class Mutation:
    judge: Thing = strawberry.mutation(resolver=judge)
    echo_form: str = strawberry.mutation(resolver=echo_form)
    echo_picky: str | None = strawberry.mutation(resolver=echo_picky)


schema = get_core_schema(
    strawberry.Schema(
        Query,
        Mutation,
        types=[Needle],
        config=StrawberryConfig(name_converter=CachedNames(), scalar_map={datetime: DATE_TIME, Shout: SHOUT}),
        exception_handlers=[RefusalHandler()],
    )
)
