"""Passwords: the portal's rules, the strength of a password, and the answers of checkPassword."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from zxcvbn import matching

from api.messages.languages import Language
from api.messages.words import has_message
from api.passwords.guessable import COLUMNS, KEYBOARDS, MONTHS, ROWS, WORDS, zigzag
from api.passwords.hashing import Argon2Hasher
from api.passwords.policy import Assessment, CharacterType, assess, is_same, personal_words
from api.passwords.threads import HASHING_NICENESS, MAX_WAITING, Passwords
from api.refusals import TooManyRequests
from tests.support.client import CHECK_PASSWORD, PASSWORD, Answer, Portal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.doubles import Clock

UPPER, LOWER, DIGIT, SPECIAL = CharacterType
SHORT, LONG, FEW = "PASSWORD_TOO_SHORT", "PASSWORD_TOO_LONG", "PASSWORD_TOO_FEW_CHARACTER_TYPES"
GUESSABLE, PERSONAL, INVALID = "PASSWORD_TOO_GUESSABLE", "PASSWORD_CONTAINS_PERSONAL_DATA", "INVALID_CHARACTERS"
CAMILLE = ["Camille", "Durand-Lefèvre", "camille.durand@exemple.fr", "compta@exemple.org"]
FOX = "\N{FOX FACE}"
OF_EACH_SCORE = {
    0: ("aaaaaaaaaaaaaaa", "VERY_WEAK", "Très faible", "Very weak"),
    1: ("Soleil2026!!!", "WEAK", "Faible", "Weak"),
    2: ("Guichet-2026-Chat", "FAIR", "Moyen", "Fair"),
    3: ("Guichet-Marmotte1", "STRONG", "Fort", "Strong"),
    4: (PASSWORD, "VERY_STRONG", "Très fort", "Very strong"),
}


def codes(assessment: Assessment) -> list[str]:
    return [problem.code for problem in assessment.problems]


def codes_of(answer: Answer) -> list[str]:
    """Return the codes of the problems that checkPassword finds."""
    assert answer["__typename"] == "PasswordCheck", answer
    assert answer["acceptable"] is not bool(answer["problems"])
    assert all(problem["path"] == ["password"] and problem["message"] for problem in answer["problems"])
    return [problem["code"] for problem in answer["problems"]]


# ── Length ──


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("Vif-Abri-42", [SHORT]),
        ("Vif-Abri-421", []),
        ("Vif-Abri-4" + FOX, [SHORT]),
        ("Vif-Abri-42" + FOX, []),
        ("Vif-Abri-4e\u0301", [SHORT]),
        ("Vif-Abri-42e\u0301", []),
        ("Vif-Abri-4\ufb01", []),
        ("Vif-Abri-4\ufb03", []),
        (" Vif-Abri-42", []),
        ("Vif-Abri-42" * 23 + "xyz", []),
        ("Vif-Abri-42" * 23 + "xyzt", [LONG]),
        (FOX * 240 + "Vif-Abri-42-soir", []),
        (FOX * 240 + "Vif-Abri-42-soirs", [LONG]),
        ("e\u0301" * 240 + "Vif-Abri-42-soir", []),
        ("\ufb01" * 120 + "Vif-Abri-42-soir", []),
        ("\ufb01" * 120 + "Vif-Abri-42-soirs", [LONG]),
        ("\u1100\u1161\u11a8" * 240 + "Vif-Abri-42-soir", []),
        ("\ufdfa" * 15, [LONG]),
        ("Vif-Abri-42" * 5_000, [LONG]),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_length_is_counted_in_normalised_code_points(password: str, expected: list[str]) -> None:
    """From 12 to 256 code points after NFKC: an emoji is one, a ligature its letters, a composed accent none."""
    assert [code for code in codes(assess(password)) if code in {SHORT, LONG}] == expected


def test_limits_have_their_number_for_messages() -> None:
    """Messages can say how many characters and types are asked for."""
    problems = (*assess("aaaaa").problems, *assess("a" * 257).problems)
    assert {problem.code: dict(problem.parameters) for problem in problems} == {
        SHORT: {"min": 12},
        LONG: {"max": 256},
        FEW: {"min": 3},
        GUESSABLE: {},
    }


# ── Character types ──


@pytest.mark.parametrize(
    ("password", "types"),
    [
        ("", []),
        ("A", [UPPER]),
        ("a", [LOWER]),
        ("1", [DIGIT]),
        (" ", [SPECIAL]),
        ("-", [SPECIAL]),
        ("\N{NO-BREAK SPACE}", [SPECIAL]),
        (FOX, [SPECIAL]),
        ("É", [UPPER]),
        ("ß", [LOWER]),
        ("Ω", [UPPER]),
        ("ж", [LOWER]),
        ("東", [SPECIAL]),
        ("ª", [LOWER]),
        ("ʰ", [LOWER]),
        ("\N{ARABIC-INDIC DIGIT FOUR}", [DIGIT]),
        ("\N{FULLWIDTH DIGIT FOUR}", [DIGIT]),
        ("\N{SUPERSCRIPT TWO}", [DIGIT]),
        ("\N{ROMAN NUMERAL FOUR}", [UPPER]),
        ("\N{LATIN CAPITAL LETTER D WITH SMALL LETTER Z}", [UPPER, LOWER]),
        ("\N{MODIFIER LETTER APOSTROPHE}", [SPECIAL]),
        ("q\N{COMBINING ACUTE ACCENT}", [LOWER, SPECIAL]),
        ("\t", []),
        ("\ud800", []),
        ("1a-A", [UPPER, LOWER, DIGIT, SPECIAL]),
    ],
    ids=ascii,
)
def test_character_types_follow_unicode_categories(password: str, types: list[CharacterType]) -> None:
    """Upper case, lower case and digits of any script; everything else is special, blanks included."""
    assert list(assess(password).character_types) == types


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("soleil brumeux 42", []),
        ("Soleil brumeux du", []),
        ("SOLEIL BRUMEUX 42", []),
        ("SoleilBrumeux42", []),
        ("soleil brumeux du nord", [FEW]),
        ("SoleilBrumeuxDuNord", [FEW]),
        ("soleilbrumeux42", [FEW]),
        ("SOLEILBRUMEUX42", [FEW]),
        ("7391-5828-4650-19", [FEW]),
        ("soleilbrumeuxdunord", [FEW]),
    ],
)
def test_three_of_the_four_character_types_are_required(password: str, expected: list[str]) -> None:
    """Any three types will do; two are too few, even in a long password."""
    assert codes(assess(password)) == expected


# ── Characters ──


@pytest.mark.parametrize("char", ["\0", "\t", "\n", "\r", "\x1b", "\x7f", "\x85", "\ud800"], ids=ascii)
@pytest.mark.parametrize("template", ["{}Soleil-Brumeux-42", "Soleil{}Brumeux-42", "Soleil-Brumeux-42{}"])
def test_control_characters_are_refused(template: str, char: str) -> None:
    """NUL, control characters and lone surrogates, which forms and hashes may cut or change, are refused anywhere."""
    assert codes(assess(template.format(char))) == [INVALID]


@pytest.mark.parametrize("char", ["\u200d", "\u00ad", "\ue000", "\u202e", "\u2028", "\ufffd"], ids=ascii)
def test_any_other_character_is_accepted(char: str) -> None:
    """Characters that a keyboard or a password manager may put in are accepted, visible or not."""
    assert codes(assess(f"Soleil{char}Brumeux-42")) == []


# ── Guessability ──


@pytest.mark.parametrize(
    "password",
    [
        "Motdepasse12",
        "Motdepasse-1",
        "Password1234",
        "P@ssw0rd1234",
        "drowssaP1234",
        "Azertyuiop12",
        "AZERTYUIOP-12",
        "azertyuiop-12",
        "Qsdfghjklm12",
        "Wxcvbn-Wxcvbn-1",
        "poiuytrezA12",
        "Qwertyuiop12",
        "Bienvenue2026",
        "Aa1!Aa1!Aa1!",
        "Abc-Abc-Abc-Abc-",
        f"Ab1{FOX * 20}",
        "1qaz2wsx3edcA",
    ],
    ids=ascii,
)
def test_common_passwords_are_refused(password: str) -> None:
    """Common passwords, also French ones and rows of French keys, are refused in any disguise."""
    assert codes(assess(password)) == [GUESSABLE]


def disguises_of(word: str) -> Iterator[str]:
    """Yield the disguises in which people adapt *word* to the rules."""
    for dress in (
        "{}2026!",
        "{}12345!",
        "{}-2026-1",
        "2026{}!!",
        "!{}1999123",
        "{}2031?!",
        "{0}{0}{0}1!",
        "{}\u200b2026\u2060!",
    ):
        yield from map(dress.format, (word.capitalize(), word.upper(), word.title().swapcase()))
    yield f"{word.capitalize().translate(str.maketrans('aeiost', '43105+'))}2026!Z"


@pytest.mark.parametrize("word", [*WORDS, *MONTHS])
def test_words_of_the_portal_add_no_strength(word: str) -> None:
    """Words that an attacker of a French portal tries first make a password no better, in any disguise."""
    assert assess(word).score == 0
    assert "dictionary" in assess(word).weaknesses
    for password in disguises_of(word):
        assert GUESSABLE in codes(assess(password)), password


@pytest.mark.parametrize("keys", [*ROWS, *COLUMNS])
def test_rows_and_columns_of_keyboards_add_no_strength(keys: str) -> None:
    """Rows and columns of French, German and other keyboards make a password no better, forwards or backwards."""
    for length in range(3, len(keys) + 1):
        for password in disguises_of(keys[:length]):
            assert GUESSABLE in codes(assess(password)), password
    for start in range(len(keys) - 3):
        for walk in (keys[start:], keys[start:][::-1]):
            assert GUESSABLE in codes(assess(f"{walk.capitalize()}2026!")), walk


@pytest.mark.parametrize(
    "walk",
    ["azqswx", "aqzsedrf", "qawsedrf", "zqsdxc", "azsqwx", "1a2z3e4r", "a1z2e3r4", "qwsdxcfv", "yaqwsx", "polkij"],
)
def test_walks_between_neighbouring_keys_add_no_strength(walk: str) -> None:
    """A walk from key to neighbouring key, in any direction and either way, makes a password no better."""
    for keys in (walk, walk[::-1]):
        for dress in ("{}12!", "{}2026!", "!{}1999", "{}-12345-"):
            assert GUESSABLE in codes(assess(dress.format(keys.capitalize()))), dress.format(keys)


def test_ordinary_words_are_no_keyboard_walks() -> None:
    """Hardly any word or name of the frequency lists is a walk over five neighbouring keys."""
    words = {word for name, ranks in matching.RANKED_DICTIONARIES.items() if "pass" not in name for word in ranks}
    walks = re.compile("|".join(map(zigzag, KEYBOARDS)))
    assert len(words) > 50_000
    assert 0 < sum(walks.search(word) is not None for word in words) < len(words) / 1_000


@pytest.mark.parametrize("year", [1900, 1975, 1999, 2000, 2019, 2025, 2026, 2027, 2099])
def test_years_add_no_strength(year: int) -> None:
    """A common word or name is no better for a year of this century or the last."""
    for password in ("Soleil{}!!!", "{}Soleil!!!", "Thomas{}1!", "Soleil-{}-!", "Marseille{}"):
        assert codes(assess(password.format(year))) == [GUESSABLE], password


@pytest.mark.parametrize(
    "password",
    [
        "Azerty12345!",
        "Guichet2026!",
        "GUICHET-2026",
        "Gu1ch3t2026!",
        "@zerty12345!",
        "Guichet2027!1",
        "Guichet2026123",
        "Guichet2026!a",
        "12345Azerty!",
        "Azerty-Qsdfgh-1",
        "Aqwzsxedc123!",
        "Portail-Facture-Siret-2026!",
        "Guichet\u200b2026!",
        "Az\u00aderty12345!",
        "tehciuG2026!",
        "Password2026!",
        "Azqswxedc12!",
        "monGuichet26!",
        "monGuichet974!",
        "26Guichetmon!",
        "Guichet69Lyon!",
        "Marseille13!!",
        "Toulouse31000!",
        "31000-Toulouse!",
        "aaaaaaaaA1!a",
        "abababababA1!b",
    ],
    ids=ascii,
)
def test_usual_additions_add_no_strength(password: str) -> None:
    """Capitals, symbols, digits and a year around a guessable word don't help: everybody adds them."""
    assert codes(assess(password)) == [GUESSABLE]


