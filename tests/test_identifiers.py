"""Parsing of identifiers: accepted values, their canonical form, and the problem of any other."""

import pickle
import tracemalloc
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.eu import vat
from stdnum.exceptions import ValidationError

from models.field_problems import FieldProblemCode
from models.identifiers import (
    IDENTIFIER_FORMATS,
    Identifier,
    IdentifierError,
    IdentifierType,
    parse_identifier,
)
from models.visible_text import is_blank
from tests.support.identifier_samples import (
    ACCEPTED,
    AUTRE,
    CHECKSUM,
    FORMAT,
    HORS_UE,
    LENGTH,
    PARTICULIER,
    REFUSED,
    RIDET,
    SIRET,
    TAHITI,
    UE_HORS_FRANCE,
)
from tests.support.identifiers import IDENTIFIER_PROBLEMS

any_type = st.sampled_from(IdentifierType)
any_text = st.text() | st.text("0123456789ABEFRSUWabçé .-\u00a0\u2011’&\x00\ud800１ßıU", max_size=24)
plain_text = st.text("0123456789ABDEFRSUWabz", max_size=20) | st.from_regex(r"[0-9]{13,15}", fullmatch=True)
well_formed = any_type.flatmap(
    lambda type_: st.tuples(st.just(type_), st.from_regex(IDENTIFIER_FORMATS[type_].pattern, fullmatch=True))
)


@pytest.mark.parametrize(("type_", "entered", "value"), ACCEPTED)
def test_valid_value_is_stored_in_canonical_form(type_: IdentifierType, entered: str, value: str) -> None:
    """A valid value is accepted in each usual spelling, and stored in its canonical form."""
    assert parse_identifier(type_, entered) == Identifier(type_, value)


@pytest.mark.parametrize(("type_", "entered", "problem"), REFUSED)
def test_invalid_value_is_refused_with_its_first_problem(
    type_: IdentifierType, entered: str, problem: FieldProblemCode
) -> None:
    """An invalid value is refused with its first problem."""
    with pytest.raises(IdentifierError) as refusal:
        parse_identifier(type_, entered)
    assert refusal.value.code is problem


@pytest.mark.parametrize("type_", IdentifierType)
def test_published_example_is_valid_and_formatted(type_: IdentifierType) -> None:
    """Each type's example is valid, and formatted as people write it."""
    published = IDENTIFIER_FORMATS[type_]
    assert parse_identifier(type_, published.example).formatted == published.example


@pytest.mark.parametrize(("type_", "entered", "value"), ACCEPTED)
def test_canonical_and_formatted_value_parse_to_the_same_identifier(
    type_: IdentifierType, entered: str, value: str
) -> None:
    """The canonical and the formatted value parse to the same identifier."""
    identifier = parse_identifier(type_, entered)
    assert parse_identifier(type_, identifier.value) == identifier
    assert parse_identifier(type_, identifier.formatted) == identifier


@pytest.mark.parametrize(
    ("type_", "value", "formatted"),
    [
        (SIRET, "73282932000074", "732 829 320 00074"),
        (UE_HORS_FRANCE, "ATU13585627", "AT U13585627"),
        (HORS_UE, "USACME CORPORATION", "USACME CORPORATION"),
        (RIDET, "0123456001", "0 123 456.001"),
        (TAHITI, "A12345001", "A12345-001"),
        (AUTRE, "EN-COURS-2041", "EN-COURS-2041"),
        (PARTICULIER, "DUPONT-1", "DUPONT-1"),
    ],
)
def test_identifier_is_formatted_as_people_write_it(type_: IdentifierType, value: str, formatted: str) -> None:
    """An identifier is shown as people write it."""
    assert Identifier(type_, value).formatted == formatted


