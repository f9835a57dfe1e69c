"""A process that is killed: the real application on the real database, up to any statement that it sends.

Each *step* runs in its own process, forked from one that has imported everything already. The process counts the
points that it reaches: statements at the database's driver, and mails at the transport. SIGKILL ends it right before
the chosen point. Without a chosen point, it is killed as soon as it has answered.
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

from api import upkeep
from api.delivery import build_relay
from api.mail.transports import HandOver, MaildirTransport, TransportError, at_any_time
from api.settings.mail_destination import Maildir
from models.database.connections import database
from models.retention import purge
from tests.support.applications import build_cheap_app
from tests.support.client import Answer, client_of

if TYPE_CHECKING:
    from datetime import datetime
    from email.message import EmailMessage
    from multiprocessing.connection import Connection

    from api.settings.environment import Settings

GUARD_SECONDS = 120
APPLICATION = "guichet-to-be-killed"
TABLES = (  # Referring tables come first.
    "activation_token",
    "registration",
    "membership",
    "organisation",
    "account",
    "outbox_message",
)
SQLITE_CALLS = {"execute", "_execute_insert", "_execute_fetchall", "executemany", "commit", "rollback"}

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__, "tests.support.preloaded", "pytest"])


Act = Callable[[], Awaitable[Answer]]


class Step(Protocol):
    """The task of a process."""

    def ready(self, kill_switch: KillSwitch, settings: Settings, now: datetime) -> AbstractAsyncContextManager[Act]:
        """Set everything up, then yield the rest: its statements are counted, and its answer is JSON."""


class Life(NamedTuple):
    """The points that a process reached before it was killed, and its answer if it got that far."""

    reached: list[str]
    answer: Answer | None


class KillSwitch:
    """A switch that kills the process before its *kill_at*th point, or once it has answered if *kill_at* is None."""

    def __init__(self, kill_at: int | None, reports: Connection) -> None:
        self._kill_at = kill_at
        self._reports = reports
        self._reached: list[str] = []
        self.has_begun = False

    def reach(self, point: str) -> None:
        if self.has_begun and not point.startswith("PRAGMA "):  # A PRAGMA changes no stored data.
            self._reached.append(point)
            if len(self._reached) == self._kill_at:
                self.kill()

    def kill(self, answer: Answer | None = None) -> None:
        self._reports.send(Life(self._reached, answer))
        os.kill(os.getpid(), signal.SIGKILL)

    def watch_drivers(self) -> None:
        """Count each statement right before it is sent, including BEGIN, COMMIT and SAVEPOINT."""
        sqlite: Any = aiosqlite.Connection._execute
        query, command = asyncpg.Connection._execute, asyncpg.Connection.execute

        async def sqlite_execute(connection: Any, function: Any, *args: Any, **options: Any) -> Any:
            if function.__name__ in SQLITE_CALLS:
                self.reach(str(args[0]) if args else function.__name__.upper())
            return await sqlite(connection, function, *args, **options)

        async def query_execute(connection: Any, statement: str, *args: Any, **options: Any) -> Any:
            self.reach(statement)
            return await query(connection, statement, *args, **options)

        async def command_execute(connection: Any, statement: str, *args: Any, **options: Any) -> Any:
            # With arguments, it is a query. The pool sends the reset query to clean a returned connection.
            if not args and statement != connection.get_reset_query():
                self.reach(statement)
            return await command(connection, statement, *args, **options)

        aiosqlite.Connection._execute = sqlite_execute  # type: ignore[method-assign,assignment]
        asyncpg.Connection._execute, asyncpg.Connection.execute = query_execute, command_execute


@dataclass(frozen=True)
class Request:
    """A single request to the application."""

    query: str
    variables: Answer

    @asynccontextmanager
    async def ready(self, kill_switch: KillSwitch, settings: Settings, now: datetime) -> AsyncIterator[Act]:
        async with client_of(build_cheap_app(settings, clock=lambda: now)) as http:

            async def act() -> Answer:
                response = await http.post("/graphql", json={"query": self.query, "variables": self.variables})
                answer: Answer = response.json()
                return answer

            yield act


@dataclass(frozen=True)
class Delivery:
    """One pass of the relay over the outbox, under *limits*, with a mail server that may be away."""

    limits: str = "off"
    is_away: bool = False

    @asynccontextmanager
    async def ready(self, kill_switch: KillSwitch, settings: Settings, now: datetime) -> AsyncIterator[Act]:
        destination = settings.mail_url
        assert isinstance(destination, Maildir)
        limited = settings.replace(rate_limits=self.limits)
        transport = _WatchedTransport(destination.path, kill_switch, is_away=self.is_away)
        # One at a time, for the same order of statements in each run.
        relay = build_relay(limited, clock=lambda: now, transport=transport, concurrent_sendings=1)

        async def act() -> Answer:
            return dict(await relay.deliver_due())

        async with database(settings.database_url):
            yield act


@dataclass(frozen=True)
class Purge:
    """The purge that `guichet purge` runs, and `guichet serve` runs each hour."""

    @asynccontextmanager
    async def ready(self, kill_switch: KillSwitch, settings: Settings, now: datetime) -> AsyncIterator[Act]:
        async def act() -> Answer:
            return dict(await purge(now=now))

        async with database(settings.database_url):
            yield act


class _WatchedTransport(MaildirTransport):
    """A mail folder that outlives the process, or a mail server that is away."""

    def __init__(self, path: Path, kill_switch: KillSwitch, *, is_away: bool) -> None:
        super().__init__(path)
        self._kill_switch = kill_switch
        self._is_away = is_away

    async def send(self, message: EmailMessage, hand_over: HandOver = at_any_time) -> None:
        self._kill_switch.reach("a mail to send")
        if self._is_away:
            raise TransportError("the mail server is away")
        await super().send(message, hand_over)
        self._kill_switch.reach("a mail that is sent")


async def run_step(step: Step, settings: Settings, now: datetime, *, kill_at: int | None = None) -> Life:
    """Run *step* in a process that is killed at its *kill_at*th point, or once it has answered."""
    receiver, sender = _processes.Pipe(duplex=False)
    process = _processes.Process(
        target=_run_until_killed, args=(step, _with_application_name(settings), now, kill_at, sender)
    )
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
    await _wait_until_forgotten(settings)
    return life


def _run_until_killed(step: Step, settings: Settings, now: datetime, kill_at: int | None, reports: Connection) -> None:
    upkeep.CHORES = ()  # Chores would add statements of their own.
    kill_switch = KillSwitch(kill_at, reports)
    kill_switch.watch_drivers()
    asyncio.run(_act(step, kill_switch, settings, now))


async def _act(step: Step, kill_switch: KillSwitch, settings: Settings, now: datetime) -> None:
    async with step.ready(kill_switch, settings, now) as act:
        kill_switch.has_begun = True
        answer = await act()
        kill_switch.reach("the answer")
        kill_switch.kill(answer)


def _url(settings: Settings) -> str:
    return settings.database_url.text


def _is_postgres(settings: Settings) -> bool:
    return _url(settings).startswith("postgres")


def _with_application_name(settings: Settings) -> Settings:
    """Return *settings* with which PostgreSQL knows the process by a name."""
    if not _is_postgres(settings):
        return settings
    parts = urlsplit(_url(settings))
    named = parts._replace(query=f"{parts.query}&application_name={APPLICATION}").geturl()
    return settings.replace(database_url=named)


async def _wait_until_forgotten(settings: Settings) -> None:
    """Wait until PostgreSQL has noticed that the process is dead, and has rolled back its transactions."""
    if not _is_postgres(settings):
        return
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"
    async with _connection(settings) as connection, asyncio.timeout(GUARD_SECONDS):
        while await connection.fetchval(sessions, APPLICATION):  # noqa: ASYNC110  # In another process.
            await asyncio.sleep(0.005)


class Snapshot:
    """A copy of the database and the mailbox: SQLite's file, or PostgreSQL's rows, and the mails."""

    def __init__(self, settings: Settings, folder: Path, rows: dict[str, list[Any]]) -> None:
        self._settings = settings
        self._folder = folder
        self._rows = rows

    @classmethod
    async def take(cls, settings: Settings, folder: Path) -> Snapshot:
        """Copy the present state; *folder* may hold the copies."""
        rows: dict[str, list[Any]] = {}
        if _is_postgres(settings):
            async with _connection(settings) as connection:
                rows = {table: await connection.fetch(f"SELECT * FROM {table}") for table in TABLES}  # noqa: S608
        else:
            shutil.copy(_file(settings), folder / "saved.db")
        if _mailbox(settings).exists():
            shutil.copytree(_mailbox(settings), folder / "saved-mailbox")
        return cls(settings, folder, rows)

    async def restore(self) -> None:
        shutil.rmtree(_mailbox(self._settings), ignore_errors=True)
        if (self._folder / "saved-mailbox").exists():
            shutil.copytree(self._folder / "saved-mailbox", _mailbox(self._settings))
        if _is_postgres(self._settings):
            await self._restore_rows()
            return
        self._restore_file(Path(_file(self._settings)))

    def _restore_file(self, file: Path) -> None:
        for suffix in ("-wal", "-shm"):
            file.with_name(f"{file.name}{suffix}").unlink(missing_ok=True)
        shutil.copy(self._folder / "saved.db", file)

    async def _restore_rows(self) -> None:
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
