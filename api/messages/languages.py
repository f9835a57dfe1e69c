"""The languages of messages and mails, and which one a caller wants."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

MAX_HEADER_LENGTH = 200


class Language(StrEnum):
    """Languages of messages and e-mails."""

    FR = "fr"
    EN = "en"


def negotiate(accept_language: str) -> Language:
    """Return the language that Accept-Language prefers (RFC 9110, 12.5.4); French if it names none of ours."""
    return _negotiate(accept_language[:MAX_HEADER_LENGTH])  # Cut before it is cached: a header can be of any length.


@lru_cache(maxsize=1024)
def _negotiate(accept_language: str) -> Language:
    best, best_weight = Language.FR, 0.0
    for item in accept_language.split(","):
        tag, _, parameter = item.partition(";")
        language = _supported(tag.strip().lower().partition("-")[0])
        weight = _weight(parameter)
        if language is not None and weight > best_weight:
            best, best_weight = language, weight
    return best


def _supported(tag: str) -> Language | None:
    return Language(tag) if tag in Language.__members__.values() else None


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not parameter.strip():
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip().lower() == "q" and 0 <= weight <= 1 else 0.0
