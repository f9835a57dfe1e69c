"""A client of the API, as a front-end team would write one, and the person's mailbox."""

from __future__ import annotations

import json
import re
import uuid
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any, Protocol

import httpx

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import AsyncIterator, Iterable

    from starlette.applications import Starlette

PAGE = "https://portal.example.org/activate"
SIGN_IN = "https://portal.example.org/sign-in"

SIRET = "73282932000074"
OTHER_SIRET = "35600000000048"
# Passwords that tests send, the second one in wrong places. Printing or storing one fails the test: see canary.py.
PASSWORD = "Soleil-Brumeux-42"
SECRET = "Orage9Tranquille"
LINK = re.compile(r"^https?://\S+#token=(\S+)$", re.MULTILINE)

ORGANISATION = """
fragment Known on Organisation {
  id identifier { type value formatted } name status onPortal postalCode city source asOf message
}
"""
PENDING = (
    ORGANISATION
    + """
fragment Pending on PendingRegistration {
  id state attemptsLeft expiresAt expiresInSeconds
  captcha { image imageDescription length alphabet expiresAt expiresInSeconds }
  organisation { identifier { type value formatted } organisation { ...Known } message }
}
fragment Refused on Problem { __typename code message }
"""
)
CREATE_ACCOUNT = (
    PENDING
    + """
mutation ($input: CreateAccountInput!) {
  createAccount(input: $input) {
    __typename ...Pending ...Refused
    ... on InvalidInput { fields { path code message } }
    ... on TooManyRequests { retryAfterSeconds }
  }
}
"""
)
RENEW_CAPTCHA = (
    PENDING
    + """
mutation ($registrationId: ID!) {
  renewCaptcha(registrationId: $registrationId) {
    __typename ...Pending ...Refused ... on TooManyRequests { retryAfterSeconds }
  }
}
"""
)
VERIFY_CAPTCHA = (
    PENDING
    + """
mutation ($input: VerifyCaptchaInput!) {
  verifyCaptcha(input: $input) {
    __typename ...Refused
    ... on ActivationMailSent { email linkLifetimeMinutes message }
    ... on CaptchaRejected { registration { ...Pending } }
    ... on TooManyRequests { retryAfterSeconds }
  }
}
"""
)
RESEND_ACTIVATION_MAIL = """
mutation ($email: String!) {
  resendActivationMail(input: {email: $email}) {
    __typename
    ... on ActivationMailRequested { email message }
    ... on InvalidInput { fields { path code message } }
    ... on Problem { code message }
    ... on TooManyRequests { retryAfterSeconds }
  }
}
"""
INSPECT_ACTIVATION_LINK = (
    ORGANISATION
    + """
mutation ($token: String!) {
  inspectActivationLink(token: $token) {
    __typename
    ... on ActivationLink {
      state email firstName lastName expiresAt expiresInSeconds message
      organisation { identifier { type value formatted } organisation { ...Known } message }
    }
    ... on TooManyRequests { code message retryAfterSeconds }
  }
}
"""
)
CHECK_PASSWORD = """
mutation ($input: CheckPasswordInput!) {
  checkPassword(input: $input) {
    __typename
    ... on PasswordCheck {
      acceptable strength strengthLabel score characterTypes problems { path code message } suggestions
    }
    ... on InvalidInput { fields { path code message } }
    ... on Problem { code message }
    ... on TooManyRequests { retryAfterSeconds }
  }
}
"""
ACTIVATE_ACCOUNT = (
    ORGANISATION
    + """
mutation ($input: ActivateAccountInput!) {
  activateAccount(input: $input) {
    __typename
    ... on AccountActivated {
      message nextUrl
      account {
        id email firstName lastName phone contactEmail language surveyConsent createdAt
        memberships { id role status organisation { ...Known } }
      }
    }
    ... on InvalidInput { fields { path code message } }
    ... on Problem { code message }
    ... on TooManyRequests { retryAfterSeconds }
  }
}
"""
)
LOOK_UP = """
  __typename
  ... on Organisation { ...Known }
  ... on OrganisationNotFound { identifier { type value formatted } }
  ... on InvalidIdentifier { reason type value }
  ... on Problem { code message }
"""
FIND_ORGANISATION = (
    ORGANISATION
    + """
query ($identifier: OrganisationIdentifierInput!, $language: Language) {
  organisation(identifier: $identifier, language: $language) {"""
    + LOOK_UP
    + """  ... on TooManyRequests { retryAfterSeconds }
  }
}
"""
)
FIND_ORGANISATIONS = (
    ORGANISATION
    + """
query ($identifiers: [OrganisationIdentifierInput!]!, $language: Language) {
  organisations(identifiers: $identifiers, language: $language) {
    __typename
    ... on OrganisationList { items {"""
    + LOOK_UP
    + """} }
    ... on InvalidInput { fields { path code message } }
    ... on Problem { code message }
    ... on TooManyRequests { retryAfterSeconds }
  }
}
"""
)

Answer = dict[str, Any]


class _Captcha(Protocol):
    @property
    def answer(self) -> str: ...
    @property
    def wrong_answer(self) -> str: ...


class _Relay(Protocol):
    async def deliver_due(self) -> Counter[str]: ...


class _Letterbox(Protocol):
    messages: list[EmailMessage]


def form(**changes: Any) -> Answer:
    """Return a valid form with *changes*; `siret` and `name` change its organisation."""
    siret, name = changes.pop("siret", SIRET), changes.pop("name", "Exemple SA")
    email = changes.pop("email", "camille.durand@exemple.fr")
    return {
        "email": email,
        "emailConfirmation": email,
        "firstName": "Camille",
        "lastName": "Durand",
        "acceptTerms": True,
        "organisation": {"identifier": {"type": "SIRET", "value": siret}, "name": name},
    } | changes


