"""The pen of the captcha's pictures: distorted digits, dots and an arc, in shades of one ink.

It draws what the library's `ImageCaptcha` draws, in one channel instead of four: half the time of a picture.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from captcha.image import DEFAULT_FONTS, ImageCaptcha
from PIL import Image, ImageDraw, ImageFilter, ImageFont

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH, HEIGHT = 240, 80
FONT_SIZES = (48, 52, 56)
INK = 255
COVERING = [0] * 8 + [INK] * 248
"""Each pixel that a digit touches is covered, in the darkest shade: smoothing comes last."""
# Gentler than the library's own values, under which a 7 can look like a > and neighbours merge.
MAX_ROTATION_DEGREES = 15
MAX_WARP = 0.15
SPACES = 0.3
MAX_OVERLAP = 0.1

_random = secrets.SystemRandom()


class Pen:
    """Draws texts."""

    def __init__(self) -> None:
        self._fonts = [ImageFont.truetype(DEFAULT_FONTS[0], size) for size in FONT_SIZES]

    def draw(self, text: str) -> Image.Image:
        """Return *text* in shades, from 0 for the background to 255 for the ink."""
        shapes = list(self._shapes(text))
        total = sum(shape.width for shape in shapes)
        average = total // len(text)
        image = Image.new("L", (max(total, WIDTH), HEIGHT))
        left = average // 10
        for shape in shapes:
            image.paste(INK, (left, (HEIGHT - shape.height) // 2), shape)
            left += shape.width - _random.randint(0, int(MAX_OVERLAP * average))
        image = image.resize((WIDTH, HEIGHT))
        ImageCaptcha.create_noise_dots(image, INK)  # type: ignore[arg-type]  # One channel: a colour is a number.
        ImageCaptcha.create_noise_curve(image, INK)  # type: ignore[arg-type]
        return image.filter(ImageFilter.SMOOTH)

    def _shapes(self, text: str) -> Iterator[Image.Image]:
        """Yield the shape of each character, with spaces between some."""
        for character in text:
            if _random.random() < SPACES:
                yield self._shape(" ")
            yield self._shape(character)

    def _shape(self, character: str) -> Image.Image:
        """Return the pixels that *character* covers, rotated and warped."""
        font = _random.choice(self._fonts)
        _, _, right, bottom = font.getbbox(character)
        width, height = int(right) + 1, int(bottom) + 1
        shape = Image.new("L", (width, height))
        ImageDraw.Draw(shape).text((0, 0), character, fill=INK, font=font)
        degrees = _random.uniform(-MAX_ROTATION_DEGREES, MAX_ROTATION_DEGREES)
        shape = shape.crop(shape.getbbox()).rotate(degrees, Image.Resampling.BILINEAR, expand=True)
        return _warp(shape, width, height).point(COVERING)


def _warp(shape: Image.Image, width: int, height: int) -> Image.Image:
    """Return *shape* in this size, with each corner moved a little."""
    most_across, most_down = width * MAX_WARP * _random.random(), height * MAX_WARP * _random.random()
    left, right = (int(_random.uniform(-most_across, most_across)) for _ in range(2))
    top, bottom = (int(_random.uniform(-most_down, most_down)) for _ in range(2))
    wider, higher = width + abs(left) + abs(right), height + abs(top) + abs(bottom)
    corners = (left, top, -left, higher - bottom, wider + right, higher + bottom, wider - right, -top)
    return shape.resize((wider, higher)).transform((width, height), Image.Transform.QUAD, corners)
