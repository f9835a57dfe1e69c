"""Strange texts, for tests of what the service makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTROLS = "\0\x01\x07\b\t\n\v\f\r\x1b\x1c\x1f\x7f\x80\x85\x9f"
SURROGATES = "\ud800\udbff\udc00\udfff"
LINE_SEPARATORS = "\u2028\u2029"
DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
UNSEEN = "\u00ad\u180e\u200b\u2060\ufeff\ufff9\U000e0041"
JOINERS = "\u200c\u200d"
BLANKS = " \u00a0\u1680\u2003\u202f\u3000"
LOOKALIKES = (
    "\N{KELVIN SIGN}\N{ANGSTROM SIGN}\N{LATIN SMALL LETTER DOTLESS I}\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"
    "\N{LATIN SMALL LETTER LONG S}\N{LATIN SMALL LETTER SHARP S}\N{LATIN SMALL LIGATURE FI}"
    "\N{FEMININE ORDINAL INDICATOR}\N{CYRILLIC SMALL LETTER A}\N{GREEK QUESTION MARK}"
    "\N{MATHEMATICAL BOLD SMALL A}\N{MATHEMATICAL DOUBLE-STRUCK DIGIT ONE}"
    "\N{FULLWIDTH LATIN SMALL LETTER A}\N{FULLWIDTH LATIN CAPITAL LETTER K}\N{FULLWIDTH DIGIT ONE}\N{CIRCLED DIGIT ONE}"
    "\N{SUPERSCRIPT TWO}\N{ARABIC-INDIC DIGIT THREE}\N{FULLWIDTH COMMERCIAL AT}\N{SMALL COMMERCIAL AT}"
    "\N{FULLWIDTH FULL STOP}\N{IDEOGRAPHIC FULL STOP}\N{HALFWIDTH IDEOGRAPHIC FULL STOP}\N{ONE DOT LEADER}"
    "\N{FULLWIDTH SOLIDUS}\N{FRACTION SLASH}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{NON-BREAKING HYPHEN}"
)
COMBINING = (
    "\N{COMBINING ACUTE ACCENT}\N{COMBINING DOT ABOVE}\N{COMBINING CEDILLA}\N{COMBINING LONG SOLIDUS OVERLAY}"
    "\N{COMBINING GREEK YPOGEGRAMMENI}\N{HANGUL CHOSEONG KIYEOK}\N{HANGUL JUNGSEONG A}\N{DEVANAGARI SIGN VIRAMA}"
)
OTHERS = "\ue000\U0010ffff\ufffe\U0001f600\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}\N{HANGUL FILLER}"
SYNTAX = "@.,;:!?/\\|'\"`´<>()[]{}%$&*=+~^_-#"
HYPHENS = "-\u2010\u2011\u2013\u2212"
ODD = (
    CONTROLS,
    SURROGATES,
    LINE_SEPARATORS,
    DIRECTIONS,
    UNSEEN,
    JOINERS,
    BLANKS,
    LOOKALIKES,
    COMBINING,
    OTHERS,
    SYNTAX,
)
"""Each entry is one kind of characters. All kinds are equally likely, large or small."""
HARMLESS = (BLANKS, BLANKS, HYPHENS, COMBINING, ".")
"""Characters that a form may accept."""
NEVER_STORED = frozenset(CONTROLS + SURROGATES + LINE_SEPARATORS + DIRECTIONS + UNSEEN + "\ue000")

any_text = st.text(st.characters())
"""Texts of all code points, lone surrogates included."""


def of_kinds(*kinds: str) -> st.SearchStrategy[str]:
    """Draw a character of one of *kinds*."""
    return st.one_of(*map(st.sampled_from, kinds))


@dataclass(frozen=True, slots=True)
class Entry:
    """A person's entry: its own *text*, or the expected text with *intruders* in it.

    An intruder is a place in thousandths of the text, a character, and whether it replaces the character there.
    """

    text: str | None = None
    intruders: tuple[tuple[int, str, bool], ...] = ()

    def in_place_of(self, expected: str) -> str:
        """Return what is entered where *expected* is expected."""
        text = expected if self.text is None else self.text
        for thousandths, intruder, replaces in self.intruders:
            place = len(text) * thousandths // 1000
            text = text[:place] + intruder + text[place + replaces :]
        return text


def disturbances(kinds: Sequence[str] = ODD) -> st.SearchStrategy[Entry]:
    """Draw the expected text with up to three other characters in it."""
    intruder = st.tuples(st.integers(0, 1000), of_kinds(*kinds), st.booleans())
    return st.lists(intruder, max_size=3).map(lambda intruders: Entry(intruders=tuple(intruders)))


anything = (
    any_text.map(Entry)
    | st.lists(of_kinds(*ODD), max_size=12).map(lambda chars: Entry("".join(chars)))
    | disturbances()
    | disturbances(HARMLESS)
)
"""Entries close to the expected text and far from it."""


def disturbed(samples: Sequence[str], kinds: Sequence[str] = ODD) -> st.SearchStrategy[str]:
    """Draw one of *samples*, all of them acceptable, with up to three other characters in it."""
    return st.builds(Entry.in_place_of, disturbances(kinds), st.sampled_from(samples))


def entered(*samples: str) -> st.SearchStrategy[str]:
    """Draw any entry for a field that expects one of *samples*."""
    return st.builds(Entry.in_place_of, anything, st.sampled_from(samples))
