"""One mail of each kind, composed without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from typing import TYPE_CHECKING, Any

from api.mail.composer import Composer, Link
from api.messages.languages import Language
from api.settings.sender import parse_sender
from models.account import Account
from models.identifiers import IdentifierType
from models.registration import ACTIVATION_PERIOD, Registration, RegistrationState

if TYPE_CHECKING:
    from collections.abc import Callable


NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
MESSAGE_ID = "5c1f7f0e-4a55-4f0e-8a52-0d7a1f3b6c9d"
SENDER = "Le Portail été <ne-pas-repondre@portail.example>"
RECIPIENT = "camille@example.com"
SIGN_IN_URL = "https://portail.example/connexion?retour=accueil&langue=fr"
ACTIVATION_URL = "https://portail.example/activer?etape=3&langue=fr#token=" + "Zm9v_LW1" * 5 + "abc"
OTHER_URL = "https://portail.example/activer?etape=3&langue=fr#token=" + "YmFy-X2J" * 5 + "def"
SECRETS = {
    "input_digest": "1" * 64,
    "idempotency_digest": "2" * 64,
    "captcha_challenge": "3" * 32,
    "captcha_digest": "4" * 64,
}
PASSWORD_HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"
VAT_NUMBER = "DE 136695976"
HOSTILE = "</td><script>alert(\"x\")</script><img src='x'> & Fils"


def registration(**changes: Any) -> Registration:
    """Return a verified registration with all fields, but for *changes*."""
    values: dict[str, Any] = {
        "state": RegistrationState.VERIFIED,
        "email": "Camille.Martin@example.com",
        "email_canonical": "camille.martin@example.com",
        "first_name": "Camille",
        "last_name": "Martin-Lefèvre",
        "phone": "+33612345678",
        "contact_email": "compta@example.org",
        "language": "fr",
        "terms_version": "2026-01",
        "survey_consent": True,
        "survey_consent_version": "2025-07",
        "identifier_type": IdentifierType.SIRET,
        "identifier_value": "73282932000074",
        "organisation_name": "Ateliers de l'Erdre",
        "captcha_expires_at": NOW,
        "created_at": NOW - timedelta(days=1),
        "expires_at": NOW + ACTIVATION_PERIOD,
        **SECRETS,
    }
    return Registration(**values | changes)


def second_registration() -> Registration:
    """Return another attempt of the same address, for an organisation without a declared name."""
    return registration(
        first_name="Dominique",
        identifier_type=IdentifierType.UE_HORS_FRANCE,
        identifier_value="DE136695976",
        organisation_name=None,
    )


def account() -> Account:
    """Return the account of *RECIPIENT*."""
    return Account(
        email=RECIPIENT,
        email_canonical=RECIPIENT,
        password_hash=PASSWORD_HASH,
        first_name="Andrée",
        last_name="Propriétaire",
        contact_email="andree@example.net",
        language="fr",
        terms_version="2024-01",
        terms_accepted_at=NOW,
        survey_consent=False,
        created_at=NOW,
    )


def summary(language: Language, *registrations: Registration) -> EmailMessage:
    mail = composer().summary(
        registrations or [registration()], to=RECIPIENT, language=language, message_id=MESSAGE_ID, now=NOW
    )
    return received(mail)


def activation(language: Language, *links: Link) -> EmailMessage:
    mail = composer().activation(
        links or [Link(registration(), ACTIVATION_URL)],
        to=RECIPIENT,
        language=language,
        message_id=MESSAGE_ID,
        now=NOW,
    )
    return received(mail)


def account_exists(language: Language, *, sign_in_url: str | None = SIGN_IN_URL) -> EmailMessage:
    mail = composer(sign_in_url=sign_in_url).account_exists(
        account(), to=RECIPIENT, language=language, message_id=MESSAGE_ID, now=NOW
    )
    return received(mail)


def several_links(language: Language) -> EmailMessage:
    return activation(language, Link(registration(), ACTIVATION_URL), Link(second_registration(), OTHER_URL))


@cache
def composer(*, sender: str = SENDER, sign_in_url: str | None = SIGN_IN_URL) -> Composer:
    return Composer(sender=parse_sender(sender), sign_in_url=sign_in_url)


MAILS: dict[str, Callable[[Language], EmailMessage]] = {
    "summary": summary,
    "summary of several": lambda language: summary(language, registration(), second_registration()),
    "activation": activation,
    "activation of several": several_links,
    "account_exists": account_exists,
    "account_exists without a link": lambda language: account_exists(language, sign_in_url=None),
}


def wire(mail: EmailMessage) -> bytes:
    return mail.as_bytes(policy=policy.SMTP)


def received(mail: EmailMessage) -> EmailMessage:
    """Return *mail* parsed from its bytes, as a mail program reads it."""
    parsed = message_from_bytes(wire(mail), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def text_of(mail: EmailMessage) -> str:
    return content_of(mail, "plain")


def content_of(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content
