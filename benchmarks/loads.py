"""The loads that servers are compared under: which requests, in which proportions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from uuid import uuid4

from benchmarks.dialects import Dialect, Request, post
from benchmarks.sign_ups import CREATE_ACCOUNT, form
from tests.support.sirene_files import siret

AT_ONCE = 100
SIGN_UPS = 0.05


@dataclass(frozen=True, slots=True)
class Load:
    """A kind of load. *requests* yields them without end, for a dialect, over a number of organisations."""

    title: str
    requests: Callable[[Dialect, int, random.Random], Iterator[Request]]
    length: int
    """As many requests as are replayed before they repeat."""
    ours_alone: bool = False

    def draw(self, dialect: Dialect, rows: int, seed: int) -> Iterator[Request]:
        """Yield the requests of one round: the same organisations in every dialect."""
        return islice(self.requests(dialect, rows, random.Random(seed)), self.length)  # noqa: S311


def _one(dialect: Dialect, rows: int, chance: random.Random) -> Iterator[Request]:
    while True:
        yield dialect.ask_one(siret(chance.randrange(rows)))


def _hundred(dialect: Dialect, rows: int, chance: random.Random) -> Iterator[Request]:
    while True:
        yield dialect.ask_many([siret(chance.randrange(rows)) for _ in range(AT_ONCE)])


def _by_get(dialect: Dialect, rows: int, chance: random.Random) -> Iterator[Request]:
    while True:
        yield dialect.ask_one_by_get(siret(chance.randrange(rows)))


def _zipf(dialect: Dialect, rows: int, chance: random.Random) -> Iterator[Request]:
    """Yield look-ups of which a few organisations get the most: the n-th most wanted gets 1/n of the first's share."""
    while True:
        rank = int(rows ** chance.random())
        yield dialect.ask_one(siret(rank - 1))


def _with_sign_ups(dialect: Dialect, rows: int, chance: random.Random) -> Iterator[Request]:
    """Yield look-ups and, at random places, forms of people who have never been there."""
    for look_up in _one(dialect, rows, chance):
        if chance.random() < SIGN_UPS:
            yield post(CREATE_ACCOUNT, {"input": form(f"person-{uuid4()}@example.org")})
        else:
            yield look_up


LOADS = {
    "one": Load("one look-up", _one, 20_000),
    "hundred": Load("a hundred identifiers a call", _hundred, 1_000),
    "get": Load("one look-up by GET, which a cache could keep", _by_get, 20_000),
    "zipf": Load("one look-up, some organisations far more often than others (Zipf)", _zipf, 20_000),
    "sign_ups": Load("look-ups, and 5 % first steps of a sign-up", _with_sign_ups, 20_000, ours_alone=True),
}
