"""The captcha as a client shows it: a picture, and a sound where it is asked for."""

import asyncio
import base64
from datetime import datetime

import strawberry

from api.captcha.challenge import CaptchaProvider, Challenge
from api.graphql.context import Info
from api.graphql.engine.cost import COST
from api.graphql.instants import seconds_until
from api.messages.languages import Language
from api.messages.words import translate
from api.use_cases.registration import ShownChallenge


async def speak(root: strawberry.Parent["Captcha"], info: Info) -> str | None:
    """Make one recording for all aliases: several of one answer would help a machine to hear it."""
    if root.speaking is None:
        work = info.context.services.captcha.sound(root.challenge, root.language)
        root.speaking = asyncio.ensure_future(work)
    sound = await asyncio.shield(root.speaking)
    return None if sound is None else _data_url("audio/wav", sound)


@strawberry.type(description="One challenge as picture and as sound. It can be answered once.")
class Captcha:
    image: str = strawberry.field(description="data:image/png;base64,...", metadata={COST: 200})
    audio: str | None = strawberry.field(
        resolver=speak,
        metadata={COST: 3_000},  # A hundred kilobytes, under each alias again.
        description=(
            "data:audio/wav;base64,... spoken in the caller's language; made only when selected here, since the"
            " answer isn't kept: to hear a challenge, ask for a new one (`renewCaptcha`) with its sound. Null if it"
            " can't be made now."
        ),
    )
    image_description: str = strawberry.field(
        description="Text alternative of the picture: its nature and purpose, never the answer."
    )
    length: int = strawberry.field(description="How many characters, and which can occur, for the keyboard.")
    alphabet: str
    expires_at: datetime
    expires_in_seconds: int
    challenge: strawberry.Private[Challenge]
    language: strawberry.Private[Language]
    speaking: strawberry.Private[asyncio.Future[bytes | None] | None] = None

    @classmethod
    def of(cls, shown: ShownChallenge, provider: CaptchaProvider, language: Language, now: datetime) -> "Captcha":
        return cls(
            image=_data_url("image/png", shown.picture),
            image_description=translate(language, "captcha-image-description"),
            length=provider.length,
            alphabet=provider.alphabet,
            expires_at=shown.stored.expires_at,
            expires_in_seconds=seconds_until(shown.stored.expires_at, now),
            challenge=shown.challenge,
            language=language,
        )


def _data_url(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