@pytest.mark.parametrize(
    "password",
    [
        "Mon chien a mangé le canapé en 2019",
        "Guichet-Orage-Tranquille-7",
        "Azerty-Marmotte-Violon-8",
        "Brumeux-Cerisier-2026",
        "Trois2026-chats-verts",
        "Liberty-Tree-42xq",
        "xK9$2026mQ7z",
        "Passerelle-Marseille-7",
        "La facture du client 1789 est perdue",
        "Orage9Tranquille",
        "Orage-Toulouse31-Tranquille",
        "Treize hundreds of polders",
        "Une très longue phrase aaaaaa de passe",
    ],
)
def test_strong_password_may_have_a_guessable_part(password: str) -> None:
    """A year, a walk or a word of the portal in a password that is strong without it does no harm."""
    assert codes(assess(password)) == []


def test_each_of_the_30000_most_common_passwords_is_refused() -> None:
    """None of the 30,000 most common passwords that are long enough is accepted, capitalised or not (ASVS 6.2.4)."""
    common = [word for word in matching.RANKED_DICTIONARIES["passwords"] if len(word) >= 12]
    assert len(common) > 100
    for word in common:
        assert GUESSABLE in codes(assess(word))
        assert GUESSABLE in codes(assess(word.capitalize()))


@pytest.mark.parametrize(
    "password", [PASSWORD, "correct-Cheval-pile", "tR9#kq!vZ2pL", "Été brûlé, à l’ombre", "我的Soleil-42-был"]
)
def test_good_passwords_are_accepted(password: str) -> None:
    """Several words, random characters and any script are accepted, with the highest score."""
    assessment = assess(password, CAMILLE)
    assert (codes(assessment), assessment.score) == ([], 4)


