"""Organisations outside the Union have no number: a country code, then the first 16 characters of their name.

At most 18 in all, so Wallis-et-Futuna, whose code is FRWF, has 14. What is longer is refused rather than
cut, and so is a blank after the code: two colleagues who count differently must not become two organisations.
"""

import unicodedata
from itertools import groupby

import iso3166

from .vat_numbers import COUNTRIES as _MEMBER_STATES
from .vat_numbers import any_case

_FRENCH = {"FR", "BL", "GF", "GP", "MF", "MQ", "NC", "PF", "PM", "RE", "TF", "WF", "YT"}
"""ISO 3166 has codes for parts of France: they use SIRET, RIDET or TAHITI, and WF is written FRWF."""

_ALAND = {"AX"}
"""A part of Finland, hence of the Union, to which ISO 3166 gives a code."""

_OUTSIDE_UNION = sorted(iso3166.countries_by_alpha2.keys() - {*_MEMBER_STATES} - _FRENCH - _ALAND)

COUNTRIES = ("FRWF", *_OUTSIDE_UNION)

_ACCENTED = "À-ÅÇ-ÏÑ-ÖÙ-Ýà-åç-ïñ-öù-ýÿ-ďĒ-ĥĨ-İĴ-ķĹ-ľŃ-ňŌ-őŔ-ťŨ-žƠ-ơƯ-ưǍ-ǜǞ-ǡǦ-ǭǰǴ-ǵǸ-ǻȀ-țȞ-ȟȦ-ȳḀ-ẙẠ-ỹ"
"""The letters that are one of A to Z under their accents; not 'ß', 'Æ', 'Ø' or 'ı', which vary in spelling."""

_MARKS = r"\u0026'’\(\)+,\-."
"""Escaped where a set operator of ECMAScript's v flag or of ICU would be seen; \\u0026 is '&'."""


def _pattern() -> str:
    """A country and a name, 18 characters at most, in which nothing looks like a link to a mail reader.

    'EVIL.COM' does: a dot may not precede two characters other than blank, dot and comma. 'A.B. CO.' passes.
    """
    by_first_letter = groupby(_OUTSIDE_UNION, key=lambda code: code[0])
    codes = "|".join(f"{first}[{''.join(code[1] for code in codes)}]" for first, codes in by_first_letter)
    name = rf"(?! )[A-Za-z{_ACCENTED}0-9 {_MARKS}]+"
    return rf"^(?=.{{3,18}}$)(?!.*\.[^ .,]{{2}})(?:{any_case(f'FRWF|{codes}')}){name}$"


PATTERN = _pattern()


def canonicalise(typed: str) -> str:
    """In capitals, without accents, blanks single, the apostrophe a plain one."""
    decomposed = unicodedata.normalize("NFD", typed.replace("’", "'"))
    without_accents = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(without_accents.upper().split())
