"""The caller of a request, which every use case is told of: network, language and time."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from api.messages.languages import Language


class Caller(NamedTuple):
    """One caller of one request."""

    network: str
    """The part of the caller's address that limits are keyed by: see `api.limits.networks`."""
    language: Language
    now: datetime
    """The time of the request, aware of its zone."""
