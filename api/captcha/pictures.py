"""The picture of the captcha: a few digits to read."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from api.captcha.challenge import MAX_ANSWER_LENGTH, Challenge, normalise_answer
from api.captcha.voice import Voice
from api.worker_pool import WorkerPool

if TYPE_CHECKING:
    from captcha.image import ImageCaptcha

BACKGROUND = (248, 248, 248)
INKS = ((22, 48, 107), (91, 26, 102), (20, 73, 44), (107, 36, 20), (61, 58, 18), (51, 51, 51))
INK_LUMINANCE = 46  # Of the darkest ink (ITU-R 601-2, as Pillow converts); the others are a little lighter.
MAX_WAITING_PICTURES = 64


class PictureCaptcha:
    """A captcha of six digits: clear when spoken in any language, and easy to enter on a numeric keyboard."""

    alphabet: str = "0123456789"
    length: int = 6

    def __init__(self, *, voice: Voice | None = None) -> None:
        self._pen = _pen()
        self._pictures = WorkerPool(workers=2, max_waiting=MAX_WAITING_PICTURES, name="captcha-picture")
        self._voice = voice or Voice()

    def new_challenge(self) -> Challenge:
        answer = "".join(secrets.choice(self.alphabet) for _ in range(self.length))
        return Challenge(id=secrets.token_hex(16), answer=answer)

    async def picture(self, challenge: Challenge) -> bytes:
        return await self._pictures.run(self._draw, challenge.answer)

    def _draw(self, answer: str) -> bytes:
        return self._pen.generate(answer, bg_color=BACKGROUND, fg_color=secrets.choice(INKS)).getvalue()

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


def _pen() -> ImageCaptcha:
    from captcha.image import ImageCaptcha  # Late: a process that only supervises others saves 8 MB without Pillow.

    pen = ImageCaptcha(width=240, height=80, font_sizes=(48, 52, 56))
    # The library takes a colour's luminance for its opacity, which makes dark inks pale: let them cover.
    pen.lookup_table = [min(255, level * 255 // INK_LUMINANCE) for level in range(256)]
    # Gentler than the library's own values, under which a 7 can look like a > and neighbours merge.
    pen.character_rotate = (-15, 15)
    pen.character_warp_dx = pen.character_warp_dy = (0.05, 0.2)
    pen.word_space_probability, pen.word_offset_dx = 0.7, 0.1
    return pen
