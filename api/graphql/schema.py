"""The schema: a table of contents."""

from datetime import datetime

import strawberry
from strawberry.schema.config import StrawberryConfig

from api.graphql import activation, passwords, problems, registration
from api.graphql import organisations as look_ups
from api.graphql import terms as conditions
from api.graphql.engine.caching import CACHEABLE
from api.graphql.engine.strawberry_internals import CachedNames, get_core_schema
from api.graphql.instants import DATE_TIME


@strawberry.type(description="Look-ups. They change nothing.")
class Query:
    identifier_types: list[look_ups.IdentifierTypeInfo] = strawberry.field(
        resolver=look_ups.identifier_types, description="In the order in which to list them."
    )
    organisation: look_ups.OrganisationResult = strawberry.field(
        resolver=look_ups.organisation,
        description="What is known under an identifier.",
        metadata={CACHEABLE: True},
    )
    organisations: look_ups.OrganisationsResult = strawberry.field(
        resolver=look_ups.organisations,
        description="Up to 100 at once. Each identifier counts as one look-up.",
        metadata={CACHEABLE: True},
    )
    password_policy: passwords.PasswordPolicy = strawberry.field(
        resolver=passwords.password_policy, description="What a password must be."
    )
    terms: conditions.Terms = strawberry.field(resolver=conditions.terms, description="What a person agrees to.")


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
    renew_captcha: registration.RenewCaptchaResult = strawberry.mutation(
        resolver=registration.renew_captcha,
        description="Another challenge for the same registration, at no attempt's cost.",
    )
    verify_captcha: registration.VerifyCaptchaResult = strawberry.mutation(
        resolver=registration.verify_captcha, description="Step 2: the captcha. Both e-mails are then sent."
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
    exception_handlers=problems.refusal_handlers(problems.MEMBERS, registration.MEMBERS),
)
graphql_schema = get_core_schema(schema)
