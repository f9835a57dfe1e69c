"""From what a person typed to an identifier in canonical form, or to the one thing that is wrong with it."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from models.visible_text import visible

from .formats import IDENTIFIER_FORMATS, IdentifierType


class IdentifierProblem(StrEnum):
    """What can be wrong with a typed value: names of the API's FieldProblemCode."""

    INVALID_CHARACTERS = "INVALID_CHARACTERS"
    REQUIRED = "REQUIRED"
    IDENTIFIER_INVALID_LENGTH = "IDENTIFIER_INVALID_LENGTH"
    IDENTIFIER_INVALID_FORMAT = "IDENTIFIER_INVALID_FORMAT"
    IDENTIFIER_INVALID_CHECKSUM = "IDENTIFIER_INVALID_CHECKSUM"
    IDENTIFIER_INVALID_COUNTRY = "IDENTIFIER_INVALID_COUNTRY"


class IdentifierError(ValueError):
    """A value can't be an identifier of its type; `problem` says why. The message never quotes the value."""

    def __init__(self, problem: IdentifierProblem) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Identifier:
    """A type and a canonical value, as `parse_identifier` returns them.

    Nothing is checked here: what was stored can be built directly.
    """

    type: IdentifierType
    value: str

    @property
    def formatted(self) -> str:
        """The value as people write it, '732 829 320 00074'; typed again, it gives this same identifier."""
        return IDENTIFIER_FORMATS[self.type].layout(self.value)


def parse_identifier(type: IdentifierType, typed: str) -> Identifier:  # noqa: A002 - the API's own word
    """The identifier that a person means by *typed*; parsing its value again gives the same identifier.

    Raises IdentifierError for the first thing wrong, in this order: characters, nothing left, length,
    country, format, checksum. More than 100 characters are not read at all: their length is what is wrong.
    """
    expected = IDENTIFIER_FORMATS[type]
    left = _plain(typed).translate(dict.fromkeys(map(ord, expected.ignored_characters)))
    if not left:
        raise IdentifierError(IdentifierProblem.REQUIRED)
    if not expected.min_length <= len(left) <= expected.max_length:
        raise IdentifierError(IdentifierProblem.IDENTIFIER_INVALID_LENGTH)
    if not re.fullmatch(expected.pattern, left):
        if expected.countries and not left.upper().startswith(expected.countries):
            raise IdentifierError(IdentifierProblem.IDENTIFIER_INVALID_COUNTRY)
        raise IdentifierError(IdentifierProblem.IDENTIFIER_INVALID_FORMAT)
    value = expected.canonicalise(left)
    if not expected.has_valid_checksum(value):
        raise IdentifierError(IdentifierProblem.IDENTIFIER_INVALID_CHECKSUM)
    return Identifier(type, value)


_MAX_INPUT_LENGTH = 100
"""The longest canonical value has 18 characters: the rest is room for separators."""

_HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-")
"""What word processors put in place of '-': hyphen, non-breaking hyphen, figure dash, en dash, minus."""


def _plain(typed: str) -> str:
    """*typed* as a person sees it, with ordinary hyphens.

    NFC and not NFKC: a full-width or superscript digit stays what it is, and no pattern accepts it.
    """
    if len(typed) > _MAX_INPUT_LENGTH:
        raise IdentifierError(IdentifierProblem.IDENTIFIER_INVALID_LENGTH)
    text = visible(typed).translate(_HYPHENS)
    plain = text.isascii() and text.isprintable()  # What nearly everybody types, and quick to tell.
    if not plain and not all(map(_is_visible, text)):
        raise IdentifierError(IdentifierProblem.INVALID_CHARACTERS)
    return text


def _is_visible(character: str) -> bool:
    """False for controls, formats, surrogates, private and unassigned (C…), and line separators."""
    return not unicodedata.category(character).startswith(("C", "Zl", "Zp"))
