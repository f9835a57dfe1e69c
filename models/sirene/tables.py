"""RegisterEntry and RegisterEdition: the copy of the national register, and its day."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from tortoise import fields
from tortoise.expressions import Q
from tortoise.models import Model

from models.organisation import OrganisationSource, OrganisationStatus

STALE_AFTER = timedelta(days=60)
REMINDER_EVERY = timedelta(days=1)


class RegisterEntry(Model):
    """One establishment of the national register. An import replaces all of them."""

    siret = fields.CharField(max_length=14, primary_key=True)
    name = fields.CharField(max_length=200, null=True)
    status = fields.CharEnumField(OrganisationStatus, max_length=10)
    postal_code = fields.CharField(max_length=10, null=True)
    city = fields.CharField(max_length=100, null=True)

    class Meta:
        table = "register_entry"


class RegisterEdition(Model):
    """The edition of a register that the entries are of. An import replaces both in one transaction.

    *closed* and *withheld* (partly published, so without a name) are among *entries*. *legal_units* is the number of
    legal units that names and states of the entries were taken from.
    """

    source = fields.CharEnumField(OrganisationSource, max_length=10, primary_key=True)
    edition = fields.DateField()
    imported_at = fields.DatetimeField()
    legal_units = fields.BigIntField()
    entries = fields.BigIntField()
    closed = fields.BigIntField()
    withheld = fields.BigIntField()
    reminded_at = fields.DatetimeField(null=True)

    class Meta:
        table = "register_edition"

    @classmethod
    async def current(cls) -> RegisterEdition | None:
        """Return the edition of the entries; None before the first import."""
        return await cls.get_or_none(source=OrganisationSource.SIRENE)

    def age(self, *, now: datetime) -> timedelta:
        """Return the time since the edition's day began, in UTC."""
        return now - datetime.combine(self.edition, time(), UTC)

    @classmethod
    async def claim_reminder(cls, *, now: datetime) -> RegisterEdition | None:
        """Return the edition if it is stale and nobody was told so in the last day. Of all processes, one is told."""
        register = await cls.current()
        if register is None or register.edition >= (now - STALE_AFTER).date():
            return None
        claimed = cls.filter(
            Q(reminded_at__isnull=True) | Q(reminded_at__lte=now - REMINDER_EVERY),
            source=register.source,
            imported_at=register.imported_at,
        )
        return register if await claimed.update(reminded_at=now) else None
