"""Attempts to sign up: from the form, over the captcha, to the account."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.expressions import F
from tortoise.functions import Count
from tortoise.models import Model
from tortoise.transactions import in_transaction

from models.account import Account
from models.identifiers import Identifier, IdentifierType
from models.personal_data import EmailAddress, Person
from models.visible_text import visible

if TYPE_CHECKING:
    from datetime import datetime

    from tortoise.queryset import QuerySet

CAPTCHA_ATTEMPTS = 5
CAPTCHA_PERIOD = timedelta(minutes=30)
ACTIVATION_PERIOD = timedelta(days=7)


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
        return await cls.get_or_none(id=key, expires_at__gt=now)

    @classmethod
    async def find_by_idempotency(cls, digest: str, *, now: datetime) -> Registration | None:
        """Return the living registration that was started under this key, or None. A key ends with its registration."""
        await cls.filter(idempotency_digest=digest, expires_at__lte=now).update(idempotency_digest=None)
        return await cls.get_or_none(idempotency_digest=digest)

    async def start(self, challenge: StoredChallenge) -> bool:
        """Store this attempt. Return False if another attempt has its idempotency key, even one of the same moment."""
        self.update_from_dict(challenge.columns())
        try:
            async with in_transaction():
                await self.save(force_create=True)
        except IntegrityError:
            return False
        return True

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
        return (
            await self._while_challenged(now).update(
                state=RegistrationState.VERIFIED, verified_at=now, expires_at=now + ACTIVATION_PERIOD
            )
            == 1
        )

    async def fail_captcha(self, following: StoredChallenge, *, now: datetime) -> bool:
        """Consume the challenge that this object was read with, as answered wrongly: one attempt less.

        The *following* challenge takes its place. Return False, and change nothing, if it was consumed or replaced or
        has expired since.
        """
        return (
            await self._while_challenged(now).update(captcha_failures=F("captcha_failures") + 1, **following.columns())
            == 1
        )

    def _while_challenged(self, now: datetime) -> QuerySet[Registration]:
        """Select this registration if the challenge that it was read with can still be answered."""
        return Registration.filter(
            id=self.id,
            state=RegistrationState.AWAITING_CAPTCHA,
            captcha_challenge=self.captcha_challenge,
            captcha_failures__lt=CAPTCHA_ATTEMPTS,
            captcha_expires_at__gt=now,
            expires_at__gt=now,
        )

    async def decide_mail(self) -> MailOutcome:
        """Return the mails that the address gets for this attempt. The first of its messages to leave decides."""
        if self.mail_outcome is None:
            taken = await Account.exists(email_canonical=self.email_canonical)
            outcome = MailOutcome.ACCOUNT_EXISTS if taken else MailOutcome.SIGN_UP
            await Registration.filter(id=self.id, mail_outcome=None).update(mail_outcome=outcome)
            await self.refresh_from_db(fields=["mail_outcome"])
        assert self.mail_outcome is not None  # noqa: S101  # Decided above, and never undone.
        return self.mail_outcome

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
        updated = await Registration.filter(id=self.id, state=RegistrationState.VERIFIED).update(
            state=RegistrationState.ACTIVATED, activated_at=now
        )
        return updated == 1

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
