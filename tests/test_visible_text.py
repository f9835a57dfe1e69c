"""Accepted input can be stored safely, and reads the same when it is entered again."""

from __future__ import annotations

import re
import sys
import tracemalloc
import unicodedata
from functools import partial
from typing import TYPE_CHECKING

import idna
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.captcha.challenge import MAX_ANSWER_LENGTH, normalise_answer
from api.messages.languages import Language, negotiate
from api.passwords.policy import MAX_LENGTH, MIN_LENGTH, assess, is_same, normalise
from models.identifiers import IdentifierError, IdentifierType, parse_identifier
from models.personal_data import (
    MAX_EMAIL_LENGTH,
    MAX_NAME_LENGTH,
    MAX_ORGANISATION_NAME_LENGTH,
    InputError,
    clean,
    parse_email_address,
    parse_name,
    parse_phone,
)
from models.visible_text import FORMATS, is_blank, visible, visible_as_entered, without_formats
from tests.support.client import PASSWORD
from tests.support.visible_text import (
    BLANKS,
    COMBINING,
    DIRECTIONS,
    HYPHENS,
    JOINERS,
    LOOKALIKES,
    NEVER_STORED,
    ODD,
    UNSEEN,
    any_text,
    disturbed,
    entered,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DRAWN_FORMATS = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
NFC = partial(unicodedata.normalize, "NFC")
thorough = settings(database=None, derandomize=True, max_examples=300)
NAMES = ("Camille", "O’Brien-Durand, J.-P.", "Zoé 😀", "علی\u200cرضا", "Exemple & Fils", "Ŵ S.A.", "각")
ADDRESSES = (
    "camille.durand@exemple.fr",
    "O'Brien+Portail@Exemple.FR",
    "kim@café.fr",
    "ski@strasse.de",
    "i@istanbul.example.org",
    "a@xn--caf-dma.fr",
)
PHONES = ("06 12 34 56 78", "+33 (0)6 12 34 56 78", "+1 (650) 253-0000", "+39 06 6982", "06.12.34.56.78")
IDENTIFIERS = {
    IdentifierType.SIRET: ("73282932000074", "732 829 320 00074"),
    IdentifierType.UE_HORS_FRANCE: ("DE136695976", "be 428.759.497", "gr94259216", "IE8+79739I"),
    IdentifierType.HORS_UE: ("usAcmé  & Fils", "CIL’Épicerie", "USACME S.A."),
    IdentifierType.RIDET: ("0 123 456.001", "123456001"),
    IdentifierType.TAHITI: ("a12345-001", "012345001"),
    IdentifierType.AUTRE: ("dossier\u20112041", "A"),
    IdentifierType.PARTICULIER: ("part-000123",),
}
ANSWERS = ("123456", "１２３４５６", "1 2 3 4 5 6", "012345")
PASSWORDS = (PASSWORD, "Ｓoleil-ﬁer-4２!", "Été d'Indien à 30°", "пароль-Длинный-42")
HEADERS = ("fr", "en-GB,en;q=0.9,fr;q=0.8", "de, *;q=0.5", "en;q=0.0", "FR;q=1.000")

# --- Visible forms ---


def test_all_formats_of_unicode_are_known() -> None:
    """Every format character is dropped, except signs that are drawn around the digits after them."""
    known = re.compile(f"[{FORMATS}]")
    formats = [char for char in map(chr, range(0x110000)) if unicodedata.category(char) == "Cf"]
    assert "".join(char for char in formats if not known.fullmatch(char)) == DRAWN_FORMATS
    for char in formats:
        assert without_formats(f"a{char}b") == "ab"
        if char not in DRAWN_FORMATS:
            assert visible(f"{char}a{char}b{char}") == "ab", ascii(char)
            assert is_blank(char)


@thorough
@given(entered(*NAMES) | entered("ශ්\u200dරී", "علی\u200cرضا"))
def test_visible_form_is_its_own_visible_form(text: str) -> None:
    """The visible form of a text is its own visible form, and is empty if nothing can be seen."""
    seen = visible(text)
    assert visible(seen) == seen == NFC(seen)
    assert is_blank(text) is is_blank(seen)
    assert not set(seen) & set(DIRECTIONS + UNSEEN + "\t")


# --- Stored forms ---


def disturbed_identifier(type_: IdentifierType) -> st.SearchStrategy[tuple[IdentifierType, str]]:
    kinds = (LOOKALIKES, LOOKALIKES, BLANKS, HYPHENS, COMBINING)
    return st.tuples(st.just(type_), disturbed(IDENTIFIERS[type_], kinds))


def is_fit_to_store(text: str, max_length: int) -> bool:
    """Return whether *text* can go to any database, hash, mail header and log, and has one spelling."""
    text.encode()
    return (
        len(text) <= max_length
        and text == NFC(text)
        and text == text.strip()
        and not set(text) & NEVER_STORED
        and all(char in JOINERS or unicodedata.category(char) not in {"Cc", "Cf", "Co", "Cs"} for char in text)
    )


@thorough
@given(entered(*NAMES))
def test_accepted_text_is_clean(text: str) -> None:
    """No control character, line break, surrogate, mark of direction or other spelling of the same is kept."""
    try:
        kept = clean(text)
    except InputError:
        return
    assert is_fit_to_store(kept, len(text) * 3)  # NFC triples the length of a text at most.
    assert clean(kept) == kept


@thorough
@given(entered(*NAMES), st.sampled_from([MAX_NAME_LENGTH, MAX_ORGANISATION_NAME_LENGTH]))
@example("\u00a0\u0301", MAX_NAME_LENGTH)
@example("e\u0301" * MAX_NAME_LENGTH, MAX_NAME_LENGTH)
def test_accepted_name_is_its_own_normal_form(text: str, max_length: int) -> None:
    """A name is stored within its bound, with single blanks, and entered again it is the same name."""
    try:
        name = parse_name(text, max_length=max_length)
    except InputError:
        return
    assert name
    assert is_fit_to_store(name, max_length)
    assert name == " ".join(name.split())
    assert parse_name(name, max_length=max_length) == name


UNSEEN_LETTERS = [
    "\N{COMBINING GRAPHEME JOINER}",
    "\N{HANGUL CHOSEONG FILLER}",
    "\N{HANGUL JUNGSEONG FILLER}",
    "\N{HANGUL FILLER}",
    "\N{HALFWIDTH HANGUL FILLER}",
    "\N{KHMER VOWEL INHERENT AQ}",
    "\N{BRAILLE PATTERN BLANK}",
    "\N{VARIATION SELECTOR-16}",
    "\N{VARIATION SELECTOR-17}",
    "\N{ZERO WIDTH JOINER}",
]


@pytest.mark.parametrize("char", UNSEEN_LETTERS, ids=unicodedata.name)
def test_name_needs_a_visible_character(char: str) -> None:
    """A letter, a mark or a symbol that nobody can see makes no name, and is none of a Latin one."""
    for name in (char, f" {char} {char}"):
        with pytest.raises(InputError, match="REQUIRED"):
            parse_name(name)
    assert parse_name(f"A{char}") == "A"
    assert parse_name(f"\u845b{char}").startswith("\u845b")  # An ideograph, which may have variants.


@thorough
@given(entered(*PHONES))
def test_accepted_phone_number_is_its_own_normal_form(text: str) -> None:
    """A number is stored as a plus sign and at most 15 digits, and entered again it is the same number."""
    try:
        number = parse_phone(text)
    except InputError:
        return
    assert number.isascii()
    assert number[0] == "+"
    assert number[1:].isdigit()
    assert len(number) <= 16
    assert parse_phone(number) == number


@pytest.mark.parametrize("type_", IdentifierType)
def test_accepted_identifier_is_its_own_normal_form(type_: IdentifierType) -> None:
    """An identifier is visible ASCII, and it is the same one when its value is entered, or its shown form."""

    @thorough
    @given(entered(*IDENTIFIERS[type_]))
    def holds(text: str) -> None:
        try:
            identifier = parse_identifier(type_, text)
        except IdentifierError:
            return
        for written in (identifier.value, identifier.formatted):
            assert written.isascii()
            assert written.isprintable()
            assert parse_identifier(type_, written) == identifier

    holds()


@thorough
@given(st.sampled_from(sorted(set(IdentifierType) - {IdentifierType.HORS_UE})).flatmap(disturbed_identifier))
def test_no_lookalike_is_read_as_a_digit_or_letter(case: tuple[IdentifierType, str]) -> None:
    """Beyond ASCII, a number may contain blanks and hyphens only: a full-width digit is none."""
    type_, text = case
    try:
        parse_identifier(type_, text)
    except IdentifierError:
        return
    left = visible(text).translate(dict.fromkeys(map(ord, BLANKS + HYPHENS)))  # The Kelvin sign is a K by Unicode.
    assert left.isascii()


# --- Addresses ---


@thorough
@given(entered(*ADDRESSES))
def test_accepted_address_is_its_own_normal_form(text: str) -> None:
    """An address is stored in visible ASCII, with one at sign, and entered again in either form it is the same."""
    try:
        email = parse_email_address(text)
    except InputError:
        return
    for written in (email.address, email.canonical):
        assert written.isascii()
        assert written.isprintable()
        assert " " not in written
        assert written.count("@") == 1
        assert len(written) <= MAX_EMAIL_LENGTH
    assert parse_email_address(email.address) == email
    assert parse_email_address(email.canonical).address == email.canonical == email.address.lower()


@settings(thorough, max_examples=1_000)
@given(disturbed(ADDRESSES) | disturbed(ADDRESSES, (LOOKALIKES, COMBINING)))
@example("camille\N{FULLWIDTH COMMERCIAL AT}exemple.fr")
@example("camille\N{SMALL COMMERCIAL AT}exemple.fr")
@example("camille@evil.fr\N{FULLWIDTH COMMERCIAL AT}exemple.fr")
@example("camille\N{FULLWIDTH COMMERCIAL AT}exemple.fr@evil.fr")
@example("\N{KELVIN SIGN}im@exemple.fr")
@example("\N{FULLWIDTH LATIN SMALL LETTER C}amille@exemple.fr")
@example("cam\N{LATIN SMALL LETTER DOTLESS I}lle@exemple.fr")
@example("cami\N{COMBINING DOT ABOVE}lle@exemple.fr")
@example("cam\u200dille@exemple.fr")
@example("\u202ecamille@exemple.fr")
@example("camille\0@exemple.fr")
@example("kim@stra\N{LATIN SMALL LETTER SHARP S}e.de")
@example("kim@stra\N{LATIN SMALL LETTER LONG S}\N{LATIN SMALL LETTER LONG S}e.de")
@example("kim@exemple\N{IDEOGRAPHIC FULL STOP}fr")
@example("kim@exem\u200dple.fr")
@example("kim@exemple\N{ONE DOT LEADER}fr")
def test_address_is_never_changed_into_another(text: str) -> None:
    """An address is the one that is seen: the local part to the letter, the domain as IDNA alone reads it."""
    try:
        email = parse_email_address(text)
    except InputError:
        return
    local_part, _, domain = visible_as_entered(text).rpartition("@")
    assert email.address.startswith(f"{local_part}@")
    assert email.canonical.startswith(f"{local_part.lower()}@")
    assert local_part.isascii()
    assert email.canonical.partition("@")[2] == idna.encode(visible(domain), uts46=True, std3_rules=True).decode()


@pytest.mark.parametrize(
    ("domain", "stored"),
    [
        ("stra\N{LATIN SMALL LETTER SHARP S}e.de", "xn--strae-oqa.de"),
        ("\N{LATIN SMALL LETTER DOTLESS I}stanbul.fr", "xn--stanbul-qfb.fr"),
        ("ex\N{CYRILLIC SMALL LETTER A}mple.fr", "xn--exmple-4nf.fr"),
        ("EXEMPLE\N{IDEOGRAPHIC FULL STOP}FR", "exemple.fr"),
    ],
)
def test_lookalike_letters_make_another_domain(domain: str, stored: str) -> None:
    """A letter that looks like another makes another domain. The dot of an East Asian keyboard is a dot."""
    assert parse_email_address(f"camille@{domain}").canonical == f"camille@{stored}"


# --- Compared forms ---


@thorough
@given(entered(*ANSWERS))
def test_answer_is_normalised_within_bounds(text: str) -> None:
    """An answer has no visible or invisible blanks, and an ASCII one stays unchanged when normalised again."""
    answer = normalise_answer(text)
    assert not any(char.isspace() or unicodedata.category(char) == "Cf" for char in answer)
    assert len(answer) <= MAX_ANSWER_LENGTH * 18  # The longest text that NFKC makes of one character.
    if answer.isascii():
        assert normalise_answer(answer) == answer


@thorough
@given(entered(*PASSWORDS))
def test_password_is_the_same_on_any_keyboard(text: str) -> None:
    """A password and its normal form are one password, with one assessment."""
    assert normalise(normalise(text)) == normalise(text)
    assert is_same(text, normalise(text))


@settings(thorough, max_examples=200)
@given(entered(*PASSWORDS), st.lists(any_text, max_size=3))
def test_accepted_password_can_be_hashed(text: str, personal_data: list[str]) -> None:
    """Any text gets an assessment; a good password has its length, and nothing that a hash may cut."""
    assessment = assess(text, personal_data)
    assert 0 <= assessment.score <= 4
    assert assess(normalise(text), personal_data) == assessment
    if not assessment.problems:
        hashed = normalise(text)
        hashed.encode()
        assert MIN_LENGTH <= len(hashed) <= MAX_LENGTH
        assert not any(unicodedata.category(char) == "Cc" for char in hashed)


@thorough
@given(entered(*HEADERS) | st.lists(disturbed(HEADERS, (*ODD, "qenfr01.-*")), max_size=8).map(",".join))
@example("en;q=1_0")
def test_any_header_has_a_language(header: str) -> None:
    """Any header has a language; only a header that names English gets English."""
    language = negotiate(header)
    assert language in Language
    assert language is Language.FR or "en" in header.lower()


# --- Too long input ---

ENDLESS = "\N{ANGSTROM SIGN}" * 1_000_000


@pytest.mark.parametrize(
    "parse", [clean, parse_name, parse_email_address, parse_phone], ids=lambda parse: str(parse.__name__)
)
def test_too_long_text_is_refused_without_being_read(parse: Callable[[str], object]) -> None:
    """A million characters are refused as too long, without being copied or normalised."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="TOO_LONG"):
            parse(ENDLESS)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 100_000


def test_too_long_answers_and_passwords_are_not_read() -> None:
    """Of a million characters, only enough are read to see that they are too many."""
    assess(PASSWORD)  # One-time work is not counted.
    tracemalloc.start()
    try:
        assert normalise_answer(ENDLESS) == ""
        assert not is_same(ENDLESS, PASSWORD)
        assert "PASSWORD_TOO_LONG" in {problem.code for problem in assess(ENDLESS).problems}
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < sys.getsizeof(ENDLESS)
