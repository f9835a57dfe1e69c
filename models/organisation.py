"""Organisations: those on the portal, what the national register says, and the two seen as one."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.models import Model
from tortoise.transactions import in_transaction

from models.identifiers import IDENTIFIER_FORMATS, Identifier, IdentifierType

if TYPE_CHECKING:
    from collections.abc import Sequence

IN_JSON = "IN (SELECT value FROM json_each(?))"
ID_NAMESPACE = uuid.UUID("6f9d8c1e-2f0b-5c39-9d53-3d1d2b6f4a10")


class OrganisationStatus(StrEnum):
    """UNKNOWN: declared by somebody who signed up, confirmed by no register."""

    ACTIVE = "ACTIVE"
    CLOSED = "CLOSED"
    UNKNOWN = "UNKNOWN"


class OrganisationSource(StrEnum):
    """Where a fact about an organisation comes from."""

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
        """This organisation as anybody may see it where no register confirms it."""
        return KnownOrganisation(
            id=self.id,
            identifier=self.identifier,
            name=None,
            status=OrganisationStatus.UNKNOWN,
            on_portal=True,
            postal_code=None,
            city=None,
            source=OrganisationSource.DECLARED,
            as_of=self.created_at,
        )

    @classmethod
    async def found_or_join(
        cls, identifier: Identifier, name: str | None, *, now: datetime
    ) -> tuple[Organisation, bool]:
        """The organisation of *identifier*, and whether this call founded it.

        To be called in a transaction. Of two at once, one founds; the other waits for its commit and joins.
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


class RegisterEntry(Model):
    """What the national register says of one establishment. An import replaces all of them."""

    siret = fields.CharField(max_length=14, primary_key=True)
    name = fields.CharField(max_length=200, null=True)
    status = fields.CharEnumField(OrganisationStatus, max_length=10)
    postal_code = fields.CharField(max_length=10, null=True)
    city = fields.CharField(max_length=100, null=True)
    as_of = fields.DatetimeField()

    class Meta:
        table = "register_entry"


@dataclass(frozen=True, slots=True)
class KnownOrganisation:
    """What the register and the portal together know of one identifier, as anybody may see it.

    *name* is the register's: one that was declared is shown to members only.
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


def organisation_id(identifier: Identifier) -> uuid.UUID:
    """The id of an organisation: the same before and after it joins the portal, where it can be looked up."""
    if not IDENTIFIER_FORMATS[identifier.type].has_lookup:
        return uuid.uuid4()
    return uuid.uuid5(ID_NAMESPACE, f"{identifier.type}:{identifier.value}")


async def find_organisations(identifiers: Sequence[Identifier]) -> list[KnownOrganisation | None]:
    """What is known of each of *identifiers*, in their order; one query whatever their number."""
    wanted = {identifier for identifier in identifiers if IDENTIFIER_FORMATS[identifier.type].has_lookup}
    found = await _look_up(wanted) if wanted else {}
    return [found.get(identifier) for identifier in identifiers]


async def find_organisation(identifier: Identifier) -> KnownOrganisation | None:
    """What is known of *identifier*."""
    return (await find_organisations([identifier]))[0]


# Written out: building this query would take Tortoise longer than PostgreSQL needs to answer it.
LOOK_UP = """
SELECT identifier_type, identifier_value, NULL AS name, NULL AS status, NULL AS postal_code, NULL AS city,
       created_at AS as_of
FROM organisation WHERE id {among_ids}
UNION ALL
SELECT 'SIRET', siret, name, status, postal_code, city, as_of FROM register_entry WHERE siret {among_sirets}
"""


async def _look_up(wanted: set[Identifier]) -> dict[Identifier, KnownOrganisation]:
    ids = {identifier: organisation_id(identifier) for identifier in wanted}
    on_portal: dict[Identifier, dict[str, Any]] = {}
    in_register: dict[Identifier, dict[str, Any]] = {}
    for row in await _rows(list(ids.values()), [i.value for i in wanted if i.type is IdentifierType.SIRET]):
        identifier = Identifier(IdentifierType(row["identifier_type"]), row["identifier_value"])
        (on_portal if row["status"] is None else in_register)[identifier] = row
    return {
        identifier: _known(id_, identifier, on_portal.get(identifier), in_register.get(identifier))
        for identifier, id_ in ids.items()
        if identifier in on_portal or identifier in in_register
    }


async def _rows(ids: list[uuid.UUID], sirets: list[str]) -> list[dict[str, Any]]:
    connection = Organisation._meta.db
    if connection.capabilities.dialect == "sqlite":
        query = LOOK_UP.format(among_ids=IN_JSON, among_sirets=IN_JSON)
        return await connection.execute_query_dict(query, [json.dumps([str(id_) for id_ in ids]), json.dumps(sirets)])
    query = LOOK_UP.format(among_ids="= ANY($1)", among_sirets="= ANY($2)")
    return await connection.execute_query_dict(query, [ids, sirets])


def _known(
    id_: uuid.UUID,
    identifier: Identifier,
    on_portal: dict[str, Any] | None,
    in_register: dict[str, Any] | None,
) -> KnownOrganisation:
    """What the two rows say together; the register's goes first."""
    row = in_register or on_portal or {}
    as_of = row["as_of"]
    return KnownOrganisation(
        id=id_,
        identifier=identifier,
        name=row["name"],
        status=OrganisationStatus.UNKNOWN if in_register is None else OrganisationStatus(row["status"]),
        on_portal=on_portal is not None,
        postal_code=row["postal_code"],
        city=row["city"],
        source=OrganisationSource.DECLARED if in_register is None else OrganisationSource.SIRENE,
        as_of=as_of if isinstance(as_of, datetime) else datetime.fromisoformat(as_of),  # SQLite keeps texts.
    )
