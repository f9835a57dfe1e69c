"""Fixtures of every test: both kinds of databases, a clock that tests move, an application without sockets."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import hypothesis
import pytest
from hypothesis import HealthCheck
from pydantic import SecretStr

from api.delivery import build_relay
from api.mail.relay import Relay
from api.passwords.hashing import Hasher
from api.settings.environment import Settings
from api.settings.mail_destination import Maildir
from api.settings.sender import Sender
from models.database.url import parse_database_url
from tests.support.applications import build_cheap_app
from tests.support.browser import bounds, browser, server
from tests.support.canary import pytest_runtest_makereport
from tests.support.client import PAGE, SIGN_IN, Portal
from tests.support.collector import pytest_collection_finish, pytest_sessionstart, pytest_unconfigure
from tests.support.databases import (
    database_url,
    empty_sqlite,
    eraser,
    postgres,
    stored,
)
from tests.support.doubles import Clock, KnownCaptcha, Letterbox
from tests.support.hashing import hasher
from tests.support.kinds import pytest_collection_modifyitems, pytest_itemcollected
from tests.support.letters import deliver, mail_folder
from tests.support.stopwatch import stopwatch
from tests.support.visitor import mailed_link, newest_link

# Fixtures and hooks of other modules, for pytest to find here.
__all__ = [
    "bounds",
    "browser",
    "database_url",
    "deliver",
    "empty_sqlite",
    "eraser",
    "hasher",
    "mail_folder",
    "mailed_link",
    "newest_link",
    "postgres",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_itemcollected",
    "pytest_runtest_makereport",
    "pytest_sessionstart",
    "pytest_unconfigure",
    "server",
    "stopwatch",
    "stored",
]


# Tests only ask this machine, so they must not go through a proxy from the environment.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,::1,localhost"

# httpx looks for this package at each request, which takes 0.07 ms. It comes with Trio, and is not installed.
sys.modules["sniffio"] = None  # type: ignore[assignment]

# The tests' own client logs the URLs that it requests. Only the service's log is under test.
logging.getLogger("httpx").setLevel(logging.WARNING)

# A machine may be busy: no test measures speed.
hypothesis.settings.register_profile("guichet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.settings.load_profile("guichet")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Return settings without a relay and without limits."""
    return Settings(
        database_url=parse_database_url(database_url),
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
    """Return a relay that works when a test calls `deliver_due`."""
    return build_relay(settings, clock=clock, transport=letterbox)


@pytest.fixture
async def http(
    settings: Settings, clock: Clock, captcha: KnownCaptcha, hasher: Hasher | None
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield an HTTP client of the application, which runs in this process without sockets."""
    app = build_cheap_app(settings, clock=clock, captcha=captcha, hasher=hasher)
    transport = httpx.ASGITransport(app, client=("192.0.2.1", 50000))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield client


@pytest.fixture
def portal(http: httpx.AsyncClient, captcha: KnownCaptcha, relay: Relay, letterbox: Letterbox) -> Portal:
    """Return the API as a client program sees it."""
    return Portal(http, captcha=captcha, relay=relay, letterbox=letterbox)