@settings(database=None, max_examples=500)
@given(any_type, any_text)
@example(SIRET, "\ud800")
def test_any_text_is_an_identifier_or_refused(type_: IdentifierType, entered: str) -> None:
    """Any text gives an identifier in ASCII that parses to itself, or an IdentifierError."""
    try:
        identifier = parse_identifier(type_, entered)
    except IdentifierError as refusal:
        assert str(refusal) == refusal.code  # noqa: PT017 - the refusal is one of two good answers
    else:
        assert identifier.value.isascii()
        assert parse_identifier(type_, identifier.value) == identifier


def parsed(type_: IdentifierType, entered: str) -> Identifier | FieldProblemCode:
    """Return the identifier, or the problem with it."""
    try:
        return parse_identifier(type_, entered)
    except IdentifierError as refusal:
        return refusal.code


@settings(database=None, max_examples=2000)
@given(any_type, any_text | plain_text)
@example(SIRET, "73282932000074")
@example(SIRET, "35600000049837")
@example(SIRET, "1" * 99)
@example(AUTRE, "\u212a2")  # The sign of the kelvin, which NFC turns into a K.
@example(SIRET, "73282932000074\u3164")  # A letter that nobody sees.
def test_blank_around_a_text_changes_nothing(type_: IdentifierType, entered: str) -> None:
    """A text of letters and digits alone, which is read quickly, means what it means with blanks around it."""
    assert parsed(type_, entered) == parsed(type_, f" {entered}") == parsed(type_, f"{entered}\t")


def digits(number: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=number, max_size=number)


sirens = digits(9) | digits(8).map(lambda eight: eight + luhn.calc_check_digit(eight)) | st.just("356000000")


@settings(database=None, max_examples=2000)
@given(sirens, digits(5))
@example("000000000", "00000")
@example("000000000", "00018")
def test_siret_and_its_siren_pass_luhn(siren: str, establishment: str) -> None:
    """A SIRET is valid if stdnum's Luhn accepts it and its SIREN, or by La Poste's own rule. Zeros are not."""
    siret = siren + establishment
    valid = siren != "000000000" and luhn.is_valid(siren) and luhn.is_valid(siret)
    valid |= siren == "356000000" and sum(map(int, siret)) % 5 == 0
    assert parsed(SIRET, siret) == (Identifier(SIRET, siret) if valid else CHECKSUM)


@settings(database=None, max_examples=500)
@given(well_formed)
def test_value_of_the_pattern_has_the_published_length(case: tuple[IdentifierType, str]) -> None:
    """A value that matches the pattern has the published length, or fails only its checksum."""
    type_, entered = case
    published = IDENTIFIER_FORMATS[type_]
    try:
        identifier = parse_identifier(type_, entered)
    except IdentifierError as refusal:
        assert published.has_checksum
        assert refusal.code is CHECKSUM  # noqa: PT017 - the refusal is one of two good answers
    else:
        assert published.min_length <= len(identifier.value) <= published.max_length


@settings(database=None)
@given(any_type, st.sampled_from(ACCEPTED), st.sampled_from(REFUSED))
def test_error_never_shows_the_value(
    type_: IdentifierType, accepted: tuple[IdentifierType, str, str], refused: tuple[IdentifierType, str, str]
) -> None:
    """Each text form of an error shows the problem only, so that no log has the value."""
    for entered in (accepted[1], refused[1]):
        try:
            parse_identifier(type_, entered)
        except IdentifierError as refusal:
            assert str(refusal) in IDENTIFIER_PROBLEMS  # noqa: PT017 - some of them are accepted
            assert refusal.__context__ is None  # noqa: PT017 - likewise


def test_error_can_be_sent_to_another_process() -> None:
    """An error keeps its problem when it is sent to another process."""
    assert pickle.loads(pickle.dumps(IdentifierError(LENGTH))).code is LENGTH  # noqa: S301 - our own bytes


def test_each_type_has_one_format_and_the_table_is_read_only() -> None:
    """Each type has its row, in order, and the table is read-only."""
    assert list(IDENTIFIER_FORMATS) == list(IdentifierType)
    assert all(published.type is type_ for type_, published in IDENTIFIER_FORMATS.items())
    with pytest.raises(TypeError):
        IDENTIFIER_FORMATS[SIRET] = IDENTIFIER_FORMATS[RIDET]  # type: ignore[index] # the table is read-only


