"""Abuse is bounded: floods, full queues and mail bombs don't keep others from using the service."""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
from collections import Counter
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import pytest

from api.captcha.pictures import DRAWING_THREADS, MAX_WAITING_PICTURES
from api.delivery import build_relay
from api.passwords.threads import MAX_WAITING
from api.worker_pool import RETRY_AFTER_SECONDS
from models.account import Account
from models.outbox import MessageState, OutboxMessage
from models.registration import Registration
from tests.support.applications import build_cheap_app
from tests.support.client import (
    ACTIVATE_ACCOUNT,
    CREATE_ACCOUNT,
    LINK,
    PASSWORD,
    VERIFY_CAPTCHA,
    Portal,
    client_of,
    form,
    text_of,
)
from tests.support.doubles import KnownCaptcha
from tests.support.hashing import CHEAP_HASHER
from tests.support.program import CAPTCHA, Guichet, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from email.message import EmailMessage
    from pathlib import Path

    from api.mail.relay import Relay
    from api.settings.environment import Settings
    from tests.support.doubles import Clock, Letterbox

pytestmark = pytest.mark.anyio

EMAIL = "camille.durand@exemple.fr"
FLOOD = 10_000
CONNECTIONS = 8
GUARD_SECONDS = 600
HELD_SECONDS = 60
MAX_GROWTH_BYTES = 100_000_000
RESULT = re.compile(rb'"__typename":"(\w+)"')


# --- Floods ---


def flood_request(number: int, server: Server) -> bytes:
    """Return one request of a flood: always the same network, each time a new address and idempotency key."""
    key = f"{number:08}-0000-4000-8000-000000000000"
    entered = form(email=f"person{number}@exemple.fr", idempotencyKey=key)
    query = "mutation ($input: CreateAccountInput!) { createAccount(input: $input) { __typename } }"
    body = json.dumps({"query": query, "variables": {"input": entered}}).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {urlsplit(server.url).netloc}\r\nX-Forwarded-For: 203.0.113.66\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def flood(server: Server, numbers: Iterator[int]) -> Counter[str]:
    """Send requests as fast as answers arrive, until *numbers* end; count the answers by type."""
    address = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    answers: Counter[str] = Counter()
    for number in numbers:
        writer.write(flood_request(number, server))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length:" in line)
        answer = RESULT.search(await reader.readexactly(length))
        assert answer is not None
        answers[answer[1].decode()] += 1
    writer.close()
    return answers


async def sign_up_meanwhile(server: Server, person: int) -> None:
    """Sign up another person, from their own network, until two mails are promised."""
    headers = {"X-Forwarded-For": f"198.51.100.{person}"}

    async def call(query: str, entered: dict[str, Any]) -> dict[str, Any]:
        answer = await asyncio.to_thread(server.ask, query, {"input": entered}, headers=headers)
        value: dict[str, Any] = next(iter(answer["data"].values()))
        return value

    pending = await call(CREATE_ACCOUNT, form(email=f"other{person}@exemple.fr"))
    assert pending["__typename"] == "PendingRegistration"
    verified = await call(VERIFY_CAPTCHA, {"registrationId": pending["id"], "answer": CAPTCHA})
    assert verified["__typename"] == "ActivationMailSent"


@pytest.mark.process
async def test_flood_from_one_network_does_not_stop_others(database_url: str, tmp_path: Path) -> None:
    """The service accepts sixty of ten thousand forms from one network; people from elsewhere sign up meanwhile."""
    guichet = Guichet(tmp_path)
    guichet.set(DATABASE_URL=database_url, CAPTCHA=f"fixed:{CAPTCHA}", TRUSTED_PROXIES="127.0.0.1", RELAY="off")
    with guichet.serving() as server:
        await sign_up_meanwhile(server, 1)
        memory = psutil.Process(server.process.pid).memory_info().rss
        async with asyncio.timeout(GUARD_SECONDS), asyncio.TaskGroup() as group:
            numbers = iter(range(FLOOD))
            floods = [group.create_task(flood(server, numbers)) for _ in range(CONNECTIONS)]
            for person in range(2, 12):
                await sign_up_meanwhile(server, person)
        assert sum((task.result() for task in floods), Counter[str]()) == {
            "PendingRegistration": 60,
            "TooManyRequests": FLOOD - 60,
        }
        assert psutil.Process(server.process.pid).memory_info().rss - memory < MAX_GROWTH_BYTES
        assert " ERROR " not in server.log


# --- Queues ---