def test_strength_of_a_long_password_is_judged_by_its_beginning() -> None:
    """A beginning that is hard to guess is enough; an easy one followed by many repetitions is not."""
    assert assess(PASSWORD + "a" * 200).score >= 2
    assert codes(assess("Aa1!" * 60)) == [GUESSABLE]


# ── Invisible characters ──


@pytest.mark.parametrize("char", ["\u200b", "\u200d", "\u00ad", "\ufeff", "\u2066", "\ufe0f", "\u3164"], ids=ascii)
def test_invisible_characters_add_no_strength(char: str) -> None:
    """Invisible characters add neither length nor a type, and hide no name: visible text is judged."""
    assert codes(assess(f"A1{char * 10}")) == [SHORT, FEW, GUESSABLE]
    assert codes(assess(f"Vif-Abri-42{char}")) == [SHORT]
    assert codes(assess(f"soleilbrumeux42{char}")) == [FEW]
    assert codes(assess(f"Soleil-Du{char}rand-42", CAMILLE)) == [PERSONAL]
    assert codes(assess("Soleil-Durand-42", [f"Du{char}rand"])) == [PERSONAL]
    assert codes(assess(f"A{char}zerty12345!")) == [GUESSABLE]
    assert assess(f"Soleil{char}-Brumeux-42") == assess(PASSWORD)


