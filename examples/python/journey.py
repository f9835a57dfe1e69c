"""A whole sign-up, from the form to the active account. Its only argument is the URL of the service."""

from __future__ import annotations

import asyncio
import sys
import uuid
from typing import assert_never

from development import activation_token
from guichet_client import (
    ActivateAccountInput,
    CheckPasswordInput,
    Client,
    CreateAccountInput,
    IdentifierType,
    Language,
    OrganisationIdentifierInput,
    OrganisationInput,
    VerifyCaptchaInput,
)
from guichet_client.service import ServiceError
from pydantic import ValidationError
from refusals import Refused, words_of_unforeseen

EMAIL = f"camille.{uuid.uuid4()}@exemple.fr"
IDENTIFIER = OrganisationIdentifierInput(type_=IdentifierType.SIRET, value="732 829 320 00074")
CAPTCHA = "ABC123"  # A person reads it in the picture; the service was started with this answer.
PASSWORD = "Soleil-Brumeux-42"  # noqa: S105  # A person chooses it.

# Every `match` ends with a default branch: there, the type checker makes sure that today's members are handled. The
# models refuse later members with a ValidationError, which `main` catches.


async def list_identifier_types(client: Client) -> None:
    hints = [f"{kind.label}: {kind.format_hint}" for kind in await client.identifier_types()]
    print("An organisation is known by one of these:", *hints, sep="\n  ")


async def find_organisation(client: Client) -> None:
    organisation = await client.find_organisation(IDENTIFIER)
    match organisation.typename__:
        # An unknown organisation is no obstacle: the person who gives its name founds it on the portal.
        case "Organisation" | "OrganisationNotFound":
            print(f"{IDENTIFIER.value}: {organisation.message}")
        case "InvalidIdentifier" | "TooManyRequests":
            raise Refused(organisation)
        case _:
            assert_never(organisation)


async def read_terms(client: Client) -> str:
    terms = await client.terms()
    print(f"The terms, version {terms.version}: {terms.url}")
    return terms.version


async def create_account(client: Client, terms_version: str) -> str:
    form = CreateAccountInput(
        email=EMAIL,
        email_confirmation=EMAIL,
        first_name="Camille",
        last_name="Durand",
        accept_terms=True,
        terms_version=terms_version,
        organisation=OrganisationInput(identifier=IDENTIFIER, name="Exemple SA"),
        language=Language.EN,
        # Make one key for each form. After a lost connection, send the same form again with the same key.
        idempotency_key=str(uuid.uuid4()),
    )
    answer = await client.create_account(form)
    match answer.typename__:
        case "PendingRegistration":
            print(f"The form is accepted; attempts at the captcha: {answer.attempts_left}")
            return answer.id
        case "InvalidInput" | "IdempotencyConflict" | "TooManyRequests":
            raise Refused(answer)
        case _:
            assert_never(answer)


async def verify_captcha(client: Client, registration_id: str) -> None:
    answer = await client.verify_captcha(VerifyCaptchaInput(registration_id=registration_id, answer=CAPTCHA))
    match answer.typename__:
        case "ActivationMailSent":
            print(answer.message)
        # For CaptchaRejected, a form shows the fresh picture, answer.registration.captcha, and asks again.
        case "CaptchaRejected" | "RegistrationNotFound" | "TooManyRequests":
            raise Refused(answer)
        case _:
            assert_never(answer)


async def inspect_activation_link(client: Client, token: str) -> None:
    link = await client.inspect_activation_link(token)
    match link.typename__:
        case "ActivationLink":  # If the link is not USABLE, the message says what to do.
            print(f"The link is {link.state.value}: {link.message}")
        case "TooManyRequests":
            raise Refused(link)
        case _:
            assert_never(link)


async def check_password(client: Client, token: str) -> None:
    answer = await client.check_password(CheckPasswordInput(password=PASSWORD, activation_token=token))
    match answer.typename__:
        case "PasswordCheck":  # This is advice for the person; activateAccount decides.
            print("The password:", answer.strength_label, *answer.suggestions)
        case "InvalidInput" | "TooManyRequests":
            raise Refused(answer)
        case _:
            assert_never(answer)


async def activate_account(client: Client, token: str) -> None:
    chosen = ActivateAccountInput(token=token, password=PASSWORD, password_confirmation=PASSWORD)
    answer = await client.activate_account(chosen)
    match answer.typename__:
        case "AccountActivated":
            print(f"{answer.account.email}: {answer.message}")
        case "InvalidInput" | "ActivationLinkRefused" | "TooManyRequests":
            raise Refused(answer)
        case _:
            assert_never(answer)


async def sign_up(url: str) -> None:
    async with Client(url, "en") as client:
        await list_identifier_types(client)
        await find_organisation(client)
        registration_id = await create_account(client, await read_terms(client))
        await verify_captcha(client, registration_id)
        token = await activation_token(client, EMAIL)
        await inspect_activation_link(client, token)
        await check_password(client, token)
        await activate_account(client, token)


def main(url: str = "http://127.0.0.1:8000") -> None:
    try:
        asyncio.run(sign_up(url))
    except (Refused, ServiceError) as error:
        sys.exit(str(error))
    except ValidationError as error:
        sys.exit(words_of_unforeseen(error))


if __name__ == "__main__":
    main(*sys.argv[1:2])
