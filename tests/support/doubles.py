"""Stand-ins for the outside world: a clock, a captcha with known answers, a mail transport."""

from __future__ import annotations

import secrets
import struct
import zlib
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import cache

from api.captcha.challenge import Challenge
from api.captcha.pictures import PictureCaptcha
from api.mail.transports import HandOver, at_any_time

PNG_END = 12


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **interval: float) -> None:
        self.now += timedelta(**interval)


class KnownCaptcha(PictureCaptcha):
    """A captcha with real challenges, whose answers the test knows. All its pictures show the same digits."""

    def __init__(self) -> None:
        super().__init__()
        self.challenges: list[Challenge] = []

    def new_challenge(self) -> Challenge:
        self.challenges.append(super().new_challenge())
        return self.challenges[-1]

    def _draw(self, answer: str) -> bytes:
        """Return the only picture, in a file like no other. Drawing would take as long as the rest of a request."""
        return _with_comment(_only_picture(), secrets.token_bytes())

    @property
    def answer(self) -> str:
        """Return the answer to the newest challenge."""
        return self.challenges[-1].answer

    @property
    def wrong_answer(self) -> str:
        return "".join(str(9 - int(digit)) for digit in self.answer)


@cache
def _only_picture() -> bytes:
    return PictureCaptcha()._draw("123456")


def _with_comment(png: bytes, comment: bytes) -> bytes:
    """Return *png* with a comment before the chunk that ends it."""
    content = b"tEXtComment\0" + comment.hex().encode()
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:-PNG_END] + chunk + png[-PNG_END:]


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
