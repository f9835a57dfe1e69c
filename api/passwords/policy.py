"""Passwords: the portal's rule, how easily one is guessed, and its hash."""

from __future__ import annotations

import os
import re
import threading
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from math import prod
from typing import TYPE_CHECKING

from zxcvbn import zxcvbn
from zxcvbn.matching import L33T_TABLE, relevant_l33t_subtable
from zxcvbn.time_estimates import guesses_to_score

from api.passwords.guessable import WORDS, take_apart
from api.refusals import FieldRefusal
from api.worker_pool import WorkerPool
from models.visible_text import without_formats

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from api.passwords.hashing import Hasher

# The portal's rule. NIST SP 800-63B and ASVS 6.2.5 advise against rules of composition; it is kept all the same.
MIN_LENGTH = 12
MAX_LENGTH = 256
MIN_CHARACTER_TYPES = 3
MIN_SCORE = 2
STRONG_SCORE = 3

LONGEST_TYPED = 8 * MAX_LENGTH  # What is longer is too long in any form, and slow to bring into one.
# Longer passwords are guessed by their beginning: 32 characters that are hard to guess have the highest score already.
SCORED_LENGTHS = (32, 24, 16, 12)
LONGEST_LEFT = 20  # What is left without guessable parts is scored beside the whole: the work for both is bounded.
MOST_READINGS = 6_000  # About 15 ms of zxcvbn; 72 characters in any number of readings took 170 ms.
SHORTEST_PERSONAL_WORD = 4
MOST_PERSONAL_WORDS = 40
MAX_WAITING = 64

ESTIMATING = threading.Lock()  # zxcvbn keeps the words of a call in a global; pure Python gains nothing from threads.


class CharacterType(StrEnum):
    """By Unicode category: Lu, Ll, Nd; SPECIAL is everything else, the space included."""

    UPPERCASE = "UPPERCASE"
    LOWERCASE = "LOWERCASE"
    DIGIT = "DIGIT"
    SPECIAL = "SPECIAL"


TYPE_OF_CATEGORY = {"Lu": CharacterType.UPPERCASE, "Ll": CharacterType.LOWERCASE, "Nd": CharacterType.DIGIT}
REFUSED_CATEGORIES = frozenset({"Cc", "Cs"})


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is to be said of a password: *score* from 0 to 4, *weaknesses* as patterns of zxcvbn."""

    score: int
    character_types: tuple[CharacterType, ...]
    problems: tuple[FieldRefusal, ...]
    weaknesses: tuple[str, ...]


def normalise(password: str) -> str:
    """NFKC (NIST SP 800-63B, 5.1.1.2), so that the same password can be typed on any keyboard; never cut."""
    return unicodedata.normalize("NFKC", password)


def is_same(password: str, confirmation: str) -> bool:
    """Whether both are the same password, however each was typed."""
    return normalise(password[:LONGEST_TYPED]) == normalise(confirmation[:LONGEST_TYPED])


def assess(password: str, personal_data: Sequence[str] = ()) -> Assessment:
    """Hold *password* to every rule at once, against words that it should not be built on.

    Characters that show nothing count for nothing, though they are part of the password.

    Slow: milliseconds of CPU. Call it through `Passwords`.
    """
    password = normalise(password[:LONGEST_TYPED])[: MAX_LENGTH + 1]  # What is longer is refused, whatever follows.
    words = personal_words(personal_data)
    seen = without_formats(password)
    types = _character_types(seen)
    score, weaknesses = _estimate(seen, words)
    problems = tuple(
        FieldRefusal(("password",), code, parameters)
        for code, parameters in _problems(password, seen, types, words, score)
    )
    return Assessment(score, types, problems, weaknesses)


def _estimate(password: str, words: Sequence[str]) -> tuple[int, tuple[str, ...]]:
    """The score, and the patterns by which the password would be guessed: by what everybody tries first, or as a whole.

    zxcvbn takes any three parts in a row for a strong password: what is left without the guessable ones has to be
    strong too.
    """
    parts = take_apart(password[:MAX_LENGTH])
    guesses, patterns = _guesses(parts.left[:LONGEST_LEFT] if parts.patterns else parts.left, words)
    score = guesses_to_score(parts.guesses * guesses)
    if parts.patterns and score >= MIN_SCORE:
        whole, patterns = _guesses(password, words)
        score = min(score, guesses_to_score(whole))
    found = dict.fromkeys((*parts.patterns, *patterns))
    return score, tuple(pattern for pattern in found if pattern != "bruteforce")


def _guesses(password: str, words: Sequence[str]) -> tuple[Decimal, list[str]]:
    """zxcvbn's guesses, and the patterns by which it would."""
    scorable = _scorable(password).encode("utf-8", "replace").decode()  # A lone surrogate has no UTF-8.
    if not scorable:
        return Decimal(1), []
    with ESTIMATING:
        estimate = zxcvbn(scorable, user_inputs=[*words, *WORDS])
    return estimate["guesses"], [str(match["pattern"]) for match in estimate["sequence"]]


