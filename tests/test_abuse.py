"""Abuse is bounded: floods, full queues and mail cannons leave the service to everybody else."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import pytest

from api.app import build_app
from api.delivery import build_relay
from api.worker_pool import RETRY_AFTER_SECONDS, WorkerPool
from models.account import Account
from models.outbox import MessageState, OutboxMessage
from models.registration import Registration
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
from tests.support.program import CAPTCHA, Guichet, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from email.message import EmailMessage
    from pathlib import Path

    from api.settings.environment import Settings
    from tests.support.doubles import Clock, KnownCaptcha, Letterbox

pytestmark = pytest.mark.anyio

EMAIL = "camille.durand@exemple.fr"
FLOOD = 10_000
CONNECTIONS = 8
GUARD_SECONDS = 600
MOST_GROWTH = 100_000_000
RESULT = re.compile(rb'"__typename":"(\w+)"')


# --- Floods ---


def flooding(number: int, server: Server) -> bytes:
    """One request of a flood: another address and another idempotency key each time, from one network."""
    key = f"{number:08}-0000-4000-8000-000000000000"
    typed = form(email=f"person{number}@exemple.fr", idempotencyKey=key)
    query = "mutation ($input: CreateAccountInput!) { createAccount(input: $input) { __typename } }"
    body = json.dumps({"query": query, "variables": {"input": typed}}).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {urlsplit(server.url).netloc}\r\nX-Forwarded-For: 203.0.113.66\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def flood(server: Server, numbers: Iterator[int]) -> Counter[str]:
    """Send as fast as answers come, until *numbers* end; what was answered."""
    where = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    answers: Counter[str] = Counter()
    for number in numbers:
        writer.write(flooding(number, server))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length:" in line)
        answer = RESULT.search(await reader.readexactly(length))
        assert answer is not None
        answers[answer[1].decode()] += 1
    writer.close()
    return answers


async def sign_up_meanwhile(server: Server, person: int) -> None:
    """Somebody else, from a network of their own, walks the way to the two mails."""
    headers = {"X-Forwarded-For": f"198.51.100.{person}"}

    async def call(query: str, typed: dict[str, Any]) -> dict[str, Any]:
        answer = await asyncio.to_thread(server.ask, query, {"input": typed}, headers=headers)
        value: dict[str, Any] = next(iter(answer["data"].values()))
        return value

    pending = await call(CREATE_ACCOUNT, form(email=f"other{person}@exemple.fr"))
    assert pending["__typename"] == "PendingRegistration"
    verified = await call(VERIFY_CAPTCHA, {"registrationId": pending["id"], "answer": CAPTCHA})
    assert verified["__typename"] == "ActivationMailSent"


@pytest.mark.process
async def test_a_flood_from_one_network_leaves_the_service_to_others(database_url: str, tmp_path: Path) -> None:
    """Of ten thousand forms from one network sixty are taken; people from elsewhere sign up meanwhile as ever."""
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
        assert psutil.Process(server.process.pid).memory_info().rss - memory < MOST_GROWTH
        assert " ERROR " not in server.log


# --- Queues ---


async def test_full_line_of_pictures_is_a_polite_refusal(portal: Portal, captcha: KnownCaptcha) -> None:
    """Where as many pictures wait as can, a form is refused for two seconds, and nothing of it is kept."""
    line = captcha._pictures
    captcha._pictures = WorkerPool(workers=1, max_waiting=-1, name="full")
    refused = await portal.create_account(accept="en")
    assert (refused["__typename"], refused["retryAfterSeconds"]) == ("TooManyRequests", RETRY_AFTER_SECONDS)
    assert refused["message"] == "Too many requests. Try again in 2 seconds."
    assert await Registration.all().count() == 0
    captcha._pictures = line
    assert (await portal.create_account())["__typename"] == "PendingRegistration"


async def test_full_line_of_passwords_is_a_polite_refusal(
    portal: Portal, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where as many passwords wait as can, some are refused for a moment; the link stays usable, and is used once."""
    token = await portal.activation_token()
    monkeypatch.setattr("api.passwords.threads.MAX_WAITING", waiting := 2)
    places = (os.cpu_count() or 1) + waiting
    typed = {"input": {"token": token, "password": PASSWORD, "passwordConfirmation": PASSWORD}}
    async with client_of(build_app(settings, clock=clock)) as http:
        answers = await asyncio.gather(
            *(http.post("/graphql", json={"query": ACTIVATE_ACCOUNT, "variables": typed}) for _ in range(places + 10))
        )
    kinds = Counter(answer.json()["data"]["activateAccount"]["__typename"] for answer in answers)
    assert set(kinds) <= {"AccountActivated", "ActivationLinkRefused", "TooManyRequests"}
    assert kinds["AccountActivated"] == 1
    assert kinds["TooManyRequests"] > 0


# --- The mail cannon ---


async def test_a_mail_cannon_is_no_cannon(
    settings: Settings, clock: Clock, captcha: KnownCaptcha, letterbox: Letterbox
) -> None:
    """From however many networks, a mailbox gets twelve mails an hour; its owner's own link comes, and works."""
    chosen = settings.replace(rate_limits="on", trusted_proxies="10.0.0.0/8")
    relay = build_relay(chosen, clock=clock, transport=letterbox)
    arrivals: list[datetime] = []
    async with client_of(build_app(chosen, clock=clock, captcha=captcha), "10.0.0.1") as http:
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
    """Do as Camille does: look through the mails for the link under the right name, and use it."""
    for mail in mails:
        for token in LINK.findall(text_of(mail)) if "Camille" in text_of(mail) else ():
            link = await portal.inspect_activation_link(token)
            if (link["state"], link["firstName"]) == ("USABLE", "Camille"):
                activated = await portal.activate_account(token)
                assert activated["__typename"] == "AccountActivated"
