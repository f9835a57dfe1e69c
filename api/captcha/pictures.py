"""The picture of the captcha: a few digits to read."""

from __future__ import annotations

import asyncio
import secrets
from functools import cache
from io import BytesIO
from typing import TypeAlias

from api.captcha.challenge import MAX_ANSWER_LENGTH, Challenge, normalise_answer
from api.captcha.voice import Voice
from api.worker_pool import WorkerPool

Colour: TypeAlias = "tuple[int, int, int]"

BACKGROUND: Colour = (248, 248, 248)
INKS: tuple[Colour, ...] = ((22, 48, 107), (91, 26, 102), (20, 73, 44), (107, 36, 20), (61, 58, 18), (51, 51, 51))
COMPRESSION = 3
"""Half the time of Pillow's default, for 4 % more bytes."""
MAX_WAITING_PICTURES = 64


class PictureCaptcha:
    """A captcha of six digits: clear when spoken in any language, and easy to enter on a numeric keyboard."""

    alphabet: str = "0123456789"
    length: int = 6

    def __init__(self, *, voice: Voice | None = None) -> None:
        from api.captcha.pen import Pen  # Late: a process that only supervises others saves 8 MB without Pillow.

        self._pen = Pen()
        self._pictures = WorkerPool(workers=2, max_waiting=MAX_WAITING_PICTURES, name="captcha-picture")
        self._voice = voice or Voice()

    def new_challenge(self) -> Challenge:
        answer = "".join(secrets.choice(self.alphabet) for _ in range(self.length))
        return Challenge(id=secrets.token_hex(16), answer=answer)

    async def picture(self, challenge: Challenge) -> bytes:
        return await self._pictures.run(self._draw, challenge.answer)

    def _draw(self, answer: str) -> bytes:
        """Return a picture of *answer*, as PNG with a palette."""
        image = self._pen.draw(answer)
        image.putpalette(_palette(secrets.choice(INKS)))
        png = BytesIO()
        image.save(png, "png", compress_level=COMPRESSION)
        return png.getvalue()

    async def sound(self, challenge: Challenge, language: str) -> bytes | None:
        return await self._voice.speak(challenge.answer, language)

    async def aclose(self) -> None:
        await asyncio.to_thread(self._pictures.close)
        await self._voice.aclose()


class FixedCaptcha(PictureCaptcha):
    """A captcha whose answer is always the same, for developers of clients; production refuses this setting."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self._answer = normalise_answer(answer)
        if not self._answer.isalnum():
            raise ValueError(f"a fixed captcha has 1 to {MAX_ANSWER_LENGTH} letters and digits")
        self.alphabet = "".join(sorted(set(self._answer)))
        self.length = len(self._answer)

    def new_challenge(self) -> Challenge:
        return Challenge(id=secrets.token_hex(16), answer=self._answer)


@cache
def _palette(ink: Colour) -> bytes:
    """Return the colour of each shade, from the background to *ink*."""
    return bytes(
        round(light + (dark - light) * shade / 255)
        for shade in range(256)
        for light, dark in zip(BACKGROUND, ink, strict=True)
    )
