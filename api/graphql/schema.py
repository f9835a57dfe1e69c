"""The schema: a table of contents."""

from datetime import UTC, datetime

import strawberry
from strawberry.schema.config import StrawberryConfig

from api.graphql import activation, captcha, passwords, problems, registration
from api.graphql import organisations as lookups
from api.graphql.engine.caching import CACHEABLE
from api.graphql.engine.strawberry_internals import CachedNames, core_schema


def _to_the_second(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


DATE_TIME = strawberry.scalar(
    name="DateTime",
    description="An instant in UTC, to the second: 2026-11-23T09:30:00Z.",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=_to_the_second,
    parse_value=datetime.fromisoformat,
)


@strawberry.type(description="Look-ups. They change nothing.")
class Query:
    identifier_types: list[lookups.IdentifierTypeInfo] = strawberry.field(
        resolver=lookups.identifier_types, description="In the order in which to list them."
    )
    organisation: lookups.OrganisationResult = strawberry.field(
        resolver=lookups.organisation,
        description="What is known under an identifier.",
        metadata={CACHEABLE: True},
    )
    organisations: lookups.OrganisationsResult = strawberry.field(
        resolver=lookups.organisations,
        description="Up to 100 at once. Each identifier counts as one look-up.",
        metadata={CACHEABLE: True},
    )
    password_policy: passwords.PasswordPolicy = strawberry.field(
        resolver=passwords.password_policy, description="What a password must be."
    )
    terms: registration.Terms = strawberry.field(resolver=registration.terms, description="What a person agrees to.")


@strawberry.type(
    description=(
        "The sign-up, step by step, and what carries a secret. One root field in each operation. Keep the answers out"
        " of client caches (Apollo: no-cache)."
    )
)
class Mutation:
    create_account: registration.CreateAccountResult = strawberry.mutation(
        resolver=registration.create_account,
        description="Step 1: who you are and which organisation you belong to. Answers with a captcha.",
    )
    renew_captcha: captcha.RenewCaptchaResult = strawberry.mutation(
        resolver=captcha.renew_captcha,
        description="Another challenge for the same registration, at no attempt's cost.",
    )
    verify_captcha: captcha.VerifyCaptchaResult = strawberry.mutation(
        resolver=captcha.verify_captcha, description="Step 2: the captcha. Both e-mails are then sent."
    )
    resend_activation_mail: registration.ResendActivationMailResult = strawberry.mutation(
        resolver=registration.resend_activation_mail,
        description=("A new activation link for what waits for this address. The same answer whatever waits."),
    )
    inspect_activation_link: activation.InspectActivationLinkResult = strawberry.mutation(
        resolver=activation.inspect_activation_link,
        description="What a link is worth, without using it. A mutation, so that the token is sent in no URL.",
    )
    check_password: passwords.CheckPasswordResult = strawberry.mutation(
        resolver=passwords.check_password,
        description=(
            "How strong a password is, and which rules it breaks. A mutation, so that the password is sent in no URL."
        ),
    )
    activate_account: activation.ActivateAccountResult = strawberry.mutation(
        resolver=activation.activate_account,
        description="Step 3: the password. The account exists from here on.",
    )


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    config=StrawberryConfig(name_converter=CachedNames(), scalar_map={datetime: DATE_TIME}),
    exception_handlers=(*problems.PROBLEM_HANDLERS, captcha.CaptchaRejectedHandler()),
)
graphql_schema = core_schema(schema)
