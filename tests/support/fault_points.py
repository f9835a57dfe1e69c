"""A process that is killed: the real application on the real database, up to any statement that it would send.

A *step* is lived by a process of its own, which is forked from one that has imported everything already. It counts
what it comes to, statements at the database's driver and mails at the transport, and ends by SIGKILL right before
the one at which it has to die; one that may live is killed as soon as it has answered.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import aiosqlite
import asyncpg
from pydantic import SecretStr

from api import upkeep
from api.app import build_app
from api.delivery import build_relay
from api.mail.transports import HandOver, MaildirTransport, TransportError, at_any_time
from api.settings.mail_destination import Maildir
from models.database.connections import database
from models.retention import purge
from tests.support.client import Answer, client_of
from tests.support.hashing import CHEAP_HASHER

if TYPE_CHECKING:
    from datetime import datetime
    from email.message import EmailMessage
    from multiprocessing.connection import Connection

    from api.settings.environment import Settings

GUARD_SECONDS = 120
APPLICATION = "guichet-to-be-killed"
TABLES = ("activation_token", "registration", "membership", "organisation", "account", "outbox_message")  # In order.
SQLITE_CALLS = {"execute", "_execute_insert", "_execute_fetchall", "executemany", "commit", "rollback"}

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__, "pytest"])


Act = Callable[[], Awaitable[Answer]]


class Step(Protocol):
    """What a process is there to do."""

    def ready(self, fate: Fate, settings: Settings, now: datetime) -> AbstractAsyncContextManager[Act]:
        """Everything set up; what is left to do, of which statements are counted, gives an answer as JSON has it."""


class Life(NamedTuple):
    """What a process came to before it was killed, and what it answered, if it lived to."""

    came_to: list[str]
    answer: Answer | None


class Fate:
    """When the process has to die: before the *death*th of what it comes to; None: once it has answered."""

    def __init__(self, death: int | None, reports: Connection) -> None:
        self._death = death
        self._reports = reports
        self._came_to: list[str] = []
        self.has_begun = False

    def comes_to(self, what: str) -> None:
        if self.has_begun and not what.startswith("PRAGMA "):  # Which changes nothing of what is stored.
            self._came_to.append(what)
            if len(self._came_to) == self._death:
                self.ends()

    def ends(self, answer: Answer | None = None) -> None:
        self._reports.send(Life(self._came_to, answer))
        os.kill(os.getpid(), signal.SIGKILL)

    def watch_drivers(self) -> None:
        """Come to each statement, BEGIN, COMMIT and SAVEPOINT included, right before it is sent."""
        sqlite: Any = aiosqlite.Connection._execute
        query, command = asyncpg.Connection._execute, asyncpg.Connection.execute

        async def sqlite_execute(connection: Any, function: Any, *args: Any, **options: Any) -> Any:
            if function.__name__ in SQLITE_CALLS:
                self.comes_to(str(args[0]) if args else function.__name__.upper())
            return await sqlite(connection, function, *args, **options)

        async def query_execute(connection: Any, statement: str, *args: Any, **options: Any) -> Any:
            self.comes_to(statement)
            return await query(connection, statement, *args, **options)

        async def command_execute(connection: Any, statement: str, *args: Any, **options: Any) -> Any:
            # With arguments, it is a query; the last is what the pool cleans a connection with that is given back.
            if not args and statement != connection.get_reset_query():
                self.comes_to(statement)
            return await command(connection, statement, *args, **options)

        aiosqlite.Connection._execute = sqlite_execute  # type: ignore[method-assign,assignment]
        asyncpg.Connection._execute, asyncpg.Connection.execute = query_execute, command_execute


@dataclass(frozen=True)
class Request:
    """One request to the application."""

    query: str
    variables: Answer

    @asynccontextmanager
    async def ready(self, fate: Fate, settings: Settings, now: datetime) -> AsyncIterator[Act]:
        async with client_of(build_app(settings, clock=lambda: now, hasher=CHEAP_HASHER)) as http:

            async def act() -> Answer:
                response = await http.post("/graphql", json={"query": self.query, "variables": self.variables})
                answer: Answer = response.json()
                return answer

            yield act


@dataclass(frozen=True)
class Delivery:
    """One pass of the relay over the outbox, under *limits*, to a mail server that may be away."""

    limits: str = "off"
    is_away: bool = False

    @asynccontextmanager
    async def ready(self, fate: Fate, settings: Settings, now: datetime) -> AsyncIterator[Act]:
        destination = settings.mail_url
        assert isinstance(destination, Maildir)
        limited = settings.replace(rate_limits=self.limits)
        transport = _WatchedTransport(destination.path, fate, is_away=self.is_away)
        # One at a time: each time, the same statements in the same order.
        relay = build_relay(limited, clock=lambda: now, transport=transport, concurrent_sendings=1)

        async def act() -> Answer:
            return dict(await relay.deliver_due())

        async with database(settings.database_url.get_secret_value()):
            yield act


@dataclass(frozen=True)
class Purge:
    """What `guichet purge` does, and `guichet serve` each hour."""

    @asynccontextmanager
    async def ready(self, fate: Fate, settings: Settings, now: datetime) -> AsyncIterator[Act]:
        async def act() -> Answer:
            return dict(await purge(now=now))

        async with database(settings.database_url.get_secret_value()):
            yield act


class _WatchedTransport(MaildirTransport):
    """A folder of mails, which outlives the process; or a mail server that is away."""

    def __init__(self, path: Path, fate: Fate, *, is_away: bool) -> None:
        super().__init__(path)
        self._fate = fate
        self._is_away = is_away

    async def send(self, message: EmailMessage, hand_over: HandOver = at_any_time) -> None:
        self._fate.comes_to("a mail to send")
        if self._is_away:
            raise TransportError("the mail server is away")
        await super().send(message, hand_over)
        self._fate.comes_to("a mail that is sent")


async def live(step: Step, settings: Settings, now: datetime, *, death: int | None = None) -> Life:
    """Have *step* done by a process that is killed at its *death*th statement, or once it has answered."""
    receiver, sender = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_live, args=(step, _under_its_own_name(settings), now, death, sender))
    process.start()
    sender.close()
    try:
        assert receiver.poll(GUARD_SECONDS), "the process comes to no end"
        life: Life = receiver.recv()
        process.join(GUARD_SECONDS)
        assert process.exitcode == -signal.SIGKILL
    finally:
        process.kill()
        process.join()
        receiver.close()
    await _is_forgotten(settings)
    return life


def _live(step: Step, settings: Settings, now: datetime, death: int | None, reports: Connection) -> None:
    upkeep.CHORES = ()  # They would come in between.
    fate = Fate(death, reports)
    fate.watch_drivers()
    asyncio.run(_act(step, fate, settings, now))


async def _act(step: Step, fate: Fate, settings: Settings, now: datetime) -> None:
    async with step.ready(fate, settings, now) as act:
        fate.has_begun = True
        answer = await act()
        fate.comes_to("the answer")
        fate.ends(answer)


def _url(settings: Settings) -> str:
    return settings.database_url.get_secret_value()


def _is_postgres(settings: Settings) -> bool:
    return _url(settings).startswith("postgres")


def _under_its_own_name(settings: Settings) -> Settings:
    """PostgreSQL gets to know the process by a name."""
    if not _is_postgres(settings):
        return settings
    parts = urlsplit(_url(settings))
    named = parts._replace(query=f"{parts.query}&application_name={APPLICATION}").geturl()
    return settings.replace(database_url=SecretStr(named))


async def _is_forgotten(settings: Settings) -> None:
    """Wait until PostgreSQL has noticed that the process is dead, and undone what it had begun."""
    if not _is_postgres(settings):
        return
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"
    async with _connection(settings) as connection, asyncio.timeout(GUARD_SECONDS):
        while await connection.fetchval(sessions, APPLICATION):  # noqa: ASYNC110  # In another process.
            await asyncio.sleep(0.005)


class Saved:
    """Database and mailbox as they were, to be put back; SQLite's file is copied, PostgreSQL's rows are kept."""

    def __init__(self, settings: Settings, folder: Path, rows: dict[str, list[Any]]) -> None:
        self._settings = settings
        self._folder = folder
        self._rows = rows

    @classmethod
    async def of(cls, settings: Settings, folder: Path) -> Saved:
        """What is there now; *folder* is where it may be kept."""
        rows: dict[str, list[Any]] = {}
        if _is_postgres(settings):
            async with _connection(settings) as connection:
                rows = {table: await connection.fetch(f"SELECT * FROM {table}") for table in TABLES}  # noqa: S608
        else:
            shutil.copy(_file(settings), folder / "saved.db")
        if _mailbox(settings).exists():
            shutil.copytree(_mailbox(settings), folder / "saved-mailbox")
        return cls(settings, folder, rows)

    async def put_back(self) -> None:
        shutil.rmtree(_mailbox(self._settings), ignore_errors=True)
        if (self._folder / "saved-mailbox").exists():
            shutil.copytree(self._folder / "saved-mailbox", _mailbox(self._settings))
        if _is_postgres(self._settings):
            await self._put_rows_back()
            return
        self._put_file_back(Path(_file(self._settings)))

    def _put_file_back(self, file: Path) -> None:
        for beside in ("-wal", "-shm"):
            file.with_name(f"{file.name}{beside}").unlink(missing_ok=True)
        shutil.copy(self._folder / "saved.db", file)

    async def _put_rows_back(self) -> None:
        async with _connection(self._settings) as connection, connection.transaction():
            for table in TABLES:
                await connection.execute(f"DELETE FROM {table}")  # noqa: S608
            for table in reversed(TABLES):
                await connection.copy_records_to_table(table, records=self._rows[table])


@asynccontextmanager
async def _connection(settings: Settings) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(_url(settings))
    try:
        yield connection
    finally:
        await connection.close()


def _file(settings: Settings) -> str:
    return _url(settings).removeprefix("sqlite://")


def _mailbox(settings: Settings) -> Path:
    destination = settings.mail_url
    assert isinstance(destination, Maildir)
    return destination.path
