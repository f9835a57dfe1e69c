"""What the national register knows, in tests."""

from __future__ import annotations

from typing import Any

from models.organisation import OrganisationStatus, RegisterEntry
from tests.client import SIRET
from tests.conftest import Clock


async def register(siret: str = SIRET, **changes: Any) -> RegisterEntry:
    """Have the national register know an establishment."""
    values: dict[str, Any] = {
        "name": "EXEMPLE SA",
        "status": OrganisationStatus.ACTIVE,
        "postal_code": "44000",
        "city": "NANTES",
        "as_of": Clock().now,
    }
    return await RegisterEntry.create(siret=siret, **(values | changes))
