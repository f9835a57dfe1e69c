"""The challenge of a captcha: what has to be read or heard, and how its answer is compared."""

from __future__ import annotations

import hmac
import json
import unicodedata
from dataclasses import dataclass, field
from typing import Protocol

from models.visible_text import without_formats

MAX_ANSWER_LENGTH = 50


@dataclass(frozen=True)
class Challenge:
    """A text that a person has to read or hear, and to enter."""

    id: str
    answer: str = field(repr=False)


class CaptchaProvider(Protocol):
    """A captcha: it makes challenges, draws them and speaks them."""

    alphabet: str
    length: int

    def new_challenge(self) -> Challenge:
        """Make a challenge that nobody has seen."""

    async def picture(self, challenge: Challenge) -> bytes:
        """Draw the challenge, as PNG; raise `api.refusals.TooManyRequests` if too many wait to be drawn."""

    async def sound(self, challenge: Challenge, language: str) -> bytes | None:
        """Speak the challenge, as WAV; return None if that can't be done now."""

    async def aclose(self) -> None:
        """End threads and processes."""


def normalise_answer(answer: str) -> str:
    """Remove differences of letter case, blanks and widths. Return "", which is never right, for a text too long."""
    if len(answer) > MAX_ANSWER_LENGTH:
        return ""
    return "".join(without_formats(unicodedata.normalize("NFKC", answer)).split()).upper()


def answer_digest(key: bytes, registration_id: str, challenge_id: str, answer: str) -> str:
    """Digest an answer, so that it holds for one challenge of one registration only."""
    message = json.dumps(["captcha", registration_id, challenge_id, normalise_answer(answer)]).encode()
    return hmac.digest(key, message, "sha256").hex()
