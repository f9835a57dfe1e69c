"""The picture of the captcha: a few digits to read."""

from __future__ import annotations

import asyncio
import secrets
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, TypeAlias

from api.captcha.challenge import MAX_ANSWER_LENGTH, Challenge, normalise_answer
from api.captcha.voice import Voice
from api.worker_pool import WorkerPool

if TYPE_CHECKING:
    from captcha.image import ImageCaptcha

Colour: TypeAlias = "tuple[int, int, int]"

BACKGROUND: Colour = (248, 248, 248)
INKS: tuple[Colour, ...] = ((22, 48, 107), (91, 26, 102), (20, 73, 44), (107, 36, 20), (61, 58, 18), (51, 51, 51))
INK_LUMINANCE = 46  # Of the darkest ink (ITU-R 601-2, as Pillow converts); the others are a little lighter.
COMPRESSION = 3
"""Half the time of Pillow's default, for 4 % more bytes."""
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
        return draw(self._pen, answer, secrets.choice(INKS))

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


def draw(pen: ImageCaptcha, answer: str, ink: Colour) -> bytes:
    """Return a picture of *answer*, as PNG.

    Its colours are shades between background and ink: stored as shades, with a palette, it takes a third of the time to
    smooth and to compress, and half of the bytes.
    """
    from PIL import ImageFilter

    image = pen.create_captcha_image(answer, ink, BACKGROUND)
    pen.create_noise_dots(image, ink)
    pen.create_noise_curve(image, ink)
    shades = image.convert("L").filter(ImageFilter.SMOOTH)
    shades.putpalette(_palette(ink))
    png = BytesIO()
    shades.save(png, "png", compress_level=COMPRESSION)
    return png.getvalue()


@cache
def _palette(ink: Colour) -> bytes:
    """Return the colour of each luminance between *ink* and the background."""
    darkest, lightest = _luminance(ink), _luminance(BACKGROUND)
    shares = [min(1, max(0, (level - darkest) / (lightest - darkest))) for level in range(256)]
    return bytes(
        round(dark + (light - dark) * share) for share in shares for dark, light in zip(ink, BACKGROUND, strict=True)
    )


def _luminance(colour: Colour) -> float:
    """Return the luminance of *colour* as Pillow computes it (ITU-R 601-2)."""
    red, green, blue = colour
    return (299 * red + 587 * green + 114 * blue) / 1000


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
