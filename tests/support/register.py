"""Entries of the national register, for tests."""

from __future__ import annotations

from datetime import date
from typing import Any

from models.organisation import OrganisationSource, OrganisationStatus
from models.sirene.tables import RegisterEdition, RegisterEntry
from tests.support.client import SIRET
from tests.support.doubles import Clock

EDITION = date(2026, 11, 1)


async def register(siret: str = SIRET, *, edition: date = EDITION, **changes: Any) -> RegisterEntry:
    """Store an establishment in the national register."""
    counts = {"imported_at": Clock().now, "legal_units": 1, "entries": 1, "closed": 0, "withheld": 0}
    await RegisterEdition.update_or_create({"edition": edition, **counts}, source=OrganisationSource.SIRENE)
    values: dict[str, Any] = {
        "name": "EXEMPLE SA",
        "status": OrganisationStatus.ACTIVE,
        "postal_code": "44000",
        "city": "NANTES",
    }
    return await RegisterEntry.create(siret=siret, **(values | changes))
