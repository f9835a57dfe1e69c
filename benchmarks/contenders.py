"""The servers that are compared: this service as production runs it, and what people would pick instead."""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from api.limits.table import DEFAULT_LIMITS
from benchmarks.dialects import ByHand, Contract, Dialect, OfTables
from benchmarks.machine import PEERS, SERVER_CORE, require, require_node
from benchmarks.options import OTHER, chosen
from benchmarks.organisations import Database
from benchmarks.servers import free_port, process, redis

GENEROUS = ",".join(f"{name}=1000000000/minute" for name in DEFAULT_LIMITS)
PRODUCTION = {
    "GUICHET_ENVIRONMENT": "production",
    "GUICHET_SECRET_KEY": secrets.token_hex(32),
    "GUICHET_MAIL_FROM": "Guichet <no-reply@portal.example.org>",
    "GUICHET_ACTIVATION_URL": "https://portal.example.org/activate",
    "GUICHET_TERMS_URL": "https://portal.example.org/terms",
    "GUICHET_CORS_ORIGINS": "https://portal.example.org",
    "GUICHET_RATE_LIMITS": GENEROUS,
}
"""Nothing that production has is off. Limits count as ever; they are high enough to refuse nobody."""

DEVELOPMENT = {"GUICHET_SECRET_KEY": secrets.token_hex(32)}


@dataclass(frozen=True, slots=True)
class Contender:
    """A server that answers look-ups: its command, for a port, and its environment beside `DATABASE_URL`."""

    title: str
    command: Callable[[int], list[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    dialect: Dialect = field(default_factory=Contract)
    is_ours: bool = False
    needs_redis: bool = False
    folder: Path = Path(__file__).parents[1]

    def with_workers(self, number: int) -> Contender:
        return replace(self, command=lambda port: [*self.command(port), "--workers", str(number)])

    def developing(self, settings: Mapping[str, str]) -> Contender:
        """Return this service without what production alone has, and with *settings* that production refuses."""
        return replace(self, environment={**DEVELOPMENT, **settings})


@dataclass(frozen=True, slots=True)
class Running:
    """A contender that answers at *port*, from *database*."""

    contender: Contender
    process: psutil.Process
    port: int
    database: Database


@contextmanager
def running(
    contender: Contender, database: Database, folder: Path, cores: Iterable[int] = (SERVER_CORE,)
) -> Iterator[Running]:
    """Run *contender* on *cores*, with a Redis if it needs one. Its log and its mails go to *folder*."""
    port = free_port()
    environment = {
        "DATABASE_URL": database.url,
        "PORT": str(port),
        "NODE_ENV": "production",
        "GUICHET_DATABASE_URL": database.url,
        "GUICHET_MAIL_URL": f"maildir:{folder / 'mailbox'}",
        **contender.environment,
    }
    pinned = [require("taskset", "util-linux"), "--cpu-list", ",".join(map(str, cores)), *contender.command(port)]
    path = "/health/ready" if contender.is_ours else "/"
    with ExitStack() as stack:
        if contender.needs_redis:
            environment["GUICHET_RATE_LIMIT_URL"] = stack.enter_context(redis(folder))
        log = folder / f"{port}.log"
        started = stack.enter_context(process(pinned, port, environment, path=path, folder=contender.folder, log=log))
        yield Running(contender, started, port, database)


def _serve(python: str = sys.executable) -> Callable[[int], list[str]]:
    return lambda port: [python, "-m", "api", "serve", "--port", str(port)]


def _node(script: str) -> Callable[[int], list[str]]:
    return lambda _: [require_node(), str(PEERS / script)]


def _uvicorn(application: str) -> Callable[[int], list[str]]:
    return lambda port: [
        *(sys.executable, "-m", "uvicorn", application, "--port", str(port)),
        *("--no-access-log", "--log-level", "warning"),
    ]


CONTENDERS: dict[str, Contender] = {
    "guichet": Contender("this service", _serve(), PRODUCTION, is_ours=True),
    "guichet-redis": Contender("this service, limits in Redis", _serve(), PRODUCTION, is_ours=True, needs_redis=True),
    "mercurius": Contender("Mercurius", _node("mercurius.js")),
    "mercurius-jit": Contender("Mercurius with JIT", _node("mercurius.js"), {"JIT": "1"}),
    "mercurius-production": Contender(
        "Mercurius with JIT, as production runs it", _node("mercurius.js"), {"JIT": "1", "PRODUCTION": "1"}
    ),
    "yoga": Contender("GraphQL Yoga", _node("yoga.js")),
    "postgraphile": Contender("PostGraphile", _node("postgraphile.js"), dialect=OfTables()),
    "guides": Contender("Strawberry and Tortoise as guides show them", _uvicorn("benchmarks.peers.guides:app")),
    "guides-caches": Contender(
        "the same, with Strawberry's caches", _uvicorn("benchmarks.peers.guides:app"), {"CACHES": "1"}
    ),
    "by-hand": Contender("Starlette and asyncpg by hand", _uvicorn("benchmarks.peers.by_hand:app"), dialect=ByHand()),
}

if OTHER:
    CONTENDERS["other"] = Contender(
        "this service, the other checkout",
        _serve(str(OTHER / ".venv/bin/python")),
        PRODUCTION,
        is_ours=True,
        folder=OTHER,
    )


def chosen_contenders() -> dict[str, Contender]:
    """Return those that `BENCH_SERVERS` names, or else all. Say so if the one with Redis can't be run here.

    Exit if another can't be run.
    """
    able = dict(CONTENDERS)
    if shutil.which("redis-server") is None:
        print("redis-server is missing: without the row of limits in Redis", file=sys.stderr)
        del able["guichet-redis"]
    contenders = chosen(able, "BENCH_SERVERS")
    for contender in contenders.values():
        contender.command(0)  # It exits if a program is missing: better now than after the database is loaded.
    return contenders
