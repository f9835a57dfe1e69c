"""inspectActivationLink, activateAccount."""

from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry

from api.graphql.context import Context, Info, without_values
from api.graphql.instants import seconds_until
from api.graphql.organisations import DeclaredOrganisation, Organisation
from api.graphql.problems import (
    ActivationLinkRefused,
    InvalidInput,
    TooManyRequests,
    link_message,
)
from api.messages.languages import Language
from api.messages.words import translate
from api.use_cases.activation import LINK_CODES, Activated, InspectedLink
from models.account import MembershipRole, MembershipStatus
from models.activation import LinkState
from models.domains import decode_domain

strawberry.enum(
    LinkState,
    name="ActivationLinkState",
    description="SUPERSEDED: the address got its account by another attempt.",
)
strawberry.enum(MembershipRole, description="What an account may do in an organisation.")
strawberry.enum(MembershipStatus, description="Whether the organisation's manager has agreed.")


@strawberry.type(
    description=(
        "What a link is worth, shown to the person before the password: whose data and which organisation it would"
        " activate, so that a link from somebody else's attempt is recognised. SUPERSEDED: the address got its account"
        " by another attempt."
    )
)
class ActivationLink:
    state: LinkState
    email: str | None = strawberry.field(default=None, description="For every state but UNKNOWN.")
    first_name: str | None = strawberry.field(default=None, description="While USABLE.")
    last_name: str | None = None
    organisation: DeclaredOrganisation | None = None
    expires_at: datetime | None = None
    expires_in_seconds: int | None = None
    message: str

    @classmethod
    def of(cls, link: InspectedLink, context: Context) -> "ActivationLink":
        if link.token is None or link.registration is None or link.state is not LinkState.USABLE:
            return cls(
                state=link.state,
                email=None if link.registration is None else decode_domain(link.registration.email),
                message=link_message(LINK_CODES[link.state], context.language, context.services.sign_in_url),
            )
        registration, language = link.registration, context.language
        names = {"firstName": registration.first_name, "lastName": registration.last_name}
        return cls(
            state=link.state,
            email=decode_domain(registration.email),
            first_name=registration.first_name,
            last_name=registration.last_name,
            organisation=DeclaredOrganisation.of(registration.identifier, link.organisation, language),
            expires_at=link.token.expires_at,
            expires_in_seconds=seconds_until(link.token.expires_at, context.caller.now),
            message=translate(language, "link-USABLE", **names),
        )


@strawberry.input(description="The password that activates an account.")
class ActivateAccountInput:
    token: str
    password: str
    password_confirmation: str

    __repr__ = without_values


@strawberry.type(
    description=(
        "An account's place in an organisation. Who brings an organisation to the portal manages it; who joins one"
        " waits for its manager."
    )
)
class Membership:
    id: strawberry.ID
    organisation: Organisation
    role: MembershipRole
    status: MembershipStatus

    @classmethod
    def of(cls, activated: Activated, language: Language) -> "Membership":
        membership = activated.membership
        message_id = f"membership-{membership.role}-{membership.status}"
        return cls(
            id=strawberry.ID(str(membership.id)),
            organisation=Organisation(activated.organisation, language, message_id),
            role=membership.role,
            status=membership.status,
        )


@strawberry.type(description="A person who can sign in.")
class Account:
    id: strawberry.ID
    email: str = strawberry.field(
        description="As it was typed; its domain in lower case, and in its own letters rather than A-labels."
    )
    first_name: str
    last_name: str
    phone: str | None = strawberry.field(description="E.164.")
    contact_email: str = strawberry.field(
        description="As it was typed; its domain in lower case, and in its own letters rather than A-labels."
    )
    language: Language
    survey_consent: bool
    created_at: datetime
    memberships: list[Membership]

    @classmethod
    def of(cls, activated: Activated, language: Language) -> "Account":
        account = activated.account
        return cls(
            id=strawberry.ID(str(account.id)),
            email=decode_domain(account.email),
            first_name=account.first_name,
            last_name=account.last_name,
            phone=account.phone,
            contact_email=decode_domain(account.contact_email),
            language=Language(account.language),
            survey_consent=account.survey_consent,
            created_at=account.created_at,
            memberships=[Membership.of(activated, language)],
        )


@strawberry.type(description="The account is active.")
class AccountActivated:
    account: Account
    message: str
    next_url: str | None = strawberry.field(description="Where to sign in, as the portal has it set.")


InspectActivationLinkResult: TypeAlias = Annotated[
    ActivationLink | TooManyRequests, strawberry.union("InspectActivationLinkResult")
]
ActivateAccountResult: TypeAlias = Annotated[
    AccountActivated | InvalidInput | ActivationLinkRefused | TooManyRequests,
    strawberry.union("ActivateAccountResult"),
]


async def inspect_activation_link(info: Info, token: str) -> InspectActivationLinkResult:
    context = info.context
    link = await context.services.activation.inspect_link(token, context.caller)
    return ActivationLink.of(link, context)


async def activate_account(info: Info, input: ActivateAccountInput) -> ActivateAccountResult:  # noqa: A002
    context = info.context
    activated = await context.services.activation.activate_account(
        input.token,
        input.password,
        input.password_confirmation,
        context.caller,
    )
    return AccountActivated(
        account=Account.of(activated, context.language),
        message=translate(context.language, "account-activated"),
        next_url=context.services.sign_in_url,
    )
