"""Accounts, registrations and promised mails, stored directly in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.mail.relay import Relay
from models.account import Account
from models.identifiers import IdentifierType
from models.outbox import MessageKind, MessageState, OutboxMessage
from models.registration import ACTIVATION_PERIOD, Registration, RegistrationState
from tests.support.client import SIRET

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.doubles import Clock


EMAIL = "camille.durand@exemple.fr"


async def an_account(email: str = EMAIL, *, now: datetime, language: str = "fr") -> Account:
    return await Account.create(
        email=email,
        email_canonical=email,
        password_hash="$argon2id$",
        first_name="Camille",
        last_name="Durand",
        contact_email=email,
        language=language,
        terms_version="1",
        terms_accepted_at=now,
        survey_consent=False,
        created_at=now,
    )


async def a_registration(email: str = EMAIL, *, now: datetime, **changes: Any) -> Registration:
    """Store and return a registration that has passed the captcha."""
    values: dict[str, Any] = {
        "state": RegistrationState.VERIFIED,
        "first_name": "Camille",
        "last_name": "Durand",
        "language": "fr",
        "terms_version": "1",
        "survey_consent": False,
        "survey_consent_version": "1",
        "identifier_type": IdentifierType.SIRET,
        "identifier_value": SIRET,
        "organisation_name": "Exemple SA",
        "input_digest": "",
        "captcha_challenge": "",
        "captcha_digest": "",
        "captcha_expires_at": now,
        "created_at": now,
        "verified_at": now,
        "expires_at": now + ACTIVATION_PERIOD,
    }
    return await Registration.create(email=email, email_canonical=email, **values | changes)


async def enqueue(kind: MessageKind, email: str, *, now: datetime, about: Registration | None = None) -> None:
    id_ = None if about is None else about.id
    await OutboxMessage.enqueue(kind, email, language="fr", now=now, registration_id=id_)


async def promise_mail(*emails: str, now: datetime) -> None:
    """Create an account for each address and enqueue a request for a new link to it."""
    for email in emails:
        await an_account(email, now=now)
        await enqueue(MessageKind.RESEND, email, now=now)


async def drain(relay: Relay, clock: Clock) -> None:
    """Move the clock from one due message to the next, until the outbox is empty."""
    for _ in range(200):
        message = await OutboxMessage.filter(state=MessageState.QUEUED).order_by("available_at").first()
        if message is None:
            return
        clock.now = max(clock.now, message.available_at)
        await relay.deliver_due()
    raise AssertionError("The outbox doesn't get empty.")
