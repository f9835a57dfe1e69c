"""Which answers a cache may keep, and how it asks whether one still holds (RFC 9110 and 9111)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode, SelectionNode

if TYPE_CHECKING:
    from graphql import DocumentNode, OperationDefinitionNode
    from starlette.requests import Request

LOOK_UPS = frozenset({"organisation", "organisations"})
FRESH_SECONDS = 60
VARY = "Accept, Accept-Language, Origin"
NOT_KEPT: dict[str, str] = {"Cache-Control": "no-store", "Vary": VARY}
KEPT: dict[str, str] = {"Cache-Control": f"public, max-age={FRESH_SECONDS}", "Vary": VARY}
PERSONAL = ("cookie", "authorization")


def asks_for_what_may_be_kept(request: Request, document: DocumentNode, operation: OperationDefinitionNode) -> bool:
    """Whether this is a GET of look-ups alone, from nobody in particular."""
    if request.method != "GET" or any(name in request.headers for name in PERSONAL):
        return False
    return LOOK_UPS.issuperset(_root_fields(document, operation))


def _root_fields(document: DocumentNode, operation: OperationDefinitionNode) -> set[str]:
    """The names of the fields at the top, in fragments too; each is opened once, however often it is spread."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    fields: set[str] = set()
    left: list[SelectionNode] = [*operation.selection_set.selections]
    while left:
        node = left.pop()
        if isinstance(node, FieldNode):
            fields.add(node.name.value)
        elif isinstance(node, InlineFragmentNode):
            left += node.selection_set.selections
        elif isinstance(node, FragmentSpreadNode) and (fragment := fragments.pop(node.name.value, None)):
            left += fragment.selection_set.selections
    return fields


def entity_tag(content: bytes, media_type: str) -> str:
    """The same for the same answer in the same media type, whenever and by whichever process it was given."""
    return f'"{hashlib.blake2b(content, digest_size=16, key=media_type.encode()).hexdigest()}"'


def is_current(request: Request, tag: str) -> bool:
    """Whether the cache that asks has this answer already; `W/` comes from those that compress on the way."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or tag in (part.strip().removeprefix("W/") for part in known.split(","))
