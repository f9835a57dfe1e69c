"""The sign-up, up to the two mails: createAccount, renewCaptcha, verifyCaptcha, resendActivationMail."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Self, TypeAlias

import strawberry

from api import refusals
from api.graphql.captcha import Captcha
from api.graphql.context import Context, Info, choose_language, language_of, unless_unset, without_values
from api.graphql.instants import seconds_until
from api.graphql.organisations import DeclaredOrganisation, OrganisationIdentifierInput
from api.graphql.problems import (
    IdempotencyConflict,
    InvalidInput,
    Members,
    Problem,
    RegistrationNotFound,
    TooManyRequests,
    problem_message,
)
from api.messages.languages import Language
from api.messages.words import translate
from api.use_cases.registration import Pending
from api.use_cases.registration_form import FormEntries
from models.activation import LINK_LIFETIME
from models.domains import decode_domain
from models.registration import Registration
from models.registration import RegistrationState as StoredState


@strawberry.enum(description="How far a registration has come.")
class RegistrationState(Enum):
    AWAITING_CAPTCHA = "AWAITING_CAPTCHA"
    VERIFIED = "VERIFIED"
    CAPTCHA_ATTEMPTS_EXHAUSTED = "CAPTCHA_ATTEMPTS_EXHAUSTED"

    @classmethod
    def of(cls, registration: Registration) -> "RegistrationState":
        """Return the state, which does not tell whether an account has come of the registration."""
        if registration.state is not StoredState.AWAITING_CAPTCHA:
            return cls.VERIFIED
        return cls.AWAITING_CAPTCHA if registration.attempts_left else cls.CAPTCHA_ATTEMPTS_EXHAUSTED


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
        registration, now = pending.registration, context.caller.now
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
    description=(
        'The form. Everywhere, invisible characters and blanks around are dropped, and an optional "" is the same as'
        " nothing."
    ),
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

    def entries(self, language: Language) -> FormEntries:
        """Return the form as it came, for the use case."""
        return FormEntries(
            email=self.email,
            email_confirmation=self.email_confirmation,
            first_name=self.first_name,
            last_name=self.last_name,
            phone=unless_unset(self.phone),
            contact_email=unless_unset(self.contact_email),
            accept_terms=self.accept_terms,
            terms_version=unless_unset(self.terms_version),
            survey_consent=self.survey_consent,
            identifier_type=self.organisation.identifier.type,
            identifier_value=self.organisation.identifier.value,
            organisation_name=unless_unset(self.organisation.name),
            language=language,
            idempotency_key=unless_unset(self.idempotency_key),
        )


@strawberry.input(description="Where to send a new activation link.")
class ResendActivationMailInput:
    email: str


@strawberry.type(description="If something waits for this address, a mail follows: the answer never tells.")
class ActivationMailRequested:
    email: str = strawberry.field(
        description="As it was typed; its domain in lower case, and in its own letters rather than A-labels."
    )
    message: str


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

    @classmethod
    def of(cls, refusal: refusals.CaptchaRejected[Pending], info: Info) -> Self:
        language = language_of(info)
        registration = PendingRegistration.of(refusal.pending, info.context, language)
        return cls(code=refusal.code, message=problem_message(refusal, language), registration=registration)


CreateAccountResult: TypeAlias = Annotated[
    PendingRegistration | InvalidInput | IdempotencyConflict | TooManyRequests,
    strawberry.union("CreateAccountResult"),
]
ResendActivationMailResult: TypeAlias = Annotated[
    ActivationMailRequested | InvalidInput | TooManyRequests, strawberry.union("ResendActivationMailResult")
]
RenewCaptchaResult: TypeAlias = Annotated[
    PendingRegistration | RegistrationNotFound | TooManyRequests, strawberry.union("RenewCaptchaResult")
]
VerifyCaptchaResult: TypeAlias = Annotated[
    ActivationMailSent | CaptchaRejected | RegistrationNotFound | TooManyRequests,
    strawberry.union("VerifyCaptchaResult"),
]


async def create_account(info: Info, input: CreateAccountInput) -> CreateAccountResult:  # noqa: A002  # GraphQL's word.
    context, language = info.context, choose_language(info, input.language)
    pending = await context.services.sign_up.create_account(input.entries(language), context.caller)
    return PendingRegistration.of(pending, context, language)


async def renew_captcha(info: Info, registration_id: strawberry.ID) -> RenewCaptchaResult:
    context = info.context
    pending = await context.services.sign_up.renew_captcha(registration_id, context.caller)
    return PendingRegistration.of(pending, context, context.language)


async def verify_captcha(info: Info, input: VerifyCaptchaInput) -> VerifyCaptchaResult:  # noqa: A002
    context = info.context
    registration = await context.services.sign_up.verify_captcha(input.registration_id, input.answer, context.caller)
    email = decode_domain(registration.email)
    return ActivationMailSent(
        email=email,
        link_lifetime_minutes=int(LINK_LIFETIME.total_seconds() // 60),
        message=translate(context.language, "activation-mail-sent", email=email),
    )


async def resend_activation_mail(
    info: Info,
    input: ResendActivationMailInput,  # noqa: A002
) -> ResendActivationMailResult:
    context = info.context
    address = await context.services.sign_up.resend_activation_mail(input.email, context.caller)
    email = decode_domain(address.address)
    return ActivationMailRequested(
        email=email, message=translate(context.language, "activation-mail-requested", email=email)
    )


MEMBERS: Members = {refusals.CaptchaRejected: CaptchaRejected}
