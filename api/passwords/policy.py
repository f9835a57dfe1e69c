"""The portal's rule for passwords: every check at once."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from api.passwords.strength import MIN_SCORE, estimate_strength
from api.refusals import FieldRefusal
from models.field_problems import FieldProblemCode
from models.visible_text import without_formats

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# The portal's rule. NIST SP 800-63B and ASVS 6.2.5 advise against rules of composition; it is kept all the same.
MIN_LENGTH = 12
MAX_LENGTH = 256
MIN_CHARACTER_TYPES = 3

MAX_ENTERED_LENGTH = 8 * MAX_LENGTH  # A longer text is too long in any normal form, and slow to normalise.
MIN_PERSONAL_WORD_LENGTH = 4
MAX_PERSONAL_WORDS = 40


class CharacterType(StrEnum):
    """A type by Unicode category: Lu, Ll, Nd; SPECIAL is everything else, the space included."""

    UPPERCASE = "UPPERCASE"
    LOWERCASE = "LOWERCASE"
    DIGIT = "DIGIT"
    SPECIAL = "SPECIAL"


TYPE_OF_CATEGORY = {"Lu": CharacterType.UPPERCASE, "Ll": CharacterType.LOWERCASE, "Nd": CharacterType.DIGIT}
REFUSED_CATEGORIES = frozenset({"Cc", "Cs"})


@dataclass(frozen=True, slots=True)
class Assessment:
    """The result of all checks: *score* from 0 to 4, *problems* to mend, *weaknesses* as patterns of zxcvbn."""

    score: int
    character_types: tuple[CharacterType, ...]
    problems: tuple[FieldRefusal, ...]
    weaknesses: tuple[str, ...]


def normalise(password: str) -> str:
    """Return *password* in NFKC (NIST SP 800-63B, 5.1.1.2), the same from any keyboard; never cut it."""
    return unicodedata.normalize("NFKC", password)


def is_same(password: str, confirmation: str) -> bool:
    """Tell whether both are the same password once normalised."""
    return normalise(password[:MAX_ENTERED_LENGTH]) == normalise(confirmation[:MAX_ENTERED_LENGTH])


def assess(password: str, personal_data: Sequence[str] = ()) -> Assessment:
    """Check *password* against every rule at once, and against the *personal_data* that it must not be built on.

    Invisible characters count for nothing, though they are part of the password.

    This takes milliseconds of CPU: call it through `Passwords`.
    """
    password = normalise(password[:MAX_ENTERED_LENGTH])[: MAX_LENGTH + 1]  # A longer one is refused by its length.
    words = personal_words(personal_data)
    seen = without_formats(password)
    types = _character_types(seen)
    score, weaknesses = estimate_strength(seen[:MAX_LENGTH], words)
    problems = tuple(
        FieldRefusal(("password",), code, parameters)
        for code, parameters in _problems(password, seen, types, words, score)
    )
    return Assessment(score, types, problems, weaknesses)


def personal_words(personal_data: Iterable[str]) -> list[str]:
    """Return the words of names and addresses that are long enough to recognise, without case and accents."""
    words = {
        word
        for text in personal_data
        for word in (*re.split(r"[\W_]+", _folded(text)), re.sub(r"[\W_]+", "", _folded(text)))
        if len(word) >= MIN_PERSONAL_WORD_LENGTH
    }
    return sorted(words)[:MAX_PERSONAL_WORDS]


def _problems(
    password: str, seen: str, types: Sequence[CharacterType], words: Iterable[str], score: int
) -> Iterator[tuple[FieldProblemCode, dict[str, str | int]]]:
    if any(unicodedata.category(char) in REFUSED_CATEGORIES for char in password):
        yield FieldProblemCode.INVALID_CHARACTERS, {}
    if len(seen) < MIN_LENGTH:
        yield FieldProblemCode.PASSWORD_TOO_SHORT, {"min": MIN_LENGTH}
    if len(password) > MAX_LENGTH:
        yield FieldProblemCode.PASSWORD_TOO_LONG, {"max": MAX_LENGTH}
    if len(types) < MIN_CHARACTER_TYPES:
        yield FieldProblemCode.PASSWORD_TOO_FEW_CHARACTER_TYPES, {"min": MIN_CHARACTER_TYPES}
    folded = _folded(seen)
    if any(word in folded for word in words):
        yield FieldProblemCode.PASSWORD_CONTAINS_PERSONAL_DATA, {}
    if score < MIN_SCORE:
        yield FieldProblemCode.PASSWORD_TOO_GUESSABLE, {}


def _character_types(password: str) -> tuple[CharacterType, ...]:
    categories = {unicodedata.category(char) for char in password} - REFUSED_CATEGORIES
    found = {TYPE_OF_CATEGORY.get(category, CharacterType.SPECIAL) for category in categories}
    return tuple(character_type for character_type in CharacterType if character_type in found)


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", without_formats(text).casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))
