"""Which answers a cache may keep, and how it asks whether one is still current (RFC 9110 and 9111)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.graphql.engine.head import RequestHead

CACHEABLE = "cacheable"
"""Key of a Strawberry field's metadata: true for a root field whose answer is the same for everybody."""
MAX_AGE_SECONDS = 60
VARY = "Accept, Accept-Language, Origin"
NOT_CACHED: dict[str, str] = {"Cache-Control": "no-store", "Vary": VARY}
CACHED: dict[str, str] = {"Cache-Control": f"public, max-age={MAX_AGE_SECONDS}", "Vary": VARY}
PERSONAL_HEADERS = (b"cookie", b"authorization")


def is_anonymous_get(head: RequestHead) -> bool:
    """Tell whether this is a GET that says nothing of who sends it."""
    return head.method == "GET" and not any(map(head.has_header, PERSONAL_HEADERS))


def make_entity_tag(content: bytes, media_type: str) -> str:
    """Return the tag of an answer: the same for the same content and media type, in every process."""
    return f'"{hashlib.blake2b(content, digest_size=16, key=media_type.encode()).hexdigest()}"'


def is_current(head: RequestHead, tag: str) -> bool:
    """Tell whether the cache that asks has this answer already. Proxies that compress put `W/` before its tag."""
    known = head.get_header(b"if-none-match")
    return known.strip() == "*" or tag in (part.strip().removeprefix("W/") for part in known.split(","))
