"""Organisations: those on the portal, and what portal and national register together know of one."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.models import Model
from tortoise.transactions import in_transaction

from models.database.connections import connection
from models.identifiers import IDENTIFIER_FORMATS, Identifier, IdentifierType

if TYPE_CHECKING:
    from collections.abc import Sequence

ID_NAMESPACE = uuid.UUID("6f9d8c1e-2f0b-5c39-9d53-3d1d2b6f4a10")


class OrganisationStatus(StrEnum):
    """UNKNOWN: declared by somebody who signed up, confirmed by no register."""

    ACTIVE = "ACTIVE"
    CLOSED = "CLOSED"
    UNKNOWN = "UNKNOWN"


class OrganisationSource(StrEnum):
    """The source of a fact about an organisation."""

    SIRENE = "SIRENE"
    DECLARED = "DECLARED"


class Organisation(Model):
    """An organisation on the portal.

    One that can be looked up is there once; AUTRE and PARTICULIER identify nothing in public, so that several
    organisations may share such a value. A partial unique index, made by the first migration, holds that.
    """

    id = fields.UUIDField(primary_key=True)
    identifier_type = fields.CharEnumField(IdentifierType, max_length=20)
    identifier_value = fields.CharField(max_length=20)
    name = fields.CharField(max_length=200, null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "organisation"

    @property
    def identifier(self) -> Identifier:
        return Identifier(self.identifier_type, self.identifier_value)

    def as_declared(self) -> KnownOrganisation:
        """Return this organisation as anybody may see it if no register confirms it."""
        return KnownOrganisation.declared(self.id, self.identifier, self.created_at)

    @classmethod
    async def found_or_join(
        cls, identifier: Identifier, name: str | None, *, now: datetime
    ) -> tuple[Organisation, bool]:
        """Return the organisation of *identifier*, and whether this call founded it.

        Call this in a transaction. Of two calls at once, one founds; the other waits for its commit and joins.
        """
        candidate = cls(
            id=organisation_id(identifier),
            identifier_type=identifier.type,
            identifier_value=identifier.value,
            name=name,
            created_at=now,
        )
        if not IDENTIFIER_FORMATS[identifier.type].has_lookup:
            await candidate.save(force_create=True)
            return candidate, True
        try:
            async with in_transaction():  # A savepoint: a lost race must not end the caller's transaction.
                await candidate.save(force_create=True)
        except IntegrityError:
            return await cls.get(id=candidate.id), False
        return candidate, True


@dataclass(frozen=True, slots=True)
class KnownOrganisation:
    """The facts that register and portal together have about one identifier, as anybody may see them.

    *name* comes from the register: a declared name is shown to members only.
    """

    id: uuid.UUID
    identifier: Identifier
    name: str | None
    status: OrganisationStatus
    on_portal: bool
    postal_code: str | None
    city: str | None
    source: OrganisationSource
    as_of: datetime

    @classmethod
    def declared(cls, id_: uuid.UUID, identifier: Identifier, joined_at: datetime) -> KnownOrganisation:
        """Return the facts about an organisation that is on the portal and in no register."""
        return cls(
            id=id_,
            identifier=identifier,
            name=None,
            status=OrganisationStatus.UNKNOWN,
            on_portal=True,
            postal_code=None,
            city=None,
            source=OrganisationSource.DECLARED,
            as_of=joined_at,
        )


def organisation_id(identifier: Identifier) -> uuid.UUID:
    """Return the id of an organisation: if it can be looked up, the same before and after it joins the portal."""
    if not IDENTIFIER_FORMATS[identifier.type].has_lookup:
        return uuid.uuid4()
    return uuid.uuid5(ID_NAMESPACE, f"{identifier.type}:{identifier.value}")


async def find_organisations(identifiers: Sequence[Identifier]) -> list[KnownOrganisation | None]:
    """Return the organisation of each of *identifiers*, in their order, by one query. None: not known."""
    wanted = {identifier for identifier in identifiers if IDENTIFIER_FORMATS[identifier.type].has_lookup}
    found = await _look_up(wanted) if wanted else {}
    return [found.get(identifier) for identifier in identifiers]


async def find_organisation(identifier: Identifier) -> KnownOrganisation | None:
    """Return the organisation of *identifier*, or None if it is not known."""
    return (await find_organisations([identifier]))[0]


# Written out: building this query would take Tortoise longer than PostgreSQL needs to answer it.
LOOK_UP = """
SELECT identifier_type, identifier_value, created_at AS joined_at,
       NULL AS name, NULL AS status, NULL AS postal_code, NULL AS city, NULL AS edition
FROM organisation WHERE id {among}
UNION ALL
SELECT 'SIRET', siret, NULL, name, status, postal_code, city,
       (SELECT edition FROM register_edition WHERE source = 'SIRENE')
FROM register_entry WHERE siret {among}
"""
LOOK_UP_ON_SQLITE = LOOK_UP.replace("{among}", "IN (SELECT value FROM json_each(?))")
LOOK_UP_ON_POSTGRES = LOOK_UP.replace("{among}", "= ANY($1)", 1).replace("{among}", "= ANY($2)")


async def _look_up(wanted: set[Identifier]) -> dict[Identifier, KnownOrganisation]:
    ids = {identifier: organisation_id(identifier) for identifier in wanted}
    on_portal: dict[Identifier, dict[str, Any]] = {}
    in_register: dict[Identifier, dict[str, Any]] = {}
    for row in await _rows(list(ids.values()), [i.value for i in wanted if i.type is IdentifierType.SIRET]):
        identifier = Identifier(IdentifierType(row["identifier_type"]), row["identifier_value"])
        (on_portal if row["status"] is None else in_register)[identifier] = row
    known = {
        identifier: KnownOrganisation.declared(ids[identifier], identifier, _instant(row["joined_at"]))
        for identifier, row in on_portal.items()
    }
    for identifier, row in in_register.items():  # What the register says goes first.
        known[identifier] = KnownOrganisation(
            id=ids[identifier],
            identifier=identifier,
            name=row["name"],
            status=OrganisationStatus(row["status"]),
            on_portal=identifier in on_portal,
            postal_code=row["postal_code"],
            city=row["city"],
            source=OrganisationSource.SIRENE,
            as_of=_beginning(row["edition"]),
        )
    return known


async def _rows(ids: list[uuid.UUID], sirets: list[str]) -> list[dict[str, Any]]:
    client = connection()
    if client.capabilities.dialect == "sqlite":
        values = [json.dumps([str(id_) for id_ in ids]), json.dumps(sirets)]
        return await client.execute_query_dict(LOOK_UP_ON_SQLITE, values)
    return await client.execute_query_dict(LOOK_UP_ON_POSTGRES, [ids, sirets])


def _instant(stored: datetime | str) -> datetime:
    """Return an instant, which SQLite stores as text."""
    return stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)


def _beginning(stored: date | str) -> datetime:
    """Return the beginning of a day, in UTC. SQLite stores days as texts."""
    day = stored if isinstance(stored, date) else date.fromisoformat(stored)
    return datetime.combine(day, time(), UTC)