def test_invisible_characters_are_part_of_the_password() -> None:
    """Passwords with and without an invisible character are different passwords."""
    assert not is_same(PASSWORD, f"{PASSWORD}\u200b")
    assert codes(assess(PASSWORD + "\u200b" * 256)) == [LONG]


# ── Personal data ──


@pytest.mark.parametrize(
    ("password", "personal_data"),
    [
        ("Soleil-Camille-42", CAMILLE),
        ("soleil-CAMILLE-42", CAMILLE),
        ("Soleilcamille42", CAMILLE),
        ("Soleil-Lefevre-42", CAMILLE),
        ("Soleil-LEFÈVRE-42", CAMILLE),
        ("Soleil-Lefe\u0300vre-42", CAMILLE),
        ("Soleil-Ｌｅｆｅｖｒｅ-42", CAMILLE),
        ("Soleil-durandlefevre-42", CAMILLE),
        ("Soleil-Exemple-42", CAMILLE),
        ("Soleil-Compta-42", CAMILLE),
        ("Brume-Straße-42", ["Strasse"]),
        ("Brume-Strasse-42", ["Straße"]),
        ("Brume-Œuvre-42", ["Œuvre"]),
        ("Мой-пароль-42", ["Пароль"]),
        ("Brume-jeanne-marie-42", ["Jeanne_Marie"]),
        ("Soleil-\u0130STANBUL-42", ["\u0130stanbul"]),
    ],
    ids=ascii,
)
def test_personal_data_is_refused_in_any_spelling(password: str, personal_data: list[str]) -> None:
    """A name or a part of an address is recognised without regard to case, accents, ligatures and width."""
    assert PERSONAL in codes(assess(password, personal_data))


