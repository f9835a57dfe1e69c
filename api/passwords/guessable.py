"""Guessable parts of passwords: words of this portal, cities, seasons and months, walks over keyboards, years.

zxcvbn knows no French keyboard and no year after 2019, and takes any three parts in a row for a strong password.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

GUESSES_FOR_A_PART: Final = 20
"""The guesses that one part costs: those who guess try these parts in every place."""

CITIES: Final = (
    *("paris", "marseille", "lyon", "toulouse", "nice", "nantes", "montpellier", "strasbourg", "bordeaux", "lille"),
    *("rennes", "toulon", "reims", "saint-etienne", "saintetienne", "le-havre", "lehavre", "villeurbanne", "dijon"),
    *("grenoble", "angers", "saint-denis", "saintdenis", "nimes", "clermont", "aix-en-provence", "aixenprovence"),
    *("brest", "tours", "amiens", "limoges", "annecy", "perpignan", "metz", "besancon", "orleans", "rouen", "mulhouse"),
    *("caen", "nancy", "avignon", "poitiers", "noumea", "papeete"),
)
WORDS: Final = (
    *CITIES,
    *("guichet", "portail", "chorus", "chorus-pro", "choruspro", "facture", "factures", "facturation", "invoice"),
    *("siret", "siren", "sirene", "ridet", "tahiti", "entreprise", "societe", "organisation", "fournisseur", "client"),
    *("compte", "inscription", "activation", "connexion", "service", "public", "france", "republique", "gouv"),
    *("motdepasse", "password", "admin", "utilisateur", "bonjour", "bienvenue", "welcome"),
)
MONTHS: Final = (
    *("janvier", "fevrier", "avril", "juin", "juillet", "aout", "septembre", "octobre", "novembre", "decembre"),
    *("january", "february", "april", "june", "july", "august", "september", "october", "november", "december"),
    *("printemps", "automne", "hiver", "spring", "summer", "autumn", "winter"),
)
ROWS: Final = (
    *("azertyuiop", "qsdfghjklm", "wxcvbn"),  # French and Belgian.
    *("qwertyuiop", "asdfghjkl", "zxcvbnm"),
    *("qwertzuiop", "yxcvbnm"),  # German and Swiss.
    *("bépoèvdljz", "auie", "ctsrnm"),  # Bépo.
    *("1234567890", "&é\"'(-è_çà", "!@#$%^&*()", '"«»()@+-/*', "abcdefghijklmnopqrstuvwxyz"),
)
COLUMNS: Final = (
    *("1aqw", "2zsx", "3edc", "4rfv", "5tgb", "6yhn", "7uj,", "8ik;", "9ol:", "0pm!"),
    *("&aqw", "ézsx", '"edc', "'rfv", "(tgb", "-yhn"),
    *("1qaz", "2wsx", "7ujm", "1qay", "6zhn", "aqw", "zsx", "edc", "rfv", "tgb", "yhn", "qaz", "wsx"),
)
KEYBOARDS: Final = (  # From the digits down; Bépo is left out: on it, too many ordinary words are walks.
    ("1234567890", "azertyuiop", "qsdfghjklm", "wxcvbn,;:!"),
    ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm,."),
    ("1234567890", "qwertzuiop", "asdfghjkl", "yxcvbnm,."),
)
MIN_ZIGZAG_LENGTH: Final = 5
MIN_WALK_LENGTH: Final = 4
MIN_EDGE_WALK_LENGTH: Final = 3
SYMBOLS_FOR: Final = {"a": "4@", "b": "8", "e": "3€", "g": "9", "i": "1!|", "l": "1|", "o": "0", "s": "5$", "t": "7+"}


class Parts(NamedTuple):
    """A password without its guessable parts: the *remainder*, the *guesses* that the parts cost, their *patterns*."""

    remainder: str
    guesses: int
    patterns: tuple[str, ...]


def take_apart(password: str) -> Parts:
    """Find the guessable parts of *password*, ignoring case, accents and symbols in the place of letters.

    The remainder loses the symbols that joined it to the parts.
    """
    parts = list(_GUESSABLE.finditer(_plain(password)))
    if not parts:
        return Parts(password, 1, ())
    starts = [0, *(part.end() for part in parts)]
    ends = [*(part.start() for part in parts), len(password)]
    remainder = "".join(_without_joints(password[start:end]) for start, end in zip(starts, ends, strict=True))
    different = {part[0] for part in parts}  # To repeat a part costs no further guess.
    patterns = tuple(dict.fromkeys(str(part.lastgroup) for part in parts))
    return Parts(remainder, GUESSES_FOR_A_PART ** len(different), patterns)


def _plain(password: str) -> str:
    """Return *password* in lower case without accents, with as many characters as before."""
    return "".join(_plain_character(char) for char in password)


def _plain_character(char: str) -> str:
    lower = char.lower()
    base = unicodedata.normalize("NFD", lower)[0]
    return base if base.isalpha() and base.isascii() else lower[0]


def _without_joints(piece: str) -> str:
    """Strip one symbol, once or repeated, from either end of *piece*."""
    return re.sub(r"^([\W_])\1*|([\W_])\2*$", "", piece)


def _walks(row: str) -> Iterator[str]:
    """Yield the walks along *row*, in either direction; from its beginning, fewer keys make a walk."""
    for direction in (row, row[::-1]):
        for start in range(len(direction)):
            from_the_edge = start == 0 and direction == row
            shortest = MIN_EDGE_WALK_LENGTH if from_the_edge else MIN_WALK_LENGTH
            for end in range(start + shortest, len(direction) + 1):
                yield direction[start:end]


def zigzag(rows: Sequence[str]) -> str:
    """Return a regular expression for a walk from key to neighbouring key of *rows* that never goes straight back."""
    steps = (
        f"{re.escape(key)}(?=[{re.escape(''.join(sorted(neighbours)))}])(?!.{re.escape(key)})"
        for key, neighbours in _neighbours(rows).items()
    )
    return f"(?:{'|'.join(steps)}){{{MIN_ZIGZAG_LENGTH - 1},}}."


def _neighbours(rows: Sequence[str]) -> dict[str, set[str]]:
    """Map each key to the keys that touch it; a row stands half a key to the right of the one above it.

    A digit is also a neighbour of the next letter, as in a1z2e3r4.
    """
    neighbours: dict[str, set[str]] = {key: set() for row in rows for key in row}
    beside = [pair for row in rows for pair in pairwise(row)]
    touching = [(upper[right:], lower) for upper, lower in pairwise(rows) for right in (0, 1)]
    below = [pair for keys in (*touching, (rows[0], rows[1][1:])) for pair in zip(*keys, strict=False)]
    for one, other in (*beside, *below):
        neighbours[one].add(other)
        neighbours[other].add(one)
    return neighbours


def _any_of(texts: Iterable[str]) -> str:
    """Return a regular expression for the longest match of *texts*, with symbols in the place of letters or without."""
    by_first: dict[str, set[str]] = {}
    for text in texts:
        if text:
            by_first.setdefault(text[0], set()).add(text[1:])
    branches = (_character(first) + _rest(rests) for first, rests in by_first.items())
    return f"(?:{'|'.join(branches)})"


def _rest(rests: set[str]) -> str:
    """Return a regular expression for the *rests* that may follow a character; "" means that it may be the last."""
    if rests == {""}:
        return ""
    return _any_of(rests) + ("?" if "" in rests else "")


def _character(char: str) -> str:
    return f"[{re.escape(char + SYMBOLS_FOR.get(char, ''))}]"


_AREA = "[0-9]{2}(?:[0-9]|[0-9]{3})?"  # A department or a postcode: 69, 974, 31000.
_PLAIN_KEYS = [_plain(keys) for keys in (*ROWS, *COLUMNS)]
_PATTERNS: Final = {  # Named as the patterns of zxcvbn, which have suggestions.
    "regex": r"(?:19|20)[0-9]{2}",
    "repeat": r"(?P<same>.{1,4}?)(?P=same){3,}",
    "dictionary": rf"(?:(?<![0-9]){_AREA}[\W_]?)?{_any_of([*WORDS, *MONTHS])}(?:[\W_]?{_AREA}(?![0-9]))?",
    "spatial": "|".join(
        (_any_of([walk for keys in _PLAIN_KEYS for walk in _walks(keys)]), *map(zigzag, KEYBOARDS)),
    ),
}
_GUESSABLE: Final = re.compile("|".join(f"(?P<{name}>{expression})" for name, expression in _PATTERNS.items()))
