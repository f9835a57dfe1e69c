"""The look-ups as the guides of Strawberry and Tortoise show them; with `CACHES`, with Strawberry's own caches."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from typing import Annotated, TypeAlias

import strawberry
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from tortoise import fields
from tortoise.contrib.starlette import RegisterTortoise
from tortoise.models import Model


class RegisterEntry(Model):
    siret = fields.CharField(max_length=14, primary_key=True)
    name = fields.CharField(max_length=200, null=True)
    status = fields.CharField(max_length=10)
    postal_code = fields.CharField(max_length=10, null=True)
    city = fields.CharField(max_length=100, null=True)

    class Meta:
        table = "register_entry"


class OrganisationOnPortal(Model):
    id = fields.UUIDField(primary_key=True)
    identifier_type = fields.CharField(max_length=20)
    identifier_value = fields.CharField(max_length=20)

    class Meta:
        table = "organisation"


@strawberry.enum
class IdentifierType(Enum):
    SIRET = "SIRET"


@strawberry.enum
class OrganisationStatus(Enum):
    ACTIVE = "ACTIVE"
    CLOSED = "CLOSED"


@strawberry.input
class OrganisationIdentifierInput:
    type: IdentifierType
    value: str


@strawberry.interface
class Problem:
    code: str
    message: str


@strawberry.type
class OrganisationNotFound(Problem):
    pass


@strawberry.type
class Organisation:
    name: str | None
    status: OrganisationStatus
    on_portal: bool
    postal_code: str | None
    city: str | None


OrganisationResult: TypeAlias = Annotated[Organisation | OrganisationNotFound, strawberry.union("OrganisationResult")]


@strawberry.type
class OrganisationList:
    items: list[OrganisationResult]


def answer(entry: RegisterEntry | None, on_portal: bool) -> Organisation | OrganisationNotFound:
    if entry is None:
        return OrganisationNotFound(code="ORGANISATION_NOT_FOUND", message="No organisation has this identifier.")
    return Organisation(
        name=entry.name,
        status=OrganisationStatus(entry.status),
        on_portal=on_portal,
        postal_code=entry.postal_code,
        city=entry.city,
    )


@strawberry.type
class Query:
    @strawberry.field
    async def organisation(self, identifier: OrganisationIdentifierInput) -> OrganisationResult:
        entry = await RegisterEntry.get_or_none(siret=identifier.value)
        on_portal = await OrganisationOnPortal.exists(identifier_type="SIRET", identifier_value=identifier.value)
        return answer(entry, on_portal)

    @strawberry.field
    async def organisations(self, identifiers: list[OrganisationIdentifierInput]) -> OrganisationList:
        sirets = [identifier.value for identifier in identifiers]
        entries = {entry.siret: entry for entry in await RegisterEntry.filter(siret__in=sirets)}
        found = await OrganisationOnPortal.filter(identifier_type="SIRET", identifier_value__in=sirets)
        on_portal = {each.identifier_value for each in found}
        return OrganisationList(items=[answer(entries.get(siret), siret in on_portal) for siret in sirets])


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with RegisterTortoise(app, db_url=os.environ["DATABASE_URL"], modules={"models": [__name__]}):
        yield


schema = strawberry.Schema(Query, extensions=[ParserCache, ValidationCache] if os.environ.get("CACHES") else ())
app = Starlette(routes=[Route("/graphql", GraphQL[None, None](schema))], lifespan=lifespan)