@pytest.mark.parametrize(
    ("password", "personal_data"),
    [
        ("Soleil-Ng-Brumeux-42", ["Ng"]),
        ("Soleil-Zoe-Brumeux-42", ["Zoé", "Li"]),
        ("Soleil-d-o-r-Brumeux-42", ["d'Or"]),
        ("Soleil-fr-com-Brumeux-42", ["zoe@li.fr", "li@li.com"]),
        ("Soleil-Camill-Brumeux-42", ["Camille"]),
        (PASSWORD, [""]),
        (PASSWORD, [" ", "\0", "\ud800", "@", "---"]),
    ],
    ids=ascii,
)
def test_short_names_do_not_matter(password: str, personal_data: list[str]) -> None:
    """Words under four letters, blanks and odd characters, which occur in any password, forbid nothing."""
    assert codes(assess(password, personal_data)) == []


def test_at_most_forty_personal_words_are_searched() -> None:
    """At most forty words are looked for."""
    assert len(personal_words(f"word{number}" for number in range(500))) == 40


def test_disguised_personal_data_is_easier_to_guess() -> None:
    """A name with symbols in the place of letters lowers the score of a password that is built on it."""
    assert assess("Zd1sl4v4-Kr0pw", ["Zdislava", "Kropw"]).score < assess("Zd1sl4v4-Kr0pw").score


# ── The same password ──


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Café", "Cafe\u0301", True),
        ("\ufb01n", "fin", True),
        ("４２", "42", True),
        ("a\u00a0b", "a b", True),
        ("", "", True),
        ("Café", "Cafe", False),
        ("a", "A", False),
        ("a", "a ", False),
        ("\ud800", "\udfff", False),
        ("a" * 256, "a" * 257, False),
        ("a" * 256, "a" * 60_000, False),
        ("\u1100\u1161\u11a8" * 256, "\uac01" * 256, True),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_password_and_confirmation_are_compared_normalised(one: str, other: str, same: bool) -> None:
    """Password and confirmation are compared after normalisation, to the last character."""
    assert is_same(one, other) is same


# ── Many at once ──


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Make threads take turns all the time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_simultaneous_checks_use_their_own_personal_data(hasty_threads: None) -> None:
    """Each of the passwords that are assessed at the same moment is checked against its own person's data only."""
    people = [(f"{name}{name[::-1]}", [name]) for name in ("zdislava", "wqkropwy")]
    alone = [assess(*person) for person in people]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(assess, *zip(*people * 200, strict=True)))
    assert together == alone * 200


