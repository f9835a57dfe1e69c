"""renewCaptcha, verifyCaptcha, and the registration that waits for its captcha."""

import asyncio
import base64
from datetime import datetime
from enum import Enum
from typing import Annotated, TypeAlias

import strawberry

from api.captcha.challenge import CaptchaProvider, Challenge
from api.graphql.context import Context, Info, language_of, without_values
from api.graphql.engine.cost import COST
from api.graphql.organisations import DeclaredOrganisation
from api.graphql.problems import Problem, ProblemCode, RegistrationNotFound, TooManyRequests, problem_message
from api.messages.languages import Language
from api.messages.words import translate
from api.use_cases import registration as sign_up
from api.use_cases.registration import Pending, ShownChallenge
from models.domains import decode_domain
from models.registration import LINK_LIFETIME, Registration
from models.registration import RegistrationState as StoredState


@strawberry.enum(description="How far a registration has come.")
class RegistrationState(Enum):
    AWAITING_CAPTCHA = "AWAITING_CAPTCHA"
    VERIFIED = "VERIFIED"
    CAPTCHA_ATTEMPTS_EXHAUSTED = "CAPTCHA_ATTEMPTS_EXHAUSTED"

    @classmethod
    def of(cls, registration: Registration) -> "RegistrationState":
        """Nothing here tells whether an account has come of it."""
        if registration.state is not StoredState.AWAITING_CAPTCHA:
            return cls.VERIFIED
        return cls.AWAITING_CAPTCHA if registration.attempts_left else cls.CAPTCHA_ATTEMPTS_EXHAUSTED


async def speak(root: strawberry.Parent["Captcha"], info: Info) -> str | None:
    """One recording, however many aliases ask: several of one answer would help a machine to hear it."""
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


@strawberry.type(
    description=(
        "A registration on its way. It is not an account: everything here is the same, and takes the same work,"
        " whether or not the address already has one."
    )
)
class PendingRegistration:
    id: strawberry.ID = strawberry.field(
        description="Hard to guess; whoever knows it can answer the captcha, and nothing else."
    )
    state: RegistrationState
    captcha: Captcha | None = strawberry.field(description="Null once the captcha is done with.")
    attempts_left: int
    organisation: DeclaredOrganisation
    expires_at: datetime = strawberry.field(
        description="Until when the captcha can be answered: 30 minutes from the start."
    )
    expires_in_seconds: int

    @classmethod
    def of(cls, pending: Pending, context: Context, language: Language) -> "PendingRegistration":
        registration, now = pending.registration, context.now
        captcha = None
        if pending.shown is not None:
            captcha = Captcha.of(pending.shown, context.services.captcha, language, now)
        return cls(
            id=strawberry.ID(str(registration.id)),
            state=RegistrationState.of(registration),
            captcha=captcha,
            attempts_left=registration.attempts_left,
            organisation=DeclaredOrganisation.of(registration.identifier, pending.organisation, language),
            expires_at=registration.captcha_deadline,
            expires_in_seconds=seconds_until(registration.captcha_deadline, now),
        )


@strawberry.input(description="An answer to the current challenge of a registration.")
class VerifyCaptchaInput:
    registration_id: strawberry.ID
    answer: str = strawberry.field(description="Letter case and blanks don't matter.")

    __repr__ = without_values


@strawberry.type(
    description=(
        "The captcha holds. Two e-mails are on their way to the address: the summary, and the activation link. Sending"
        " the right answer again has no second effect."
    )
)
class ActivationMailSent:
    email: str = strawberry.field(
        description="As it was typed; its domain in lower case, and in its own letters rather than A-labels."
    )
    link_lifetime_minutes: int = strawberry.field(
        description="How long the link will work, in minutes, from its sending."
    )
    message: str


@strawberry.type(
    description=(
        "CAPTCHA_REJECTED: wrong, one attempt less. CAPTCHA_EXPIRED: too late, no attempt lost. Both bring a fresh"
        " picture. CAPTCHA_ATTEMPTS_EXHAUSTED: start again."
    )
)
class CaptchaRejected(Problem):
    registration: PendingRegistration


RenewCaptchaResult: TypeAlias = Annotated[
    PendingRegistration | RegistrationNotFound | TooManyRequests, strawberry.union("RenewCaptchaResult")
]
VerifyCaptchaResult: TypeAlias = Annotated[
    ActivationMailSent | CaptchaRejected | RegistrationNotFound | TooManyRequests,
    strawberry.union("VerifyCaptchaResult"),
]


async def renew_captcha(info: Info, registration_id: strawberry.ID) -> RenewCaptchaResult:
    context = info.context
    pending = await context.services.sign_up.renew_captcha(registration_id, network=context.network, now=context.now)
    return PendingRegistration.of(pending, context, context.language)


async def verify_captcha(info: Info, input: VerifyCaptchaInput) -> VerifyCaptchaResult:  # noqa: A002
    context = info.context
    registration = await context.services.sign_up.verify_captcha(
        input.registration_id, input.answer, network=context.network, now=context.now
    )
    email = decode_domain(registration.email)
    return ActivationMailSent(
        email=email,
        link_lifetime_minutes=int(LINK_LIFETIME.total_seconds() // 60),
        message=translate(context.language, "activation-mail-sent", email=email),
    )


class CaptchaRejectedHandler(strawberry.ExceptionHandler[sign_up.CaptchaRejected, CaptchaRejected]):
    def handle(self, exception: sign_up.CaptchaRejected, *, field: object, info: Info) -> CaptchaRejected:
        code, language = ProblemCode(exception.code), language_of(info)
        registration = PendingRegistration.of(exception.pending, info.context, language)
        parameters = {}
        if code is ProblemCode.CAPTCHA_REJECTED:
            parameters["attemptsLeft"] = registration.attempts_left
        return CaptchaRejected(
            code=code, message=problem_message(code, language, **parameters), registration=registration
        )


def seconds_until(instant: datetime, now: datetime) -> int:
    """Whole seconds that are left; 0 once *instant* has passed."""
    return max(0, int((instant - now).total_seconds()))


def _data_url(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
