"""Organisations: those on the portal, and what portal and national register together know of one."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tortoise import fields
from tortoise.models import Model

from models.database.connections import connection
from models.database.statements import insert
from models.identifiers import IDENTIFIER_FORMATS, Identifier, IdentifierType

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Recorded: TypeAlias = "date | datetime | str"
"""A day or an instant as the database has it. SQLite stores both as texts."""

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
        return KnownOrganisation.declared(self.identifier, self.created_at, self.id)

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
        if await insert(candidate):
            return candidate, True
        return await cls.get(id=candidate.id), False


class KnownOrganisation(NamedTuple):
    """The facts that register and portal together have about one identifier, as anybody may see them.

    *name* comes from the register: a declared name is shown to members only. What a named tuple computes on demand, as
    `id`, costs nothing where nobody asks for it.
    """

    identifier: Identifier
    name: str | None
    status: OrganisationStatus
    on_portal: bool
    postal_code: str | None
    city: str | None
    source: OrganisationSource
    recorded: Recorded
    stored_id: uuid.UUID | None = None
    """Set where the identifier does not give the id: for types that identify nothing in public."""

    @property
    def id(self) -> uuid.UUID:
        return self.stored_id or organisation_id(self.identifier)

    @property
    def as_of(self) -> datetime:
        """The beginning, in UTC, of the day of the register's edition; or when the organisation was declared."""
        day_or_instant = datetime.fromisoformat(self.recorded) if isinstance(self.recorded, str) else self.recorded
        if not isinstance(day_or_instant, datetime):
            day_or_instant = datetime.combine(day_or_instant, time())
        return day_or_instant if day_or_instant.tzinfo else day_or_instant.replace(tzinfo=UTC)

    @classmethod
    def declared(
        cls, identifier: Identifier, joined_at: Recorded, stored_id: uuid.UUID | None = None
    ) -> KnownOrganisation:
        """Return the facts about an organisation that is on the portal and in no register."""
        return cls(
            identifier=identifier,
            name=None,
            status=OrganisationStatus.UNKNOWN,
            on_portal=True,
            postal_code=None,
            city=None,
            source=OrganisationSource.DECLARED,
            recorded=joined_at,
            stored_id=stored_id,
        )


def organisation_id(identifier: Identifier) -> uuid.UUID:
    """Return the id of an organisation: if it can be looked up, the same before and after it joins the portal."""
    if not IDENTIFIER_FORMATS[identifier.type].has_lookup:
        return uuid.uuid4()
    return uuid.uuid5(ID_NAMESPACE, f"{identifier.type}:{identifier.value}")


async def find_organisations(identifiers: Iterable[Identifier]) -> dict[Identifier, KnownOrganisation]:
    """Return what is known of *identifiers*, by one query. The answer may have others, too."""
    wanted = [identifier for identifier in identifiers if identifier.type in LOOKED_UP]
    if not wanted:
        return {}
    return _known(await _rows({type_ for type_, _ in wanted}, [value for _, value in wanted]))


async def find_organisation(identifier: Identifier) -> KnownOrganisation | None:
    """Return the organisation of *identifier*, or None if it is not known."""
    return (await find_organisations([identifier])).get(identifier)


def _known(rows: Sequence[Any]) -> dict[Identifier, KnownOrganisation]:
    """Return what the rows of portal and register say together. The register goes first."""
    declared = [row for row in rows if row[STATUS] is None]
    registered = [row for row in rows if row[STATUS] is not None]
    known = {}
    for type_, value, joined_at, *_ in declared:
        identifier = Identifier(_TYPES[type_], value)
        known[identifier] = KnownOrganisation.declared(identifier, joined_at)
    for _, siret, _, status, name, postal_code, city, edition in registered:
        identifier = Identifier(IdentifierType.SIRET, siret)
        known[identifier] = KnownOrganisation(
            identifier,
            name,
            _STATUSES[status],
            identifier in known,
            postal_code,
            city,
            OrganisationSource.SIRENE,
            edition,
        )
    return known


LOOKED_UP = frozenset(type_ for type_, format_ in IDENTIFIER_FORMATS.items() if format_.has_lookup)
# Dictionaries, because it takes an enumeration several times as long to find a member by its value.
_TYPES = {type_.value: type_ for type_ in IdentifierType}
_STATUSES = {status.value: status for status in OrganisationStatus}

# Written out: building this query would take Tortoise longer than PostgreSQL needs to answer it. Of identifiers that
# can be looked up, only SIRETs have the form of one. The condition on types that can't lets the partial index be used.
LOOK_UP = """
SELECT identifier_type, identifier_value, created_at,
       NULL AS status, NULL AS name, NULL AS postal_code, NULL AS city, NULL AS edition
FROM organisation
WHERE identifier_type {among types} AND identifier_value {among values}
      AND identifier_type NOT IN ('AUTRE', 'PARTICULIER')
UNION ALL
SELECT 'SIRET', siret, NULL, status, name, postal_code, city,
       (SELECT edition FROM register_edition WHERE source = 'SIRENE')
FROM register_entry WHERE siret {among values}
"""
STATUS = 3
"""The column that only rows of the register have."""
LOOK_UP_ON_SQLITE = LOOK_UP.replace("{among types}", "IN (SELECT value FROM json_each(?1))").replace(
    "{among values}", "IN (SELECT value FROM json_each(?2))"
)
# PostgreSQL can't see into a subquery, and keeps one plan. It would estimate each element of a bare `ANY($2)`, for each
# query anew, in three times the time that the query itself takes.
LOOK_UP_ON_POSTGRES = LOOK_UP.replace("{among types}", "= ANY(ARRAY(SELECT unnest($1::text[])))").replace(
    "{among values}", "= ANY(ARRAY(SELECT unnest($2::text[])))"
)


async def _rows(types: Iterable[str], values: Sequence[str]) -> Sequence[Any]:
    """Return the rows as the driver has them: they can be unpacked."""
    client = connection()
    if client.capabilities.dialect == "sqlite":
        _, rows = await client.execute_query(LOOK_UP_ON_SQLITE, [json.dumps(list(types)), json.dumps(values)])
    else:
        _, rows = await client.execute_query(LOOK_UP_ON_POSTGRES, [list(types), values])
    return rows
