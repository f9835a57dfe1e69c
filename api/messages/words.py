"""Languages, and the words of every message: a stable id and parameters become a sentence.

The words are Fluent resources, `locales/fr.ftl` and `locales/en.ftl`, with the same ids in both.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path

from fluent.runtime import FluentBundle, FluentResource

LOCALES = Path(__file__).parent / "locales"
LONGEST_HEADER = 200


class Language(StrEnum):
    """Languages of messages and e-mails."""

    FR = "fr"
    EN = "en"


def negotiate(accept_language: str) -> Language:
    """The language that an Accept-Language header asks for (RFC 9110, 12.5.4); French where it names none of ours."""
    return _negotiate(accept_language[:LONGEST_HEADER])  # Cut before it is kept: a header can be of any length.


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


def translate(language: Language, message_id: str, **parameters: str | int) -> str:
    """The sentence of *message_id*, with its parameters filled in.

    :raises LookupError: there is no such message; :raises ValueError: a parameter that it needs is missing.
    """
    return _format(language, message_id, **parameters) if parameters else _constant(language, message_id)


def has_message(language: Language, message_id: str) -> bool:
    """Whether *message_id* has words in *language*."""
    return _bundle(language).has_message(message_id)


@lru_cache(maxsize=1024)
def _constant(language: Language, message_id: str) -> str:
    return _format(language, message_id)


def _format(language: Language, message_id: str, **parameters: str | int) -> str:
    bundle = _bundle(language)
    pattern = bundle.get_message(message_id).value
    if pattern is None:
        raise LookupError(message_id)
    text, errors = bundle.format_pattern(pattern, parameters)
    if errors:
        raise ValueError(f"{message_id}: {errors}")
    return str(text)


@cache
def _bundle(language: Language) -> FluentBundle:
    bundle = FluentBundle([language], use_isolating=False)
    bundle.add_resource(FluentResource((LOCALES / f"{language}.ftl").read_text(encoding="utf-8")))
    return bundle
