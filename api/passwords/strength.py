"""The strength of a password: how many guesses it takes, by zxcvbn and by the parts that are guessed first."""

from __future__ import annotations

import threading
from decimal import Decimal
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from zxcvbn import zxcvbn
from zxcvbn.matching import L33T_TABLE, relevant_l33t_subtable
from zxcvbn.time_estimates import guesses_to_score

from api.passwords.guessable import WORDS, take_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_SCORE = 2
STRONG_SCORE = 3

# Longer passwords are guessed by their beginning: 32 characters that are hard to guess have the highest score already.
SCORED_LENGTHS = (32, 24, 16, 12)
MAX_REMAINDER_LENGTH = 20  # The remainder without guessable parts is scored beside the whole: this bounds the work.
MAX_READINGS = 6_000  # About 15 ms of zxcvbn; 72 characters in any number of readings took 170 ms.

ESTIMATING = threading.Lock()  # zxcvbn keeps the words of a call in a global; pure Python gains nothing from threads.


class Strength(NamedTuple):
    """A *score* from 0 to 4, and the *weaknesses*: the patterns, named as zxcvbn does, that make guesses easy."""

    score: int
    weaknesses: tuple[str, ...]


def estimate_strength(password: str, words: Sequence[str]) -> Strength:
    """Estimate how hard *password* is to guess, for somebody who tries *words* and this portal's words first.

    zxcvbn takes any three parts in a row for a strong password: the remainder without guessable parts has to be
    strong too.
    """
    parts = take_apart(password)
    guesses, patterns = _guesses(parts.remainder[:MAX_REMAINDER_LENGTH] if parts.patterns else password, words)
    score = guesses_to_score(parts.guesses * guesses)
    if parts.patterns and score >= MIN_SCORE:
        whole, patterns = _guesses(password, words)
        score = min(score, guesses_to_score(whole))
    found = dict.fromkeys((*parts.patterns, *patterns))
    return Strength(score, tuple(pattern for pattern in found if pattern != "bruteforce"))


def _guesses(password: str, words: Sequence[str]) -> tuple[Decimal, list[str]]:
    """Return how many guesses zxcvbn needs, and the patterns by which it guesses."""
    scorable = _scorable(password).encode("utf-8", "replace").decode()  # A lone surrogate has no UTF-8.
    if not scorable:
        return Decimal(1), []
    with ESTIMATING:
        estimate = zxcvbn(scorable, user_inputs=[*words, *WORDS])
    return estimate["guesses"], [str(match["pattern"]) for match in estimate["sequence"]]


def _scorable(password: str) -> str:
    """Return as much of the beginning as zxcvbn can read in bounded time.

    zxcvbn takes quadratic time for each way to read symbols as letters, and some passwords have hundreds of ways. They
    are counted here as if each letter chose its symbol freely, since to list them takes as long as to read them.
    """
    for length in SCORED_LENGTHS:
        beginning = password[:length]
        ways = prod(len(symbols) for symbols in relevant_l33t_subtable(beginning, L33T_TABLE).values())
        if ways * len(beginning) ** 2 <= MAX_READINGS:
            break
    return beginning
