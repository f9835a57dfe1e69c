"""Input types of every shape."""

from datetime import datetime
from enum import Enum, StrEnum

import strawberry


@strawberry.enum
class Colour(Enum):
    RED = 1
    GREEN = "green"
    NONE = None


@strawberry.enum
class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


@strawberry.input
class Point:
    x: int
    y: int = 0
    label: str | None = strawberry.UNSET


@strawberry.input
class Form:
    points: list[Point]
    centre: Point | None = strawberry.UNSET
    grid: list[list[int | None]] | None
    colour: Colour = Colour.RED
    colours: list[Colour] | None = None
    size: Size | None = strawberry.UNSET
    some_time: datetime | None = strawberry.UNSET
    tags: list[str] = strawberry.field(default_factory=list)
    some_points: list[Point | None] | None = strawberry.UNSET
    note: str | None
    id: strawberry.ID | None = strawberry.UNSET
    ratio: float = 0.5
    flag: bool | None = strawberry.UNSET


@strawberry.input
class Chain:
    """An input of itself."""

    number: int = 1
    next: "Chain | None" = strawberry.UNSET


@strawberry.input(one_of=True)
class Choice:
    number: int | None = strawberry.UNSET
    text: str | None = strawberry.UNSET


@strawberry.input
class Picky:
    """An input that can't be built with an odd number."""

    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError(self.number)
