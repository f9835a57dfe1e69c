"""Activation links: the token of each, its state, and its single use."""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from tortoise import fields
from tortoise.models import Model

from models.database.connections import connection
from models.database.statements import build, fetch
from models.registration import Registration, RegistrationState
from models.visible_text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

LINK_LIFETIME = timedelta(minutes=60)
TOKEN_BYTES = 32


class LinkState(StrEnum):
    """The state of an activation link. SUPERSEDED: the address got its account by another attempt."""

    USABLE = "USABLE"
    EXPIRED = "EXPIRED"
    USED = "USED"
    SUPERSEDED = "SUPERSEDED"
    UNKNOWN = "UNKNOWN"


ISSUE_ON_SQLITE = """
INSERT INTO activation_token (digest, registration_id, expires_at)
SELECT json_extract(issued.value, '$[0]'), registration.id, ?2
FROM json_each(?1) AS issued JOIN registration ON registration.id = json_extract(issued.value, '$[1]')
"""
ISSUE_ON_POSTGRES = """
INSERT INTO activation_token (digest, registration_id, expires_at)
SELECT issued ->> 0, registration.id, CAST($2 AS timestamptz)
FROM json_array_elements(CAST($1 AS json)) AS issued JOIN registration ON registration.id = CAST(issued ->> 1 AS uuid)
"""


FIND = """
SELECT registration.*, digest, registration_id, token.expires_at AS token_expires_at, used_at,
       EXISTS (SELECT 1 FROM account WHERE account.email_canonical = registration.email_canonical) AS address_is_taken
FROM activation_token AS token JOIN registration ON registration.id = registration_id
WHERE digest = $1
"""
REDEEM = """
UPDATE activation_token SET used_at = $2 WHERE digest = $1 AND used_at IS NULL AND expires_at > $2 RETURNING digest
"""


class ActivationToken(Model):
    """The token of one activation link: 256 random bits, of which only a digest is stored.

    *address_is_taken* tells whether the address had an account when this was read.
    """

    address_is_taken = False

    digest = fields.CharField(max_length=64, primary_key=True)
    registration: fields.ForeignKeyRelation[Registration] = fields.ForeignKeyField(
        "models.Registration", related_name="tokens", on_delete=fields.CASCADE, db_index=True
    )
    expires_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "activation_token"

    @classmethod
    async def issue(cls, registrations: Sequence[Registration], *, now: datetime) -> list[str]:
        """Store a new token for each of *registrations*, in one statement. Return the tokens, which are stored nowhere.

        The relay makes up a registration where nothing waits. It is not stored, and its token is worth nothing.
        """
        tokens, client = [secrets.token_urlsafe(TOKEN_BYTES) for _ in registrations], connection()
        statement = ISSUE_ON_SQLITE if client.capabilities.dialect == "sqlite" else ISSUE_ON_POSTGRES
        issued = [(token_digest(token), str(each.id)) for token, each in zip(tokens, registrations, strict=True)]
        await client.execute_query(statement, [json.dumps(issued), now + LINK_LIFETIME])
        return tokens

    @classmethod
    async def find(cls, token: str) -> ActivationToken | None:
        """Return the stored token with its registration, or None. *token* may be any text, with blanks around it."""
        for row in await fetch(FIND, token_digest(visible(token))):
            found = build(cls, row | {"expires_at": row["token_expires_at"]})
            found.registration = build(Registration, row)
            found.address_is_taken = bool(row["address_is_taken"])
            return found
        return None

    def state(self, *, now: datetime) -> LinkState:
        """Return the state of the link at *now*, as it was read. It may have changed since."""
        if self.used_at is not None or self.registration.state is RegistrationState.ACTIVATED:
            return LinkState.USED
        if self.address_is_taken:
            return LinkState.SUPERSEDED
        return LinkState.USABLE if now < self.expires_at else LinkState.EXPIRED

    async def redeem(self, *, now: datetime) -> bool:
        """Use the token up. Return False if it is used or has expired. Call this in a transaction."""
        return len(await fetch(REDEEM, self.digest, now)) == 1


def token_digest(token: str) -> str:
    """Return the SHA-256 of *token* in hexadecimal: 256 random bits need no key and no stretching."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
