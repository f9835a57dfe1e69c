"""Attempts to sign up: from the form, over the captcha, to the account."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tortoise import fields
from tortoise.functions import Count
from tortoise.models import Model

from models.account import Account
from models.database.statements import build, fetch, fetch_model, insert
from models.identifiers import Identifier, IdentifierType
from models.personal_data import EmailAddress, Person
from models.visible_text import visible

if TYPE_CHECKING:
    from datetime import datetime

CAPTCHA_ATTEMPTS = 5
CAPTCHA_PERIOD = timedelta(minutes=30)
ACTIVATION_PERIOD = timedelta(days=7)


FIND = "SELECT * FROM registration WHERE id = $1 AND expires_at > $2"
FIND_BY_KEY = "SELECT * FROM registration WHERE idempotency_digest = $1"
FREE_KEY = "UPDATE registration SET idempotency_digest = NULL WHERE idempotency_digest = $1 AND expires_at <= $2"
CHALLENGED = f"""
id = $1 AND state = 'AWAITING_CAPTCHA' AND captcha_challenge = $2 AND captcha_failures < {CAPTCHA_ATTEMPTS}
AND captcha_expires_at > $3 AND expires_at > $3
"""
PASS_CAPTCHA = f"""
UPDATE registration SET state = 'VERIFIED', verified_at = $3, expires_at = $4 WHERE {CHALLENGED} RETURNING id
"""  # noqa: S608
FAIL_CAPTCHA = f"""
UPDATE registration
SET captcha_failures = captcha_failures + 1, captcha_challenge = $4, captcha_digest = $5, captcha_expires_at = $6
WHERE {CHALLENGED} RETURNING id
"""  # noqa: S608
DECIDE_MAIL = """
UPDATE registration SET mail_outcome = COALESCE(
    mail_outcome,
    CASE WHEN EXISTS (SELECT 1 FROM account WHERE account.email_canonical = registration.email_canonical)
    THEN 'ACCOUNT_EXISTS' ELSE 'SIGN_UP' END
)
WHERE id = $1 AND expires_at > $2
RETURNING *, (SELECT email FROM account WHERE account.email_canonical = registration.email_canonical) AS account_email,
    (SELECT language FROM account WHERE account.email_canonical = registration.email_canonical) AS account_language
"""
ACTIVATE = """
UPDATE registration SET state = 'ACTIVATED', activated_at = $2 WHERE id = $1 AND state = 'VERIFIED' RETURNING id
"""


class RegistrationState(StrEnum):
    AWAITING_CAPTCHA = "AWAITING_CAPTCHA"
    VERIFIED = "VERIFIED"
    ACTIVATED = "ACTIVATED"


class MailOutcome(StrEnum):
    """The mails that follow the captcha: the two of a sign-up, or one to the account's owner."""

    SIGN_UP = "SIGN_UP"
    ACCOUNT_EXISTS = "ACCOUNT_EXISTS"


@dataclass(frozen=True, slots=True)
class StoredChallenge:
    """A captcha challenge as stored: a keyed digest stands for its answer."""

    id: str
    digest: str
    expires_at: datetime

    def columns(self) -> dict[str, Any]:
        return {
            "captcha_challenge": self.id,
            "captcha_digest": self.digest,
            "captcha_expires_at": self.expires_at,
        }


