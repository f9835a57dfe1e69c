"""The words of every message: a stable id and parameters become a sentence.

The words are Fluent resources, `locales/fr.ftl` and `locales/en.ftl`, with the same ids in both.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from fluent.runtime import FluentBundle, FluentResource

if TYPE_CHECKING:
    from api.messages.languages import Language

LOCALES = Path(__file__).parent / "locales"


def translate(language: Language, message_id: str, **parameters: str | int) -> str:
    """Return the sentence of *message_id*, with its parameters filled in.

    :raises LookupError: there is no such message; :raises ValueError: a parameter that it needs is missing.
    """
    return _format(language, message_id, **parameters) if parameters else _constant(language, message_id)


def has_message(language: Language, message_id: str) -> bool:
    """Tell whether *message_id* has words in *language*."""
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
