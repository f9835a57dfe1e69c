"""Several people at one service, each at an address of their own, who see nothing but their own answers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from tests.conftest import KnownCaptcha

if TYPE_CHECKING:
    from api.captcha import Challenge


class LegibleCaptcha(KnownCaptcha):
    """Real pictures, which can be read by whoever has them, and by nobody else."""

    def __init__(self) -> None:
        super().__init__()
        self._answers: dict[bytes, str] = {}

    async def picture(self, challenge: Challenge) -> bytes:
        picture = await super().picture(challenge)
        self._answers[picture] = challenge.answer
        return picture

    def read(self, image: str) -> str:
        """What stands in the picture of this data URL."""
        return self._answers[base64.b64decode(image.partition(",")[2])]


def wrong(answer: str) -> str:
    """Another answer, wrong in each digit."""
    return "".join(str(9 - int(digit)) for digit in answer)
