"""Stand-ins for the outside world: a clock, a captcha with known answers, a mail transport."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from api.captcha.challenge import Challenge
from api.captcha.pictures import PictureCaptcha
from api.mail.transports import HandOver, at_any_time


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **interval: float) -> None:
        self.now += timedelta(**interval)


class KnownCaptcha(PictureCaptcha):
    """A captcha with real challenges, whose answers the test knows."""

    def __init__(self) -> None:
        super().__init__()
        self.challenges: list[Challenge] = []

    def new_challenge(self) -> Challenge:
        self.challenges.append(super().new_challenge())
        return self.challenges[-1]

    @property
    def answer(self) -> str:
        """Return the answer to the newest challenge."""
        return self.challenges[-1].answer

    @property
    def wrong_answer(self) -> str:
        return "".join(str(9 - int(digit)) for digit in self.answer)


class Letterbox:
    """A transport that keeps sent and discarded mails. Each sending first raises the next of *failures*."""

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