def _scorable(password: str) -> str:
    """As much of the beginning as zxcvbn can look at in bounded time.

    It takes quadratic time for each way to read symbols as letters, of which some passwords have hundreds. They are
    counted here as if each letter chose its symbol freely, since to list them takes as long as to read them.
    """
    for length in SCORED_LENGTHS:
        beginning = password[:length]
        ways = prod(len(symbols) for symbols in relevant_l33t_subtable(beginning, L33T_TABLE).values())
        if ways * len(beginning) ** 2 <= MOST_READINGS:
            break
    return beginning


def _problems(
    password: str, seen: str, types: Sequence[CharacterType], words: Iterable[str], score: int
) -> Iterator[tuple[str, dict[str, str | int]]]:
    if any(unicodedata.category(char) in REFUSED_CATEGORIES for char in password):
        yield "INVALID_CHARACTERS", {}
    if len(seen) < MIN_LENGTH:
        yield "PASSWORD_TOO_SHORT", {"min": MIN_LENGTH}
    if len(password) > MAX_LENGTH:
        yield "PASSWORD_TOO_LONG", {"max": MAX_LENGTH}
    if len(types) < MIN_CHARACTER_TYPES:
        yield "PASSWORD_TOO_FEW_CHARACTER_TYPES", {"min": MIN_CHARACTER_TYPES}
    folded = _folded(seen)
    if any(word in folded for word in words):
        yield "PASSWORD_CONTAINS_PERSONAL_DATA", {}
    if score < MIN_SCORE:
        yield "PASSWORD_TOO_GUESSABLE", {}


def _character_types(password: str) -> tuple[CharacterType, ...]:
    found = {
        TYPE_OF_CATEGORY.get(unicodedata.category(char), CharacterType.SPECIAL)
        for char in password
        if unicodedata.category(char) not in REFUSED_CATEGORIES
    }
    return tuple(type_ for type_ in CharacterType if type_ in found)


def personal_words(personal_data: Iterable[str]) -> list[str]:
    """The words of names and addresses, without case and accents, that are long enough to recognise."""
    words = {
        word
        for text in personal_data
        for part in (*re.split(r"[\W_]+", _folded(text)), re.sub(r"[\W_]+", "", _folded(text)))
        if len(word := part) >= SHORTEST_PERSONAL_WORD
    }
    return sorted(words)[:MOST_PERSONAL_WORDS]


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", without_formats(text).casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


class Passwords:
    """Assesses and hashes in threads, as many at once as there are cores; the rest wait in a bounded line."""

    def __init__(self, hasher: Hasher) -> None:
        self._pool = WorkerPool(workers=os.cpu_count() or 1, max_waiting=MAX_WAITING, name="passwords")
        self._hasher = hasher

    async def assess(self, password: str, personal_data: Sequence[str] = ()) -> Assessment:
        """:raises api.refusals.TooManyRequests: the line is full."""
        return await self._pool.run(assess, password, personal_data)

    async def hash(self, password: str) -> str:
        """Return the hash of the normalised *password*, with its salt and parameters (PHC string).

        :raises api.refusals.TooManyRequests: the line is full.
        """
        return await self._pool.run(self._hasher.hash, normalise(password))

    def close(self) -> None:
        self._pool.close()