def text_of(message: EmailMessage) -> str:
    """Return the plain text of a mail."""
    part = message.get_body(("plain",))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content


def with_link(messages: Iterable[EmailMessage]) -> list[EmailMessage]:
    """Return the mails that contain an activation link; the mails of one sign-up arrive in any order."""
    return [message for message in messages if LINK.search(text_of(message))]


def token_in(message: EmailMessage) -> str:
    """Return the token of the first activation link in a mail."""
    match = LINK.search(text_of(message))
    assert match is not None
    return match[1]


class Portal:
    """A client with one method for each operation, and methods that walk the usual ways."""

    def __init__(self, http: httpx.AsyncClient, *, captcha: _Captcha, relay: _Relay, letterbox: _Letterbox) -> None:
        self.http = http
        self.captcha = captcha
        self.relay = relay
        self.letterbox = letterbox

    async def execute(self, query: str, variables: Answer | None = None, *, language: str | None = None) -> Answer:
        """Send one request by POST and return the whole answer."""
        headers = {} if language is None else {"Accept-Language": language}
        response = await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        answer: Answer = response.json()
        return answer

    async def call(self, query: str, variables: Answer, *, language: str | None = None) -> Answer:
        """Return the value of the only root field; fail if there is an error."""
        answer = await self.execute(query, variables, language=language)
        assert "errors" not in answer, answer["errors"]
        (value,) = answer["data"].values()
        assert isinstance(value, dict)
        return value

    async def call_in_ascii(self, query: str, variables: Answer) -> Answer:
        """Do the same as `call`, in ASCII JSON: it can send lone surrogates, which httpx can't encode."""
        body = json.dumps({"query": query, "variables": variables})
        response = await self.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
        answer: Answer = response.json()
        assert "errors" not in answer, answer["errors"]
        (value,) = answer["data"].values()
        assert isinstance(value, dict)
        return value

    async def create_account(self, *, accept: str | None = None, **changes: Any) -> Answer:
        return await self.call(CREATE_ACCOUNT, {"input": form(**changes)}, language=accept)

    async def renew_captcha(self, registration_id: str) -> Answer:
        return await self.call(RENEW_CAPTCHA, {"registrationId": registration_id})

    async def verify_captcha(self, registration_id: str, answer: str) -> Answer:
        return await self.call(VERIFY_CAPTCHA, {"input": {"registrationId": registration_id, "answer": answer}})

    async def resend_activation_mail(self, email: str, *, accept: str | None = None) -> Answer:
        return await self.call(RESEND_ACTIVATION_MAIL, {"email": email}, language=accept)

    async def inspect_activation_link(self, token: str, *, accept: str | None = None) -> Answer:
        return await self.call(INSPECT_ACTIVATION_LINK, {"token": token}, language=accept)

    async def check_password(self, password: str, *, accept: str | None = None, **changes: Any) -> Answer:
        return await self.call(CHECK_PASSWORD, {"input": {"password": password} | changes}, language=accept)

    async def activate_account(
        self, token: str, password: str = PASSWORD, confirmation: str | None = None, *, accept: str | None = None
    ) -> Answer:
        confirmed = password if confirmation is None else confirmation
        entered = {"token": token, "password": password, "passwordConfirmation": confirmed}
        return await self.call(ACTIVATE_ACCOUNT, {"input": entered}, language=accept)

    async def find_organisation(self, value: str, type_: str = "SIRET", language: str | None = None) -> Answer:
        variables = {"identifier": {"type": type_, "value": value}, "language": language}
        return await self.call(FIND_ORGANISATION, variables)

    async def deliver(self) -> list[EmailMessage]:
        """Return the mails that the relay sends now."""
        before = len(self.letterbox.messages)
        await self.relay.deliver_due()
        return self.letterbox.messages[before:]

    async def sign_up(self, **changes: Any) -> str:
        """Sign up until two mails are promised, and return the registration's id."""
        registration = await self.create_account(**changes)
        assert registration["__typename"] == "PendingRegistration", registration
        verified = await self.verify_captcha(registration["id"], self.captcha.answer)
        assert verified["__typename"] == "ActivationMailSent", verified
        registration_id: str = registration["id"]
        return registration_id

    async def activation_token(self, **changes: Any) -> str:
        """Sign up until the activation link is in the mailbox, and return its token."""
        await self.sign_up(**changes)
        (activation,) = with_link(await self.deliver())
        return token_in(activation)

    async def account(self, **changes: Any) -> Answer:
        """Sign up, activate the account and return it."""
        activated = await self.activate_account(await self.activation_token(**changes))
        assert activated["__typename"] == "AccountActivated", activated
        account: Answer = activated["account"]
        return account


def client_at(app: Starlette, address: str = "192.0.2.1") -> httpx.AsyncClient:
    """Return an HTTP client at *address* that calls *app*, which is already started, without sockets."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 50000)), base_url="http://localhost")


@asynccontextmanager
async def client_of(app: Starlette, address: str = "192.0.2.1") -> AsyncIterator[httpx.AsyncClient]:
    """Start *app* and yield a client of it, as `client_at` returns."""
    async with app.router.lifespan_context(app), client_at(app, address) as client:
        yield client


def new_key() -> str:
    """Return a new idempotency key."""
    return str(uuid.uuid4())