def test_types_have_their_checksum_look_up_and_keyboard() -> None:
    """Two types have a check digit, two have no look-up, and two use a numeric keyboard."""
    table = IDENTIFIER_FORMATS.values()
    assert {row.type for row in table if row.has_checksum} == {SIRET, UE_HORS_FRANCE}
    assert {row.type for row in table if not row.has_lookup} == {AUTRE, PARTICULIER}
    assert {row.type for row in table if row.numeric} == {SIRET, RIDET}


def test_equal_identifiers_are_one_key() -> None:
    """Equal identifiers are one key of a dictionary. The same value of another type is another key."""
    inputs = [(SIRET, "73282932000074"), (SIRET, "732 829 320 00074"), (AUTRE, "73282932000074")]
    assert len({parse_identifier(*each): each for each in inputs}) == 2


def test_any_unicode_blank_is_ignored() -> None:
    """Each blank of Unicode in a pasted SIRET is ignored."""
    blanks = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Zs"]
    for blank in blanks:
        assert parse_identifier(SIRET, f"{blank}732{blank}82932000074{blank}").value == "73282932000074"


def test_accents_are_removed_and_other_letters_refused() -> None:
    """Each accented letter of A to Z is accepted in a name, and no other letter beyond ASCII."""
    for code in range(0x80, 0x30000):
        letter = unicodedata.normalize("NFC", chr(code))
        if not letter.isalpha() or letter.isascii() or is_blank(letter):
            continue
        base = "".join(part for part in unicodedata.normalize("NFD", letter) if not unicodedata.combining(part))
        try:
            assert parse_identifier(HORS_UE, f"US{letter}").value == f"US{base.upper()}"
            assert base.isascii()
        except IdentifierError as refusal:
            assert not base.isascii(), letter
            assert refusal.code is FORMAT  # noqa: PT017 - likewise


@settings(database=None, max_examples=1000)
@given(
    st.sampled_from([value for type_, _, value in ACCEPTED if type_ is UE_HORS_FRANCE]),
    st.integers(0, 14),
    st.sampled_from(["", *"0123456789ABUW+*"]),
    st.integers(0, 97),
)
def test_numbers_that_stdnum_accepts_are_accepted(number: str, position: int, character: str, check: int) -> None:
    """Numbers that stdnum accepts for a member state are accepted, except zeros and the two documented cases."""
    number = number[:position] + character + number[position + 1 :]
    number = number[:-2] + f"{check:02}" if number[-2:].isdigit() else number
    if not number.startswith(IDENTIFIER_FORMATS[UE_HORS_FRANCE].countries) or not vat.is_valid(number):
        return
    excepted = not number[2:].strip("0") or (number[:2] == "NL" and len(number) < 14)
    excepted |= number[:2] == "IE" and len(number) == 11 and not number[3].isdigit()
    if not excepted:
        assert parse_identifier(UE_HORS_FRANCE, number).value == vat.validate(number)


@settings(database=None, max_examples=500)
@given(st.from_regex(IDENTIFIER_FORMATS[UE_HORS_FRANCE].pattern, fullmatch=True))
def test_stdnum_accepts_each_accepted_number_unchanged(entered: str) -> None:
    """stdnum accepts each accepted VAT number, and returns it unchanged."""
    try:
        value = parse_identifier(UE_HORS_FRANCE, entered).value
    except IdentifierError:
        return
    try:
        assert vat.validate(value) == value
    except ValidationError:
        pytest.fail("stdnum refuses it")


@pytest.mark.parametrize("type_", IdentifierType)
def test_long_input_is_refused_without_being_copied(type_: IdentifierType) -> None:
    """Ten million characters are refused without being copied or normalised."""
    entered = "7" * 10_000_000
    tracemalloc.start()
    try:
        with pytest.raises(IdentifierError):
            parse_identifier(type_, entered)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1_000_000
