"""Text as a person sees it: without the invisible characters that a paste brings (pure: no ORM).

All input goes through :func:`visible` first, passwords excepted.
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
"""The category Cf, except the signs of Arabic, Syriac and Kaithi that are drawn around the digits after them."""
SELECTORS: Final = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"
)
"""Joiners, fillers, unwritten vowels, variation selectors: they have a meaning in a few scripts only."""

_UNSEEN = re.compile(f"[{FORMATS}]+")
_IDLE_SELECTORS = re.compile(rf"(?:(?<=[\x00-\x7f\s])|^)[{SELECTORS}]+")
_NOTHING = re.compile(rf"[\s{FORMATS}{SELECTORS}]*")
_BLANK = re.compile(r"[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")


def visible(text: str) -> str:
    """Return *text* in NFC, with plain blanks, none at the ends, and without invisible characters.

    An invisible character stays if it changes what is seen: a joiner between letters of Persian or Indic scripts, a
    variation selector after an ideograph. Control characters stay too: the caller refuses them.
    """
    if text.isascii():
        return text.replace("\t", " ").strip()
    return unicodedata.normalize("NFC", _without_unseen(unicodedata.normalize("NFC", text)))


def visible_as_entered(text: str) -> str:
    """Do the same, but keep the code points that were entered: NFC turns some look-alikes into letters."""
    return _without_unseen(text)


def is_blank(text: str) -> bool:
    """Tell whether *text* shows nothing."""
    return _NOTHING.fullmatch(text) is not None


def without_formats(text: str) -> str:
    """Remove every invisible character from *text*, even joiners: a password is judged by what is seen."""
    return "".join(char for char in re.sub(f"[{SELECTORS}]", "", text) if unicodedata.category(char) != "Cf")


def _without_unseen(text: str) -> str:
    text = _UNSEEN.sub(_joiner, text)
    return _IDLE_SELECTORS.sub("", _BLANK.sub(" ", text)).strip()


def _joiner(unseen: re.Match[str]) -> str:
    """Return the first joiner in *unseen* that changes how its neighbours are drawn; "" if there is none."""
    before = unseen.string[unseen.start() - 1 : unseen.start()]
    after = unseen.string[unseen.end() : unseen.end() + 1]
    if not before or not after:
        return ""
    return next((char for char in unseen[0] if _joins(before, char, after)), "")


def _joins(before: str, char: str, after: str) -> bool:
    """Tell whether *char* is a joiner that changes how its neighbours are drawn (RFC 5892, A.1 and A.2)."""
    if char not in {ZERO_WIDTH_JOINER, ZERO_WIDTH_NON_JOINER}:
        return False
    if unicodedata.combining(before) == VIRAMA or unicodedata.combining(after) == VIRAMA:
        return True
    if char == ZERO_WIDTH_JOINER:
        return False
    return unicodedata.bidirectional(before) in {"AL", "NSM"} and unicodedata.bidirectional(after) == "AL"
