"""Identifiers of organisations outside the Union: a country code, then the first 16 characters of their name.

They have at most 18 characters, so 14 are left after FRWF, the code of Wallis-et-Futuna. Longer values are refused, not
cut, and so is a blank after the code: two colleagues who count differently must not create two organisations.
"""

import unicodedata
from itertools import groupby

import iso3166

from .vat_numbers import COUNTRIES as _MEMBER_STATES
from .vat_numbers import any_case

_FRENCH = {"FR", "BL", "GF", "GP", "MF", "MQ", "NC", "PF", "PM", "RE", "TF", "WF", "YT"}
"""Codes of ISO 3166 for parts of France: these use SIRET, RIDET or TAHITI, and WF is written FRWF."""

_ALAND = {"AX"}
"""A code of ISO 3166 for a part of Finland, and so of the Union."""

_OUTSIDE_UNION = sorted(iso3166.countries_by_alpha2.keys() - {*_MEMBER_STATES} - _FRENCH - _ALAND)

COUNTRIES = ("FRWF", *_OUTSIDE_UNION)

_ACCENTED = "À-ÅÇ-ÏÑ-ÖÙ-Ýà-åç-ïñ-öù-ýÿ-ďĒ-ĥĨ-İĴ-ķĹ-ľŃ-ňŌ-őŔ-ťŨ-žƠ-ơƯ-ưǍ-ǜǞ-ǡǦ-ǭǰǴ-ǵǸ-ǻȀ-țȞ-ȟȦ-ȳḀ-ẙẠ-ỹ"
"""The letters A to Z with accents; not 'ß', 'Æ', 'Ø' or 'ı', which vary in spelling."""

_MARKS = r"\u0026'’\(\)+,\-."
"""Punctuation, with escapes for the set operators of ECMAScript's v flag and of ICU; \\u0026 is '&'."""


def _pattern() -> str:
    """Return the pattern of a country and a name, 18 characters at most, without anything like a link.

    After a dot, two characters other than blank, dot and comma are refused: 'EVIL.COM', but not 'A.B. CO.'.
    """
    by_first_letter = groupby(_OUTSIDE_UNION, key=lambda code: code[0])
    codes = "|".join(f"{first}[{''.join(code[1] for code in codes)}]" for first, codes in by_first_letter)
    name = rf"(?! )[A-Za-z{_ACCENTED}0-9 {_MARKS}]+"
    return rf"^(?=.{{3,18}}$)(?!.*\.[^ .,]{{2}})(?:{any_case(f'FRWF|{codes}')}){name}$"


PATTERN = _pattern()


def canonicalise(text: str) -> str:
    """Return *text* in capitals, without accents, with single blanks and plain apostrophes."""
    decomposed = unicodedata.normalize("NFD", text.replace("’", "'"))
    without_accents = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(without_accents.upper().split())
