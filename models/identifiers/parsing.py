"""The parser of identifiers: entered text becomes a canonical identifier, or the first problem with it."""

import re
import unicodedata
from functools import cache
from typing import NamedTuple

from models.field_problems import FieldProblemCode
from models.visible_text import visible

from .formats import IDENTIFIER_FORMATS, IdentifierType


class IdentifierError(ValueError):
    """The value is no identifier of its type; `code` says why. The message never quotes the value."""

    def __init__(self, code: FieldProblemCode) -> None:
        super().__init__(code)
        self.code = code


class Identifier(NamedTuple):
    """A type and a canonical value, as `parse_identifier` returns them.

    The class checks nothing, so that stored values can be wrapped directly.
    """

    type: IdentifierType
    value: str

    @property
    def formatted(self) -> str:
        """The value as people write it, '732 829 320 00074'. Parsing it gives the same identifier."""
        return IDENTIFIER_FORMATS[self.type].layout(self.value)


def parse_identifier(type: IdentifierType, text: str) -> Identifier:  # noqa: A002 - the API's own word
    """Return the identifier that a person means by *text*. Parsing its value gives the same identifier.

    :raises IdentifierError: the first problem, in this order: characters, missing text, length, country, format,
        checksum. More than 100 characters are not read at all: their problem is the length.
    """
    if len(text) > _MAX_INPUT_LENGTH:
        raise IdentifierError(FieldProblemCode.IDENTIFIER_INVALID_LENGTH)
    expected = IDENTIFIER_FORMATS[type]
    is_plain = text.isascii() and text.isalnum()  # Nearly all input is: it has nothing to take out.
    left = text if is_plain else _plain(text).translate(_deletion(expected.ignored_characters))
    if not left:
        raise IdentifierError(FieldProblemCode.REQUIRED)
    if not expected.min_length <= len(left) <= expected.max_length:
        raise IdentifierError(FieldProblemCode.IDENTIFIER_INVALID_LENGTH)
    if not _compiled(expected.pattern).fullmatch(left):
        if expected.countries and not left.upper().startswith(expected.countries):
            raise IdentifierError(FieldProblemCode.IDENTIFIER_INVALID_COUNTRY)
        raise IdentifierError(FieldProblemCode.IDENTIFIER_INVALID_FORMAT)
    value = expected.canonicalise(left)
    if not expected.has_valid_checksum(value):
        raise IdentifierError(FieldProblemCode.IDENTIFIER_INVALID_CHECKSUM)
    return Identifier(type, value)


_compiled = cache(re.compile)  # `re` has a cache too, which takes longer than the match.


@cache
def _deletion(characters: str) -> dict[int, None]:
    """Return the table with which `str.translate` deletes *characters*."""
    return dict.fromkeys(map(ord, characters))


_MAX_INPUT_LENGTH = 100
"""Room for the longest canonical value, of 18 characters, and for separators."""

_HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-")
"""Characters that word processors put in place of '-': hyphen, non-breaking hyphen, figure dash, en dash, minus."""


def _plain(entered: str) -> str:
    """Return the visible text of *entered*, with ordinary hyphens.

    It is in NFC, not NFKC: a full-width or superscript digit stays as it is, and no pattern accepts it.
    """
    text = visible(entered).translate(_HYPHENS)
    plain = text.isascii() and text.isprintable()  # Nearly all input is, and this check is quick.
    if not plain and not all(map(_is_visible, text)):
        raise IdentifierError(FieldProblemCode.INVALID_CHARACTERS)
    return text


def _is_visible(character: str) -> bool:
    """Return False for controls, formats, surrogates, private and unassigned characters (C…) and line separators."""
    return not unicodedata.category(character).startswith(("C", "Zl", "Zp"))
