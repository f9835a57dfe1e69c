"""createAccount, renewCaptcha, verifyCaptcha, resendActivationMail, terms."""

import base64
from datetime import datetime
from enum import Enum
from typing import Annotated, TypeAlias

import strawberry

from api.captcha import CaptchaProvider, Challenge
from api.graphql.context import Context, Info, given, language_of
from api.graphql.organisations import DeclaredOrganisation, OrganisationIdentifierInput
from api.graphql.problems import (
    IdempotencyConflict,
    InvalidInput,
    Problem,
    ProblemCode,
    RegistrationNotFound,
    TooManyRequests,
    problem_message,
)
from api.messages import Language, translate
from api.registration import sign_up
from api.registration.form import TypedForm
from api.registration.sign_up import Pending, ShownChallenge
from models.registration import LINK_LIFETIME, Registration
from models.registration import RegistrationState as StoredState


@strawberry.type(description="What a person agrees to. Versions are recorded with the agreement.")
class Terms:
    version: str
    url: str
    survey_consent_version: str
    survey_consent_text: str = strawberry.field(
        description=(
            "Who uses what for the survey, and how to withdraw: to show beside the box, which is not ticked beforehand."
        )
    )


@strawberry.input(description="The organisation that a person signs up for.")
class OrganisationInput:
    identifier: OrganisationIdentifierInput
    name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "Required where the organisation isn't known, but for a PARTICULIER, who has none; otherwise the known"
            " name stands. At most 200 characters."
        ),
    )


@strawberry.input(
    description='The form. Everywhere, blanks around are dropped, and an optional "" is the same as nothing.'
)
class CreateAccountInput:
    email: str = strawberry.field(
        description=(
            "The address to sign in with. Both e-mails go there. At most 254 characters; letter case makes no other"
            " address."
        )
    )
    email_confirmation: str
    first_name: str = strawberry.field(description="At most 100 characters, as the last name.")
    last_name: str
    phone: str | None = strawberry.field(
        default=strawberry.UNSET, description="French national or international notation."
    )
    contact_email: str | None = strawberry.field(
        default=strawberry.UNSET, description="Where notifications go; the sign-in address if left out."
    )
    accept_terms: bool
    terms_version: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The version that was shown; TERMS_OUTDATED if it is no longer the current one.",
    )
    survey_consent: bool = strawberry.field(
        default=False,
        description="Consent to the satisfaction survey: apart from the terms, optional, withdrawable.",
    )
    organisation: OrganisationInput
    language: Language | None = strawberry.field(default=strawberry.UNSET, description="Of the e-mails.")
    idempotency_key: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "A UUID chosen by the client. The same request again gives the same registration, with a fresh captcha"
            " where it still waits for one, at no attempt's cost. The key lives as long as the registration."
        ),
    )

    def typed(self, language: Language) -> TypedForm:
        """The form as it came, in the words of the use case."""
        return TypedForm(
            email=self.email,
            email_confirmation=self.email_confirmation,
            first_name=self.first_name,
            last_name=self.last_name,
            phone=given(self.phone),
            contact_email=given(self.contact_email),
            accept_terms=self.accept_terms,
            terms_version=given(self.terms_version),
            survey_consent=self.survey_consent,
            identifier_type=self.organisation.identifier.type,
            identifier_value=self.organisation.identifier.value,
            organisation_name=given(self.organisation.name),
            language=language,
            idempotency_key=given(self.idempotency_key),
        )


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
    sound = await info.context.services.captcha.sound(root.challenge, root.language)
    return None if sound is None else _data_url("audio/wav", sound)


@strawberry.type(description="One challenge as picture and as sound. It can be answered once.")
class Captcha:
    image: str = strawberry.field(description="data:image/png;base64,...")
    audio: str | None = strawberry.field(
        resolver=speak,
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


@strawberry.type(
    description=(
        "The captcha holds. Two e-mails are on their way to the address: the summary, and the activation link. Sending"
        " the right answer again has no second effect."
    )
)
class ActivationMailSent:
    email: str
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


@strawberry.input(description="Where to send a new activation link.")
class ResendActivationMailInput:
    email: str


@strawberry.type(description="If something waits for this address, a mail follows: the answer never tells.")
class ActivationMailRequested:
    email: str
    message: str


CreateAccountResult: TypeAlias = Annotated[
    PendingRegistration | InvalidInput | IdempotencyConflict | TooManyRequests,
    strawberry.union("CreateAccountResult"),
]
RenewCaptchaResult: TypeAlias = Annotated[
    PendingRegistration | RegistrationNotFound | TooManyRequests, strawberry.union("RenewCaptchaResult")
]
VerifyCaptchaResult: TypeAlias = Annotated[
    ActivationMailSent | CaptchaRejected | RegistrationNotFound | TooManyRequests,
    strawberry.union("VerifyCaptchaResult"),
]
ResendActivationMailResult: TypeAlias = Annotated[
    ActivationMailRequested | InvalidInput | TooManyRequests, strawberry.union("ResendActivationMailResult")
]


async def terms(info: Info, language: Language | None = strawberry.UNSET) -> Terms:
    current = info.context.services.terms
    return Terms(
        version=current.version,
        url=current.url,
        survey_consent_version=current.survey_consent_version,
        survey_consent_text=translate(given(language) or info.context.language, "terms-survey-consent"),
    )


async def create_account(info: Info, input: CreateAccountInput) -> CreateAccountResult:  # noqa: A002  # GraphQL's word.
    context, language = info.context, given(input.language) or info.context.language
    pending = await context.services.sign_up.create_account(
        input.typed(language), network=context.network, now=context.now
    )
    return PendingRegistration.of(pending, context, language)


async def renew_captcha(info: Info, registration_id: strawberry.ID) -> RenewCaptchaResult:
    context = info.context
    pending = await context.services.sign_up.renew_captcha(registration_id, network=context.network, now=context.now)
    return PendingRegistration.of(pending, context, context.language)


async def verify_captcha(info: Info, input: VerifyCaptchaInput) -> VerifyCaptchaResult:  # noqa: A002
    context = info.context
    registration = await context.services.sign_up.verify_captcha(
        input.registration_id, input.answer, network=context.network, now=context.now
    )
    return ActivationMailSent(
        email=registration.email,
        link_lifetime_minutes=int(LINK_LIFETIME.total_seconds() // 60),
        message=translate(context.language, "activation-mail-sent", email=registration.email),
    )


async def resend_activation_mail(
    info: Info,
    input: ResendActivationMailInput,  # noqa: A002
) -> ResendActivationMailResult:
    context = info.context
    email = await context.services.sign_up.resend_activation_mail(
        input.email, language=context.language, network=context.network, now=context.now
    )
    return ActivationMailRequested(
        email=email.address,
        message=translate(context.language, "activation-mail-requested", email=email.address),
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
