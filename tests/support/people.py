"""Several people at one service, each at their own address, seeing only their own answers."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.applications import build_cheap_app
from tests.support.client import Portal, client_at
from tests.support.doubles import KnownCaptcha

if TYPE_CHECKING:
    import httpx

    from api.captcha.challenge import Challenge
    from api.mail.relay import Relay
    from api.settings.environment import Settings
    from tests.support.client import Answer
    from tests.support.doubles import Clock, Letterbox


class LegibleCaptcha(KnownCaptcha):
    """A captcha with real pictures, which only those who have them can read."""

    def __init__(self) -> None:
        super().__init__()
        self._answers: dict[bytes, str] = {}

    async def picture(self, challenge: Challenge) -> bytes:
        picture = await super().picture(challenge)
        self._answers[picture] = challenge.answer
        return picture

    def read(self, image: str) -> str:
        """Return the text in the picture of this data URL."""
        return self._answers[base64.b64decode(image.partition(",")[2])]


def wrong(answer: str) -> str:
    """Return an answer that differs from *answer* in each digit."""
    return "".join(str(9 - int(digit)) for digit in answer)


class Person(Portal):
    """A client of the API that remembers every answer it got."""

    captcha: LegibleCaptcha

    def __init__(self, http: httpx.AsyncClient, *, captcha: LegibleCaptcha, relay: Relay, letterbox: Letterbox) -> None:
        super().__init__(http, captcha=captcha, relay=relay, letterbox=letterbox)
        self.heard: list[str] = []

    async def execute(self, query: str, variables: Answer | None = None, *, language: str | None = None) -> Answer:
        answer = await super().execute(query, variables, language=language)
        self.heard.append(json.dumps(answer, ensure_ascii=False))
        return answer

    async def answer_rightly(self, pending: Answer) -> Answer:
        """Answer the picture of *pending*, a registration."""
        return await self.verify_captcha(pending["id"], self.captcha.read(pending["captcha"]["image"]))

    async def answer_wrongly(self, pending: Answer) -> Answer:
        return await self.verify_captcha(pending["id"], wrong(self.captcha.read(pending["captcha"]["image"])))

    async def pass_captcha(self, **changes: Any) -> Answer:
        """Send a form, read its picture, and return the registration, whose mails are now promised."""
        pending = await self.create_account(**changes)
        assert pending["__typename"] == "PendingRegistration", pending
        assert (await self.answer_rightly(pending))["__typename"] == "ActivationMailSent"
        return pending


PersonAt = Callable[[str], Person]


@pytest.fixture
async def person_at(
    settings: Settings, clock: Clock, captcha: LegibleCaptcha, relay: Relay, letterbox: Letterbox
) -> AsyncIterator[PersonAt]:
    """Return a function that gives the person at a network address; all of them use one application."""
    app = build_cheap_app(settings, clock=clock, captcha=captcha)
    async with app.router.lifespan_context(app):
        yield lambda address: Person(client_at(app, address), captcha=captcha, relay=relay, letterbox=letterbox)