class HeldCaptcha(KnownCaptcha):
    """A captcha that finishes no picture before it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_finish = threading.Event()

    def _draw(self, answer: str) -> bytes:
        assert self.may_finish.wait(HELD_SECONDS)
        return super()._draw(answer)


class HeldHasher:
    """A hasher that finishes no hash before it may."""

    def __init__(self) -> None:
        self.may_finish = threading.Event()

    def hash(self, password: str) -> str:
        assert self.may_finish.wait(HELD_SECONDS)
        return CHEAP_HASHER.hash(password)


async def test_full_picture_queue_refuses_forms_for_two_seconds(
    settings: Settings, clock: Clock, relay: Relay, letterbox: Letterbox
) -> None:
    """While the picture queue is full, a form is refused with a retry after two seconds, and nothing is stored."""
    captcha = HeldCaptcha()
    async with client_of(build_cheap_app(settings, clock=clock, captcha=captcha)) as http:
        portal = Portal(http, captcha=captcha, relay=relay, letterbox=letterbox)
        pictures = (captcha.picture(captcha.new_challenge()) for _ in range(DRAWING_THREADS + MAX_WAITING_PICTURES))
        drawing = asyncio.gather(*pictures)
        await asyncio.sleep(0)  # Each takes its place.
        refused = await portal.create_account(accept="en")
        assert (refused["__typename"], refused["retryAfterSeconds"]) == ("TooManyRequests", RETRY_AFTER_SECONDS)
        assert refused["message"] == "Too many requests. Try again in 2 seconds."
        assert await Registration.all().count() == 0
        captcha.may_finish.set()
        await drawing
        assert (await portal.create_account())["__typename"] == "PendingRegistration"


async def test_full_password_queue_refuses_some_and_keeps_the_link_usable(
    portal: Portal, settings: Settings, clock: Clock
) -> None:
    """While the password queue is full, more activations get TooManyRequests; one of the others makes the account."""
    token = await portal.activation_token()
    hasher, places, excess = HeldHasher(), (os.cpu_count() or 1) + MAX_WAITING, 10
    entered = {"input": {"token": token, "password": PASSWORD, "passwordConfirmation": PASSWORD}}
    async with client_of(build_cheap_app(settings, clock=clock, hasher=hasher)) as http:

        async def activate() -> str:
            answer = await http.post("/graphql", json={"query": ACTIVATE_ACCOUNT, "variables": entered})
            kind: str = answer.json()["data"]["activateAccount"]["__typename"]
            return kind

        activations = [asyncio.create_task(activate()) for _ in range(places + excess)]
        for first in islice(asyncio.as_completed(activations, timeout=HELD_SECONDS), excess):
            assert await first == "TooManyRequests"
        hasher.may_finish.set()
        kinds = Counter(await asyncio.gather(*activations))
    assert kinds == {"AccountActivated": 1, "ActivationLinkRefused": places - 1, "TooManyRequests": excess}


# --- Mail bombs ---


@pytest.mark.exhaustive
async def test_mailbox_under_attack_gets_twelve_mails_an_hour(
    settings: Settings, clock: Clock, captcha: KnownCaptcha, letterbox: Letterbox
) -> None:
    """Strangers in many networks can't send a mailbox more than twelve mails an hour; its owner's link still works."""
    chosen = settings.replace(rate_limits="on", trusted_proxies="10.0.0.0/8")
    relay = build_relay(chosen, clock=clock, transport=letterbox)
    arrivals: list[datetime] = []
    async with client_of(build_cheap_app(chosen, clock=clock, captcha=captcha), "10.0.0.1") as http:
        portal = Portal(http, captcha=captcha, relay=relay, letterbox=letterbox)
        for network in range(40):
            http.headers["X-Forwarded-For"] = f"203.0.113.{network}"
            for _ in range(2):
                await portal.sign_up(firstName="Stranger")
            await portal.resend_activation_mail(EMAIL)
        http.headers["X-Forwarded-For"] = "198.51.100.1"
        await portal.sign_up(firstName="Camille")
        while message := await OutboxMessage.filter(state=MessageState.QUEUED).order_by("available_at").first():
            clock.now = max(clock.now, message.available_at)
            mails = await portal.deliver()
            arrivals += [clock.now] * len(mails)
            await activate_own(portal, mails)
        account = await Account.get()
    for start in arrivals:
        assert sum(start <= instant < start + timedelta(hours=1) for instant in arrivals) <= 12
    assert (account.email_canonical, account.first_name) == (EMAIL, "Camille")


async def activate_own(portal: Portal, mails: list[EmailMessage]) -> None:
    """Do as Camille does: find the link under the right name in the mails, and use it."""
    for mail in mails:
        for token in LINK.findall(text_of(mail)) if "Camille" in text_of(mail) else ():
            link = await portal.inspect_activation_link(token)
            if (link["state"], link["firstName"]) == ("USABLE", "Camille"):
                activated = await portal.activate_account(token)
                assert activated["__typename"] == "AccountActivated"
