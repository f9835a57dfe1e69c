"""createAccount, resendActivationMail, terms."""

from typing import Annotated, TypeAlias

import strawberry

from api.graphql.captcha import PendingRegistration
from api.graphql.context import Info, given
from api.graphql.organisations import OrganisationIdentifierInput
from api.graphql.problems import IdempotencyConflict, InvalidInput, TooManyRequests
from api.messages.languages import Language
from api.messages.words import translate
from api.use_cases.registration_form import TypedForm
from models.domains import decode_domain


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


@strawberry.input(description="Where to send a new activation link.")
class ResendActivationMailInput:
    email: str


@strawberry.type(description="If something waits for this address, a mail follows: the answer never tells.")
class ActivationMailRequested:
    email: str = strawberry.field(
        description="As it was typed; its domain in lower case, and in its own letters rather than A-labels."
    )
    message: str


CreateAccountResult: TypeAlias = Annotated[
    PendingRegistration | InvalidInput | IdempotencyConflict | TooManyRequests,
    strawberry.union("CreateAccountResult"),
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


async def resend_activation_mail(
    info: Info,
    input: ResendActivationMailInput,  # noqa: A002
) -> ResendActivationMailResult:
    context = info.context
    address = await context.services.sign_up.resend_activation_mail(
        input.email, language=context.language, network=context.network, now=context.now
    )
    email = decode_domain(address.address)
    return ActivationMailRequested(
        email=email, message=translate(context.language, "activation-mail-requested", email=email)
    )
