"""Applications that cost tests little: a cheap hasher, and documents that are validated once for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.app import build_app, build_documents
from tests.support.hashing import CHEAP_HASHER

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from api.graphql.engine.documents import Documents
    from api.passwords.hashing import Hasher
    from api.settings.environment import Settings

_shared: dict[str, Documents] = {}


def build_cheap_app(settings: Settings, *, hasher: Hasher | None = CHEAP_HASHER, **arguments: Any) -> Starlette:
    """Build the application with *arguments* of `build_app`. Without a *hasher* it has that of production."""
    return build_app(settings, hasher=hasher, documents=share_documents(settings), **arguments)


def share_documents(settings: Settings) -> Documents:
    """Return the documents that all applications of this process share if their schema is equally visible."""
    if settings.introspection not in _shared:
        _shared[settings.introspection] = build_documents(settings)
    return _shared[settings.introspection]
