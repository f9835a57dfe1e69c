"""Which answers a cache may keep, and how it asks whether one still holds (RFC 9110 and 9111)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

LOOK_UPS = frozenset({"organisation", "organisations"})
FRESH_SECONDS = 60
VARY = "Accept, Accept-Language, Origin"
NOT_KEPT: dict[str, str] = {"Cache-Control": "no-store", "Vary": VARY}
KEPT: dict[str, str] = {"Cache-Control": f"public, max-age={FRESH_SECONDS}", "Vary": VARY}
PERSONAL = ("cookie", "authorization")


def asks_for_what_may_be_kept(request: Request, fields: Iterable[str]) -> bool:
    """Whether this is a GET of look-ups alone, whose root fields are *fields*, from nobody in particular."""
    if request.method != "GET" or any(name in request.headers for name in PERSONAL):
        return False
    return LOOK_UPS.issuperset(fields)


def entity_tag(content: bytes, media_type: str) -> str:
    """The same for the same answer in the same media type, whenever and by whichever process it was given."""
    return f'"{hashlib.blake2b(content, digest_size=16, key=media_type.encode()).hexdigest()}"'


def is_current(request: Request, tag: str) -> bool:
    """Whether the cache that asks has this answer already; `W/` comes from those that compress on the way."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or tag in (part.strip().removeprefix("W/") for part in known.split(","))