class PriorityHasher:
    """A hasher that returns the niceness of the thread in which it is called."""

    def hash(self, password: str) -> str:
        return str(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives each thread a priority of its own")
async def test_hashes_let_everything_else_go_first() -> None:
    """A hash is made in a thread of low priority, which never holds up the event loop; the process keeps its own."""
    passwords, before = Passwords(PriorityHasher()), os.getpriority(os.PRIO_PROCESS, os.getpid())
    try:
        assert int(await passwords.hash(PASSWORD)) == max(before, HASHING_NICENESS)
        assert os.getpriority(os.PRIO_PROCESS, os.getpid()) == before
    finally:
        passwords.close()


# ── checkPassword ──


@pytest.mark.anyio
async def test_too_much_work_at_once_is_refused() -> None:
    """Besides those being assessed, 64 passwords wait; more are refused at once, and accepted again later."""
    passwords, places = Passwords(Argon2Hasher()), (os.cpu_count() or 1) + MAX_WAITING
    try:
        tried = (passwords.assess("Azertyuiop12") for _ in range(places + 3))
        results = await asyncio.gather(*tried, return_exceptions=True)
        assert sum(isinstance(result, Assessment) for result in results) == places
        assert sum(isinstance(result, TooManyRequests) for result in results) == 3
        assert isinstance(await passwords.assess(PASSWORD), Assessment)
    finally:
        passwords.close()


@pytest.mark.anyio
@pytest.mark.parametrize("score", OF_EACH_SCORE)
async def test_each_score_has_its_strength(portal: Portal, score: int) -> None:
    """Score, strength and label say the same, in both languages."""
    password, strength, french, english = OF_EACH_SCORE[score]
    for accept, label in (("fr", french), ("en", english), ("de", french)):
        answer = await portal.check_password(password, accept=accept)
        assert (answer["score"], answer["strength"], answer["strengthLabel"]) == (score, strength, label)
        assert answer["acceptable"] is (score >= 2)
        assert bool(answer["suggestions"]) is (score < 3)


@pytest.mark.anyio
async def test_a_good_password_gets_no_problems_or_suggestions(portal: Portal) -> None:
    """A good password gets its strength and its types, and neither problems nor suggestions."""
    assert await portal.check_password(PASSWORD, accept="en") == {
        "__typename": "PasswordCheck",
        "acceptable": True,
        "strength": "VERY_STRONG",
        "strengthLabel": "Very strong",
        "score": 4,
        "characterTypes": ["UPPERCASE", "LOWERCASE", "DIGIT", "SPECIAL"],
        "problems": [],
        "suggestions": [],
    }


@pytest.mark.anyio
async def test_a_bad_password_gets_its_problems_and_advice(portal: Portal) -> None:
    """Every broken rule has its code and words, and each weakness its advice."""
    answer = await portal.check_password("azerty123", accept="en")
    assert answer["problems"] == [
        {"path": ["password"], "code": SHORT, "message": "At least 12 characters."},
        {
            "path": ["password"],
            "code": FEW,
            "message": "At least 3 of these types: upper case, lower case, digits, special characters.",
        },
        {"path": ["password"], "code": GUESSABLE, "message": "This password is too easy to guess."},
    ]
    assert answer["suggestions"] == [
        "Avoid rows of keys.",
        "Add a word or two that are uncommon.",
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "password",
    ["", " ", "\0", "\ud800", "\ud800" * 72, FOX * 300, "\ufdfa" * 10_000, "a" * 60_000, "\u0301" * 10_000],
    ids=lambda value: ascii(value)[:20],
)
async def test_any_text_gets_an_assessment(portal: Portal, password: str) -> None:
    """Even nothing, lone surrogates, or as much as a request can hold gets an answer, never an error."""
    answer = await portal.call_in_ascii(CHECK_PASSWORD, {"input": {"password": password}})
    assert codes_of(answer)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("personal_data", "code"),
    [
        (["x"] * 20, None),
        (["x"] * 21, "TOO_MANY_ITEMS"),
        (["x" * 100], None),
        (["x", "x" * 101], "TOO_LONG"),
        ([FOX * 100], None),
        ([], None),
        (["\0", "\ud800", ""], None),
    ],
)
async def test_personal_data_is_limited(portal: Portal, personal_data: list[str], code: str | None) -> None:
    """Twenty words of a hundred characters are looked at; more is refused with its code."""
    entered = {"password": PASSWORD, "personalData": personal_data}
    answer = await portal.call_in_ascii(CHECK_PASSWORD, {"input": entered})
    if code is None:
        assert codes_of(answer) == []
    else:
        assert answer["code"] == "INVALID_INPUT"
        assert [(problem["path"], problem["code"]) for problem in answer["fields"]] == [(["personalData"], code)]


