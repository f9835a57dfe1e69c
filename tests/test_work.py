"""No operation takes more work than is recorded: calls of Python functions, and SQL statements.

Both are the same on any machine under any load. `tests/work.json` has the numbers of the last release. Who makes an
operation dearer says so in the change log: a line "Work of `organisation`: 130 calls, 1 statement" under *Unreleased*
stands in the place of the recorded numbers.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.applications import build_cheap_app
from tests.support.client import PASSWORD, SIRET, Portal, token_in, with_link
from tests.support.databases import postgres_only
from tests.support.program import PROJECT
from tests.support.statements import Statements, statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import FrameType

    from starlette.types import ASGIApp, Receive, Scope, Send

    from api.mail.relay import Relay
    from api.settings.environment import Settings
    from tests.support.doubles import Clock, KnownCaptcha, Letterbox

__all__ = ["statements"]  # A fixture, for pytest to find here.

pytestmark = [
    pytest.mark.anyio,
    postgres_only,
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the record is of Python 3.11: others make other calls"),
]

RECORD = PROJECT / "tests" / "work.json"
EXCEPTION = re.compile(r"^- Work of `(\w+)`: ([\d,]+) calls, (\d+) statements?\b", re.MULTILINE)
ELSEWHERE = re.compile(r"/(?:asyncio|logging|_pytest|httpx|tests)/|/selectors\.py$")
"""Code that other event loops, loggers and callers have in another way."""
KINDS = ("calls", "statements")
WALKS = 5
"""The first walks fill caches, those of each database connection among them. The least work counts."""
MAX_GROWTH = 1.10
MAX_GAIN = 0.75
"""Numbers that fall below this share of the recorded ones are recorded, so that the gain is not lost unseen."""


class CountingApp:
    """An application that counts the calls and statements of each request to it."""

    def __init__(self, app: ASGIApp, statements: Statements) -> None:
        self._app = app
        self._statements = statements
        self.calls = 0
        self.sent: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls = 0
        self._statements.take()
        before = sys.getprofile()
        sys.setprofile(self._count)
        try:
            await self._app(scope, receive, send)
        finally:
            sys.setprofile(before)
            self.sent = self._statements.take()

    def _count(self, frame: FrameType, event: str, _: object) -> None:
        self.calls += event == "call" and not ELSEWHERE.search(frame.f_code.co_filename)


@pytest.fixture
async def counting(
    statements: Statements, settings: Settings, clock: Clock, captcha: KnownCaptcha
) -> AsyncIterator[CountingApp]:
    app = build_cheap_app(settings, clock=clock, captcha=captcha)
    async with app.router.lifespan_context(app):
        yield CountingApp(app, statements)


async def test_no_operation_takes_more_work_than_is_recorded(
    counting: CountingApp, captcha: KnownCaptcha, relay: Relay, letterbox: Letterbox
) -> None:
    """No operation takes a tenth more calls, or one more statement, than recorded, unless the change log says so."""
    transport = httpx.ASGITransport(counting, client=("192.0.2.1", 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        portal = Portal(http, captcha=captcha, relay=relay, letterbox=letterbox)
        walks = [await walk(portal, counting, f"person-{number}@example.org") for number in range(WALKS)]
    taken = {name: {kind: min(one[name][kind] for one in walks) for kind in KINDS} for name in walks[0]}
    allowed = read_allowed()
    assert taken.keys() == allowed.keys()
    dearer = {name: work for name, work in taken.items() if is_dearer(work, allowed[name])}
    assert not dearer, f"dearer than {RECORD.name} allows: {json.dumps(dearer)}"
    cheaper = {name: work for name, work in taken.items() if work["calls"] < allowed[name]["calls"] * MAX_GAIN}
    assert not cheaper, f"record these in {RECORD.name}: {json.dumps(cheaper)}"


def is_dearer(work: dict[str, int], allowed: dict[str, int]) -> bool:
    return work["calls"] > allowed["calls"] * MAX_GROWTH or work["statements"] > allowed["statements"]


def read_allowed() -> dict[str, dict[str, int]]:
    """Return the recorded numbers, with the exceptions of the change log."""
    allowed: dict[str, dict[str, int]] = json.loads(RECORD.read_text(encoding="utf-8"))
    unreleased = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## ")[1]
    for name, calls, sent in EXCEPTION.findall(unreleased):
        allowed[name] = {"calls": int(calls.replace(",", "")), "statements": int(sent)}
    return allowed


async def walk(portal: Portal, counting: CountingApp, email: str) -> dict[str, dict[str, int]]:
    """Call each operation once, on the way of a sign-up. Return the work of each."""
    taken: dict[str, dict[str, int]] = {}

    def note(name: str) -> None:
        taken[name] = {"calls": counting.calls, "statements": len(counting.sent)}

    async def ask(name: str, query: str, **variables: Any) -> None:
        answer = await portal.execute(query, variables)
        assert "errors" not in answer
        note(name)

    await ask("identifierTypes", "{ identifierTypes { type label formatHint pattern } }")
    await ask("passwordPolicy", "{ passwordPolicy { minLength maxLength description } }")
    await ask("terms", "{ terms { version url } }")
    one = {"type": "SIRET", "value": SIRET}
    await ask("organisation", LOOK_UP, identifier=one)
    await ask("organisations", LOOK_UPS, identifiers=[one] * 100)
    registration = await portal.create_account(email=email)
    note("createAccount")
    await portal.renew_captcha(registration["id"])
    note("renewCaptcha")
    await portal.verify_captcha(registration["id"], portal.captcha.answer)
    note("verifyCaptcha")
    await portal.resend_activation_mail(email)
    note("resendActivationMail")
    token = token_in(with_link(await portal.deliver())[-1])
    await portal.inspect_activation_link(token)
    note("inspectActivationLink")
    await portal.check_password(PASSWORD)
    note("checkPassword")
    await portal.activate_account(token)
    note("activateAccount")
    return taken


LOOK_UP = """
query ($identifier: OrganisationIdentifierInput!) {
  organisation(identifier: $identifier) {
    __typename ... on Organisation { name status onPortal city } ... on Problem { code message }
  }
}
"""
LOOK_UPS = """
query ($identifiers: [OrganisationIdentifierInput!]!) {
  organisations(identifiers: $identifiers) {
    __typename
    ... on OrganisationList { items { ... on Organisation { name status } ... on Problem { code message } } }
  }
}
"""
