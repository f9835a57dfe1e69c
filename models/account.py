"""Accounts, and their places in organisations."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import TYPE_CHECKING

from tortoise import fields
from tortoise.models import Model

from models.database.statements import fetch_model, insert

if TYPE_CHECKING:
    from datetime import datetime

    from models.organisation import Organisation


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
    async def find(cls, email_canonical: str) -> Account | None:
        """Return the account of this canonical address, or None."""
        return await fetch_model(cls, "SELECT * FROM account WHERE email_canonical = $1", email_canonical)

    async def open(self) -> None:
        """Store this account. Call this in a transaction.

        :raises AddressTakenError: another account has this canonical address, even one of the same moment.
        """
        if not await insert(self):
            raise AddressTakenError


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
        """Give *account* its place: the founder manages the organisation, and everybody later waits for the manager."""
        membership = cls(
            account_id=account.id,
            organisation_id=organisation.id,
            role=MembershipRole.MANAGER if founded else MembershipRole.MEMBER,
            status=MembershipStatus.ACTIVE if founded else MembershipStatus.PENDING,
            created_at=now,
        )
        await insert(membership)
        return membership
