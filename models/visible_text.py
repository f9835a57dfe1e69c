"""Typed text as a person sees it: without the invisible characters that a paste brings (pure: no ORM).

Everything that reads what somebody typed, other than a password, reads it through :func:`visible`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

ZERO_WIDTH_NON_JOINER: Final = "\u200c"
ZERO_WIDTH_JOINER: Final = "\u200d"
VIRAMA: Final = 9
"""The canonical combining class of the sign that takes a consonant's vowel away."""

FORMATS: Final = (
    "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
)
"""The category Cf, but for the signs of Arabic, Syriac and Kaithi that are drawn around the digits after them."""
SELECTORS: Final = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"
)
"""Joiners, fillers, vowels that are not written, variation selectors: they mean something in some scripts alone."""

_UNSEEN = re.compile(f"[{FORMATS}]+")
_IDLE_SELECTORS = re.compile(rf"(?:(?<=[\x00-\x7f\s])|^)[{SELECTORS}]+")
_NOTHING = re.compile(rf"[\s{FORMATS}{SELECTORS}]*")
_BLANK = re.compile(r"[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")


def visible(typed: str) -> str:
    """*typed* in NFC, with plain blanks, none around, and without characters that nobody sees.

    What is invisible stays where it changes what is seen: a joiner between letters of Persian or Indic scripts, a
    variation selector after an ideograph. Control characters stay too: they are for the caller to refuse.
    """
    if typed.isascii():
        return typed.replace("\t", " ").strip()
    return unicodedata.normalize("NFC", _without_unseen(unicodedata.normalize("NFC", typed)))


def visible_as_entered(typed: str) -> str:
    """The same in the very code points that were typed: without NFC, which turns some look-alikes into letters."""
    return _without_unseen(typed)


def is_blank(typed: str) -> bool:
    """Whether there is nothing to see in *typed*."""
    return _NOTHING.fullmatch(typed) is not None


def without_formats(text: str) -> str:
    """*text* without any character that shows nothing, wherever it stands: to judge a password by what is seen."""
    return "".join(char for char in re.sub(f"[{SELECTORS}]", "", text) if unicodedata.category(char) != "Cf")


def _without_unseen(text: str) -> str:
    text = _UNSEEN.sub(_joiner, text)
    return _IDLE_SELECTORS.sub("", _BLANK.sub(" ", text)).strip()


def _joiner(unseen: re.Match[str]) -> str:
    """The joiner among *unseen* characters that changes how those around them are drawn; "" where none does."""
    before = unseen.string[unseen.start() - 1 : unseen.start()]
    after = unseen.string[unseen.end() : unseen.end() + 1]
    if not before or not after:
        return ""
    return next((char for char in unseen[0] if _joins(before, char, after)), "")


def _joins(before: str, char: str, after: str) -> bool:
    """Whether *char* is a joiner that changes how its neighbours are drawn (RFC 5892, A.1 and A.2)."""
    if char not in {ZERO_WIDTH_JOINER, ZERO_WIDTH_NON_JOINER}:
        return False
    if unicodedata.combining(before) == VIRAMA or unicodedata.combining(after) == VIRAMA:
        return True
    if char == ZERO_WIDTH_JOINER:
        return False
    return unicodedata.bidirectional(before) in {"AL", "NSM"} and unicodedata.bidirectional(after) == "AL"
