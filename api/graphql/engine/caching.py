"""Which answers a cache may keep, and how it asks whether one is still current (RFC 9110 and 9111)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request

CACHEABLE = "cacheable"
"""Key of a Strawberry field's metadata: true for a root field whose answer is the same for everybody."""
MAX_AGE_SECONDS = 60
VARY = "Accept, Accept-Language, Origin"
NOT_CACHED: dict[str, str] = {"Cache-Control": "no-store", "Vary": VARY}
CACHED: dict[str, str] = {"Cache-Control": f"public, max-age={MAX_AGE_SECONDS}", "Vary": VARY}
PERSONAL_HEADERS = ("cookie", "authorization")


def is_anonymous_get(request: Request) -> bool:
    """Tell whether this is a GET that says nothing of who sends it."""
    return request.method == "GET" and not any(name in request.headers for name in PERSONAL_HEADERS)


def make_entity_tag(content: bytes, media_type: str) -> str:
    """Return the tag of an answer: the same for the same content and media type, in every process."""
    return f'"{hashlib.blake2b(content, digest_size=16, key=media_type.encode()).hexdigest()}"'


def is_current(request: Request, tag: str) -> bool:
    """Tell whether the cache that asks has this answer already. Proxies that compress put `W/` before its tag."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or tag in (part.strip().removeprefix("W/") for part in known.split(","))