@pytest.mark.anyio
async def test_personal_data_in_the_request_is_searched(portal: Portal) -> None:
    """Before there is a link, a form sends the person's data, and they are searched in the password."""
    assert codes_of(await portal.check_password("Soleil-Durand-42", personalData=["Durand"])) == [PERSONAL]
    assert codes_of(await portal.check_password("Soleil-Durand-42", personalData=[])) == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    "password", [PASSWORD, "Soleil-Camille-42", "Soleil-Durand-42", "Soleil-Exemple-42", "Soleil-Compta-42", "Camille"]
)
async def test_check_with_a_token_agrees_with_the_activation(portal: Portal, password: str) -> None:
    """With the link's token a password is checked against the person's own data, exactly as on activation."""
    token = await portal.activation_token(contactEmail="compta@exemple.org")
    checked = await portal.check_password(password, activationToken=token)
    activated = await portal.activate_account(token, password)
    assert codes_of(checked) == [problem["code"] for problem in activated.get("fields", [])]
    assert checked["acceptable"] is (password == PASSWORD)


@pytest.mark.anyio
@pytest.mark.parametrize("token", [None, "", "garbage", "\0", "\ud800"], ids=ascii)
async def test_an_unknown_token_is_ignored(portal: Portal, token: str | None) -> None:
    """An unknown token changes nothing: the personal data that came with it counts."""
    entered: dict[str, Any] = {"password": "Soleil-Durand-42", "activationToken": token, "personalData": ["Durand"]}
    assert codes_of(await portal.call_in_ascii(CHECK_PASSWORD, {"input": entered})) == [PERSONAL]
    entered["personalData"] = []
    assert codes_of(await portal.call_in_ascii(CHECK_PASSWORD, {"input": entered})) == []


@pytest.mark.anyio
async def test_an_expired_link_reveals_nothing_of_the_person(portal: Portal, clock: Clock) -> None:
    """Names tried with an expired link do not reveal whose data it was about."""
    token = await portal.activation_token()
    clock.advance(minutes=60)
    assert codes_of(await portal.check_password("Soleil-Durand-42", activationToken=token)) == []


# ── passwordPolicy, and the words ──


@pytest.mark.anyio
async def test_the_policy_states_the_checked_limits(portal: Portal) -> None:
    """The policy has the numbers of the check, in words of the requested language."""
    query = """query ($language: Language) { passwordPolicy(language: $language) {
        minLength maxLength minCharacterTypes characterTypes description } }"""
    policy = await portal.call(query, {"language": "EN"}, language="fr")
    description = policy.pop("description")
    assert policy == {
        "minLength": 12,
        "maxLength": 256,
        "minCharacterTypes": 3,
        "characterTypes": ["UPPERCASE", "LOWERCASE", "DIGIT", "SPECIAL"],
    }
    assert description.startswith("At least 12 characters, with at least 3 of these types")
    french = await portal.call(query, {"language": None}, language="fr")
    assert french["description"].startswith("12 caractères au moins, dont au moins 3 de ces types")
    assert await portal.call(query, {}) == french


@pytest.mark.parametrize("language", Language)
def test_every_weakness_has_its_advice(language: Language) -> None:
    """Each pattern that zxcvbn can find has words in both languages, and each score its label."""
    patterns = set(re.findall(r"'pattern': '(\w+)'", inspect.getsource(matching)))
    assert patterns >= {"dictionary", "spatial", "repeat", "sequence", "regex", "date"}
    assert [name for name in patterns if not has_message(language, f"password-suggestion-{name}")] == []
    assert all(has_message(language, f"password-strength-{score}") for score in range(5))