class Registration(Model):
    """One attempt to sign up, with its own data, captcha, links and end of life.

    Several for one address live side by side; the first that is activated wins the address.
    """

    account: Account | None = None
    """The account of the address when `decide_mail` read this."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    state = fields.CharEnumField(RegistrationState, max_length=20, default=RegistrationState.AWAITING_CAPTCHA)

    email = fields.CharField(max_length=254)
    email_canonical = fields.CharField(max_length=254, db_index=True)
    first_name = fields.CharField(max_length=100)
    last_name = fields.CharField(max_length=100)
    phone = fields.CharField(max_length=20, null=True)
    contact_email = fields.CharField(max_length=254, null=True)
    language = fields.CharField(max_length=2)
    terms_version = fields.CharField(max_length=50)
    survey_consent = fields.BooleanField()
    survey_consent_version = fields.CharField(max_length=50)
    identifier_type = fields.CharEnumField(IdentifierType, max_length=20)
    identifier_value = fields.CharField(max_length=20)
    organisation_name = fields.CharField(max_length=200, null=True)

    idempotency_digest = fields.CharField(max_length=64, null=True, unique=True)
    input_digest = fields.CharField(max_length=64)

    captcha_challenge = fields.CharField(max_length=32)
    captcha_digest = fields.CharField(max_length=64)
    captcha_expires_at = fields.DatetimeField()
    captcha_failures = fields.IntField(default=0)

    mail_outcome = fields.CharEnumField(MailOutcome, max_length=20, null=True)

    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(db_index=True)
    verified_at = fields.DatetimeField(null=True)
    activated_at = fields.DatetimeField(null=True)

    class Meta:
        table = "registration"

    def __repr__(self) -> str:
        return f"<Registration {self.id}>"

    @property
    def identifier(self) -> Identifier:
        return Identifier(self.identifier_type, self.identifier_value)

    @property
    def person(self) -> Person:
        return Person(
            email=EmailAddress(self.email, self.email_canonical),
            first_name=self.first_name,
            last_name=self.last_name,
            phone=self.phone,
            contact_email=self.contact_email,
        )

    @property
    def captcha_deadline(self) -> datetime:
        """The time until which the captcha can be passed."""
        return self.created_at + CAPTCHA_PERIOD

    @property
    def attempts_left(self) -> int:
        return CAPTCHA_ATTEMPTS - self.captcha_failures

    @property
    def awaits_captcha(self) -> bool:
        """True while an answer to a fresh challenge would still be judged."""
        return self.state is RegistrationState.AWAITING_CAPTCHA and self.attempts_left > 0

    @classmethod
    async def find(cls, id_: str, *, now: datetime) -> Registration | None:
        """Return the registration with this id, or None if there is none that lives. *id_* may be any text."""
        try:
            key = uuid.UUID(visible(id_))
        except ValueError:
            return None
        return await fetch_model(cls, FIND, key, now)

    @classmethod
    async def find_by_idempotency(cls, digest: str, *, now: datetime) -> Registration | None:
        """Return the living registration that was started under this key, or None. A key ends with its registration."""
        await fetch(FREE_KEY, digest, now)
        return await fetch_model(cls, FIND_BY_KEY, digest)

    async def start(self, challenge: StoredChallenge) -> bool:
        """Store this attempt. Return False if another attempt has its idempotency key, even one of the same moment."""
        self.update_from_dict(challenge.columns())
        return await insert(self) == 1

    async def replace_challenge(self, challenge: StoredChallenge, *, now: datetime) -> bool:
        """Replace the current challenge by *challenge*. Return False if no captcha is awaited any more."""
        awaiting = Registration.filter(
            id=self.id,
            state=RegistrationState.AWAITING_CAPTCHA,
            captcha_failures__lt=CAPTCHA_ATTEMPTS,
            expires_at__gt=now,
        )
        return await awaiting.update(**challenge.columns()) == 1

    async def pass_captcha(self, *, now: datetime) -> bool:
        """Consume the challenge that this object was read with, as answered rightly.

        Return False, and change nothing, if it was consumed or replaced or has expired since.
        """
        passed = await fetch(PASS_CAPTCHA, self.id, self.captcha_challenge, now, now + ACTIVATION_PERIOD)
        return len(passed) == 1

    async def fail_captcha(self, following: StoredChallenge, *, now: datetime) -> bool:
        """Consume the challenge that this object was read with, as answered wrongly: one attempt less.

        The *following* challenge takes its place. Return False, and change nothing, if it was consumed or replaced or
        has expired since.
        """
        challenge = (following.id, following.digest, following.expires_at)
        return len(await fetch(FAIL_CAPTCHA, self.id, self.captcha_challenge, now, *challenge)) == 1

    @classmethod
    async def decide_mail(cls, id_: uuid.UUID | None, *, now: datetime) -> Registration | None:
        """Return the living registration with this id, with its mails decided by its first message to leave, or None.

        The work is the same whether or not the address has an account; *account* has what a mail needs of one.
        """
        for row in await fetch(DECIDE_MAIL, id_, now):
            found, email = build(cls, row), row["account_email"]
            found.account = None if email is None else Account(email=email, language=row["account_language"])
            return found
        return None

    @classmethod
    async def waiting_for_activation(cls, email_canonical: str, *, now: datetime, limit: int) -> list[Registration]:
        """Return the attempts of this address that a link could still activate, newest first.

        If there are more than *limit*, return those that have had the fewest links: next time, it is the others' turn.
        """
        waiting = cls.filter(email_canonical=email_canonical, state=RegistrationState.VERIFIED, expires_at__gt=now)
        chosen = await waiting.annotate(links=Count("tokens")).order_by("links", "-verified_at").limit(limit)
        return sorted(chosen, key=lambda attempt: attempt.verified_at or now, reverse=True)

    async def activate(self, *, now: datetime) -> bool:
        """Mark this attempt activated. Return False if it is already. Call this in a transaction."""
        return len(await fetch(ACTIVATE, self.id, now)) == 1

    def build_account(self, password_hash: str, *, now: datetime) -> Account:
        """Build the account that this attempt asks for. Store nothing."""
        consented = self.survey_consent
        return Account(
            **self.person.columns | {"contact_email": self.contact_email or self.email},
            password_hash=password_hash,
            language=self.language,
            terms_version=self.terms_version,
            terms_accepted_at=self.created_at,
            survey_consent=consented,
            survey_consent_version=self.survey_consent_version if consented else None,
            survey_consent_at=self.created_at if consented else None,
            created_at=now,
        )
