"""Accounts, and their places in organisations."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import TYPE_CHECKING

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.models import Model
from tortoise.transactions import in_transaction

if TYPE_CHECKING:
    from datetime import datetime

    from models.organisation import Organisation
    from models.registration import Registration


class MembershipRole(StrEnum):
    MANAGER = "MANAGER"
    MEMBER = "MEMBER"


class MembershipStatus(StrEnum):
    ACTIVE = "ACTIVE"
    PENDING = "PENDING"
    REFUSED = "REFUSED"


class AddressTakenError(Exception):
    """Another registration's activation has won the address."""


class Account(Model):
    """A person who can sign in, from activation on. There is one for each canonical address."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    email = fields.CharField(max_length=254)
    email_canonical = fields.CharField(max_length=254, unique=True)
    password_hash = fields.CharField(max_length=255)
    first_name = fields.CharField(max_length=100)
    last_name = fields.CharField(max_length=100)
    phone = fields.CharField(max_length=20, null=True)
    contact_email = fields.CharField(max_length=254)
    language = fields.CharField(max_length=2)
    terms_version = fields.CharField(max_length=50)
    terms_accepted_at = fields.DatetimeField()
    survey_consent = fields.BooleanField()
    survey_consent_version = fields.CharField(max_length=50, null=True)
    survey_consent_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "account"

    def __repr__(self) -> str:
        return f"<Account {self.id}>"

    @classmethod
    async def open(cls, registration: Registration, password_hash: str, *, now: datetime) -> Account:
        """The account that *registration* asked for. To be called in a transaction.

        :raises AddressTakenError: there is one with this canonical address already, however late it came.
        """
        consented = registration.survey_consent
        account = cls(
            email=registration.email,
            email_canonical=registration.email_canonical,
            password_hash=password_hash,
            first_name=registration.first_name,
            last_name=registration.last_name,
            phone=registration.phone,
            contact_email=registration.contact_email or registration.email,
            language=registration.language,
            terms_version=registration.terms_version,
            terms_accepted_at=registration.created_at,
            survey_consent=consented,
            survey_consent_version=registration.survey_consent_version if consented else None,
            survey_consent_at=registration.created_at if consented else None,
            created_at=now,
        )
        try:
            async with in_transaction():  # A savepoint: a lost race must not end the caller's transaction.
                await account.save(force_create=True)
        except IntegrityError as exc:
            raise AddressTakenError from exc
        return account


class Membership(Model):
    """An account's place in an organisation."""

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", related_name="memberships", on_delete=fields.CASCADE
    )
    organisation: fields.ForeignKeyRelation[Organisation] = fields.ForeignKeyField(
        "models.Organisation", related_name="memberships", on_delete=fields.RESTRICT, db_index=True
    )
    role = fields.CharEnumField(MembershipRole, max_length=10)
    status = fields.CharEnumField(MembershipStatus, max_length=10)
    created_at = fields.DatetimeField()

    class Meta:
        table = "membership"
        unique_together = (("account", "organisation"),)

    @classmethod
    async def begin(cls, account: Account, organisation: Organisation, *, founded: bool, now: datetime) -> Membership:
        """Who founded the organisation manages it; who joins it waits for its manager."""
        return await cls.create(
            account=account,
            organisation=organisation,
            role=MembershipRole.MANAGER if founded else MembershipRole.MEMBER,
            status=MembershipStatus.ACTIVE if founded else MembershipStatus.PENDING,
            created_at=now,
        )
