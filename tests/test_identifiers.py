"""Parsing of identifiers: accepted values, their canonical form, and the problem of any other."""

import pickle
import tracemalloc
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
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
from tests.support.identifiers import IDENTIFIER_PROBLEMS

SIRET = IdentifierType.SIRET
UE_HORS_FRANCE = IdentifierType.UE_HORS_FRANCE
HORS_UE = IdentifierType.HORS_UE
RIDET = IdentifierType.RIDET
TAHITI = IdentifierType.TAHITI
AUTRE = IdentifierType.AUTRE
PARTICULIER = IdentifierType.PARTICULIER

INVALID_CHARACTERS = FieldProblemCode.INVALID_CHARACTERS
REQUIRED = FieldProblemCode.REQUIRED
LENGTH = FieldProblemCode.IDENTIFIER_INVALID_LENGTH
FORMAT = FieldProblemCode.IDENTIFIER_INVALID_FORMAT
CHECKSUM = FieldProblemCode.IDENTIFIER_INVALID_CHECKSUM
COUNTRY = FieldProblemCode.IDENTIFIER_INVALID_COUNTRY

ACCEPTED: list[tuple[IdentifierType, str, str]] = [
    (SIRET, "73282932000074", "73282932000074"),
    (SIRET, " 732 829 320 00074\n", "73282932000074"),
    (SIRET, "732.829.320-00074", "73282932000074"),
    (SIRET, "732\u00a0829\u202f320\u300000074", "73282932000074"),
    (SIRET, "732829320\u201100074", "73282932000074"),
    (SIRET, "732829320\t00074", "73282932000074"),
    (SIRET, "732829320\u200b00074", "73282932000074"),  # Zero-width space.
    (SIRET, "\u202a73282932000074\u202c", "73282932000074"),  # Direction marks of a spreadsheet.
    (SIRET, "732829320\u00ad00074", "73282932000074"),  # Soft hyphen.
    (SIRET, "\ufeff73282932000074", "73282932000074"),
    (HORS_UE, "USAC\u202eME", "USACME"),
    (SIRET, "732829320 \u2013 00074", "73282932000074"),
    (SIRET, "35600000000048", "35600000000048"),  # La Poste, head office: Luhn and digit sum.
    (SIRET, "35600000049837", "35600000049837"),  # La Poste: digit sum alone.
    (SIRET, "35600000000014", "35600000000014"),  # La Poste: Luhn alone.
    (UE_HORS_FRANCE, "ATU13585627", "ATU13585627"),
    (UE_HORS_FRANCE, "BE0428759497", "BE0428759497"),
    (UE_HORS_FRANCE, "be 428.759.497", "BE0428759497"),
    (UE_HORS_FRANCE, "BG175074752", "BG175074752"),
    (UE_HORS_FRANCE, "BG7523169263", "BG7523169263"),
    (UE_HORS_FRANCE, "CY10259033P", "CY10259033P"),
    (UE_HORS_FRANCE, "CZ25123891", "CZ25123891"),
    (UE_HORS_FRANCE, "CZ640903926", "CZ640903926"),
    (UE_HORS_FRANCE, "CZ7103192745", "CZ7103192745"),
    (UE_HORS_FRANCE, "DE136695976", "DE136695976"),
    (UE_HORS_FRANCE, "de 136-695.976", "DE136695976"),
    (UE_HORS_FRANCE, "DK13585628", "DK13585628"),
    (UE_HORS_FRANCE, "EE100931558", "EE100931558"),
    (UE_HORS_FRANCE, "EL094259216", "EL094259216"),
    (UE_HORS_FRANCE, "GR094259216", "EL094259216"),
    (UE_HORS_FRANCE, "gr94259216", "EL094259216"),
    (UE_HORS_FRANCE, "ESB58378431", "ESB58378431"),
    (UE_HORS_FRANCE, "ES54362315K", "ES54362315K"),
    (UE_HORS_FRANCE, "ESX2482300W", "ESX2482300W"),
    (UE_HORS_FRANCE, "FI20774740", "FI20774740"),
    (UE_HORS_FRANCE, "HR33392005961", "HR33392005961"),
    (UE_HORS_FRANCE, "HU12892312", "HU12892312"),
    (UE_HORS_FRANCE, "IE6433435F", "IE6433435F"),
    (UE_HORS_FRANCE, "IE6433435OA", "IE6433435OA"),
    (UE_HORS_FRANCE, "ie8d79739i", "IE8D79739I"),
    (UE_HORS_FRANCE, "IE8+79739I", "IE8+79739I"),
    (UE_HORS_FRANCE, "IE8*79739I", "IE8*79739I"),
    (UE_HORS_FRANCE, "IT00743110157", "IT00743110157"),
    (UE_HORS_FRANCE, "LT119511515", "LT119511515"),
    (UE_HORS_FRANCE, "LT100001919017", "LT100001919017"),
    (UE_HORS_FRANCE, "LU15027442", "LU15027442"),
    (UE_HORS_FRANCE, "LV40003521600", "LV40003521600"),
    (UE_HORS_FRANCE, "LV16117519997", "LV16117519997"),
    (UE_HORS_FRANCE, "MT11679112", "MT11679112"),
    (UE_HORS_FRANCE, "nl004495445b01", "NL004495445B01"),
    (UE_HORS_FRANCE, "NL002455799B11", "NL002455799B11"),
    (UE_HORS_FRANCE, "PL8567346215", "PL8567346215"),
    (UE_HORS_FRANCE, "PT501964843", "PT501964843"),
    (UE_HORS_FRANCE, "RO18547290", "RO18547290"),
    (UE_HORS_FRANCE, "RO1630615123457", "RO1630615123457"),
    (UE_HORS_FRANCE, "SE123456789701", "SE123456789701"),
    (UE_HORS_FRANCE, "SI50223054", "SI50223054"),
    (UE_HORS_FRANCE, "SK2022749619", "SK2022749619"),
    (HORS_UE, "USACME CORPORATION", "USACME CORPORATION"),
    (HORS_UE, "  chnestl\u00e9 s.a. ", "CHNESTLE S.A."),
    (HORS_UE, "CHNESTLE\u0301", "CHNESTLE"),
    (HORS_UE, "TRİSTANBUL", "TRISTANBUL"),
    (HORS_UE, "GBMARKS  &\u00a0SPENCER", "GBMARKS & SPENCER"),
    (HORS_UE, "CIL’Épicerie", "CIL'EPICERIE"),
    (HORS_UE, "CIL'Épicerie", "CIL'EPICERIE"),
    (HORS_UE, "MACOCA\u2011COLA", "MACOCA-COLA"),
    (HORS_UE, "US3M", "US3M"),
    (HORS_UE, "XKA", "XKA"),
    (HORS_UE, "frwfMata'Utu", "FRWFMATA'UTU"),
    (HORS_UE, "FRWFABCDEFGHIJKLMN", "FRWFABCDEFGHIJKLMN"),
    (RIDET, "0123456001", "0123456001"),
    (RIDET, "123456001", "0123456001"),
    (RIDET, "1 234 567.001", "1234567001"),
    (TAHITI, "A12345001", "A12345001"),
    (TAHITI, "a12345-001", "A12345001"),
    (TAHITI, "012345 001", "012345001"),
    (AUTRE, "rna-w751234567", "RNA-W751234567"),
    (AUTRE, " EN-COURS\u20112041 ", "EN-COURS-2041"),
    (AUTRE, "A", "A"),
    (PARTICULIER, "dupont-1", "DUPONT-1"),
    (PARTICULIER, "123456789012345678", "123456789012345678"),
]

REFUSED: list[tuple[IdentifierType, str, FieldProblemCode]] = [
    *((type_, blank, REQUIRED) for type_ in IdentifierType for blank in ("", "   ", "\t\u00a0\u202f\r\n")),
    *((type_, "1" * 101, LENGTH) for type_ in IdentifierType),
    *((type_, " " * 101, LENGTH) for type_ in IdentifierType),
    (SIRET, "-.-", REQUIRED),
    (SIRET, "7328293200007", LENGTH),
    (SIRET, "732829320000740", LENGTH),
    (SIRET, "732829320", LENGTH),
    (SIRET, "7328293200007A", FORMAT),
    (SIRET, "732/829/320/00", FORMAT),
    (SIRET, "７３２８２９３２００００７４", FORMAT),  # Full-width digits.
    (SIRET, "7328293200007\u2074", FORMAT),  # Superscript four, '4' in NFKC.
    (SIRET, "7328293200007\u0664", FORMAT),  # Arabic-Indic four.
    (SIRET, "7328293200007\U0001d7d2", FORMAT),  # Mathematical bold four.
    (SIRET, "73282932000075", CHECKSUM),
    (SIRET, "73282932000047", CHECKSUM),
    (SIRET, "00000000000000", CHECKSUM),
    (SIRET, "00000000000018", CHECKSUM),  # Passes Luhn, for a SIREN of zeros.
    (SIRET, "11122233344455", CHECKSUM),  # Passes Luhn, for a SIREN that doesn't.
    (SIRET, "35600000000013", CHECKSUM),
    (SIRET, "732829320\x0000074", INVALID_CHARACTERS),
    (SIRET, "732829320\n00074", INVALID_CHARACTERS),
    (SIRET, "732829320\u202800074", INVALID_CHARACTERS),  # Line separator.
    (SIRET, "7328293200007\ud800", INVALID_CHARACTERS),
    (SIRET, "7328293200007\ue000", INVALID_CHARACTERS),
    (UE_HORS_FRANCE, "DE", LENGTH),
    (UE_HORS_FRANCE, "DE13669597600000000", LENGTH),
    (UE_HORS_FRANCE, "136695976", COUNTRY),
    (UE_HORS_FRANCE, "FR61954506077", COUNTRY),
    (UE_HORS_FRANCE, "EU372022452", COUNTRY),
    (UE_HORS_FRANCE, "IM3720000224", COUNTRY),
    (UE_HORS_FRANCE, "XI110305878", COUNTRY),
    (UE_HORS_FRANCE, "GB980780684", COUNTRY),
    (UE_HORS_FRANCE, "CHE100155212", COUNTRY),
    (UE_HORS_FRANCE, "ＤＥ136695976", COUNTRY),
    (UE_HORS_FRANCE, "DE13669597", FORMAT),
    (UE_HORS_FRANCE, "DE036695976", FORMAT),
    (UE_HORS_FRANCE, "DEDE136695976", FORMAT),
    (UE_HORS_FRANCE, "DE１36695976", FORMAT),
    (UE_HORS_FRANCE, "AT13585627", FORMAT),
    (UE_HORS_FRANCE, "BE(0)428759497", FORMAT),
    (UE_HORS_FRANCE, "BE2428759497", FORMAT),
    (UE_HORS_FRANCE, "CY12000139V", FORMAT),
    (UE_HORS_FRANCE, "CZ95123891", FORMAT),
    (UE_HORS_FRANCE, "ESO58378431", FORMAT),
    (UE_HORS_FRANCE, "IE1D86302WK", FORMAT),  # stdnum overlooks the K.
    (UE_HORS_FRANCE, "LT119511505", FORMAT),
    (UE_HORS_FRANCE, "NL4495445B01", FORMAT),  # stdnum adds the zeros.
    (UE_HORS_FRANCE, "NL004495445\u1d2e01", FORMAT),  # Modifier letter capital B, 'B' in NFKC.
    (UE_HORS_FRANCE, "SE123456789702", FORMAT),
    (UE_HORS_FRANCE, "DE136695978", CHECKSUM),
    (UE_HORS_FRANCE, "EL094259217", CHECKSUM),
    (UE_HORS_FRANCE, "PL0000000000", CHECKSUM),  # stdnum accepts zeros.
    (UE_HORS_FRANCE, "BE0000000000", CHECKSUM),
    (UE_HORS_FRANCE, "IT00743112014", CHECKSUM),  # No such province.
    (UE_HORS_FRANCE, "CZ7113392745", CHECKSUM),  # No such day.
    (UE_HORS_FRANCE, "DE136695976\x00", INVALID_CHARACTERS),
    (HORS_UE, "US", LENGTH),
    (HORS_UE, "USACME CORPORATIONS", LENGTH),
    (HORS_UE, "FRWFABCDEFGHIJKLMNO", LENGTH),
    (HORS_UE, "FRDUPONT", COUNTRY),
    (HORS_UE, "DEACME", COUNTRY),
    (HORS_UE, "GRACME", COUNTRY),
    (HORS_UE, "ELACME", COUNTRY),
    (HORS_UE, "WFMATAUTU", COUNTRY),
    (HORS_UE, "NCNICKEL", COUNTRY),
    (HORS_UE, "GPRHUM", COUNTRY),
    (HORS_UE, "AXBOAT", COUNTRY),
    (HORS_UE, "XIACME", COUNTRY),
    (HORS_UE, "ZZACME", COUNTRY),
    (HORS_UE, "123", COUNTRY),
    (HORS_UE, "ÛSACME", COUNTRY),
    (HORS_UE, "FRWF", FORMAT),
    (HORS_UE, "US ACME", FORMAT),
    (HORS_UE, "NOBJØRN", FORMAT),
    (HORS_UE, "CHSTRAßE", FORMAT),
    (HORS_UE, "TRIŞıK", FORMAT),
    (HORS_UE, "USＡＣＭＥ", FORMAT),
    (HORS_UE, "USEVIL.COM", FORMAT),
    (HORS_UE, "US@ACME", FORMAT),
    (HORS_UE, "USA/B", FORMAT),
    (HORS_UE, "US<B>", FORMAT),
    (HORS_UE, "US\U0001f600A", FORMAT),
    (HORS_UE, "USE\u0301\ufe0f", FORMAT),
    (HORS_UE, "USAC\x07ME", INVALID_CHARACTERS),
    (RIDET, "12345678", LENGTH),
    (RIDET, "12345678901", LENGTH),
    (RIDET, "A123456001", FORMAT),
    (RIDET, "012345600\u0661", FORMAT),
    (TAHITI, "A1234500", LENGTH),
    (TAHITI, "AB2345001", FORMAT),
    (TAHITI, "ß12345001", FORMAT),
    (TAHITI, "ı12345001", FORMAT),
    (TAHITI, "Ａ12345001", FORMAT),
    (AUTRE, "1234567890123456789", LENGTH),
    (AUTRE, "EN COURS", FORMAT),
    (AUTRE, "EN.COURS", FORMAT),
    (AUTRE, "ÉTÉ", FORMAT),
    (AUTRE, "Straße", FORMAT),
    (AUTRE, "ſ", FORMAT),  # Long s: 'S' once upper-cased.
    (AUTRE, "１", FORMAT),
    (AUTRE, "A\x00", INVALID_CHARACTERS),
    (PARTICULIER, "1234567890123456789", LENGTH),
    (PARTICULIER, "DUPONT_1", FORMAT),
    (PARTICULIER, "A\udfff", INVALID_CHARACTERS),
]

any_type = st.sampled_from(IdentifierType)
any_text = st.text() | st.text("0123456789ABEFRSUWabçé .-\u00a0\u2011’&\x00\ud800１ßıU", max_size=24)
well_formed = any_type.flatmap(
    lambda type_: st.tuples(st.just(type_), st.from_regex(IDENTIFIER_FORMATS[type_].pattern, fullmatch=True))
)


@pytest.mark.parametrize(("type_", "typed", "value"), ACCEPTED)
def test_accepted(type_: IdentifierType, typed: str, value: str) -> None:
    """A valid value is accepted in any way that people write it, and stored in its canonical form."""
    assert parse_identifier(type_, typed) == Identifier(type_, value)


@pytest.mark.parametrize(("type_", "typed", "problem"), REFUSED)
def test_refused(type_: IdentifierType, typed: str, problem: FieldProblemCode) -> None:
    """A value that is no identifier is refused with its first problem."""
    with pytest.raises(IdentifierError) as refusal:
        parse_identifier(type_, typed)
    assert refusal.value.problem is problem


@pytest.mark.parametrize("type_", IdentifierType)
def test_example(type_: IdentifierType) -> None:
    """Each type's example is valid, and written as people write it."""
    published = IDENTIFIER_FORMATS[type_]
    assert parse_identifier(type_, published.example).formatted == published.example


@pytest.mark.parametrize(("type_", "typed", "value"), ACCEPTED)
def test_canonical_and_formatted(type_: IdentifierType, typed: str, value: str) -> None:
    """Parsing the canonical value, or the formatted one, gives the same identifier."""
    identifier = parse_identifier(type_, typed)
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
def test_formatted(type_: IdentifierType, value: str, formatted: str) -> None:
    """An identifier is shown as people write it."""
    assert Identifier(type_, value).formatted == formatted


@settings(database=None, max_examples=500)
@given(any_type, any_text)
@example(SIRET, "\ud800")
def test_any_text(type_: IdentifierType, typed: str) -> None:
    """Any text gives an identifier in ASCII that parses to itself, or an IdentifierError."""
    try:
        identifier = parse_identifier(type_, typed)
    except IdentifierError as refusal:
        assert str(refusal) == refusal.problem  # noqa: PT017 - the refusal is one of two good answers
    else:
        assert identifier.value.isascii()
        assert parse_identifier(type_, identifier.value) == identifier


@settings(database=None, max_examples=500)
@given(well_formed)
def test_well_formed(case: tuple[IdentifierType, str]) -> None:
    """A value that the pattern accepts is stored within the published length, or fails only its checksum."""
    type_, typed = case
    published = IDENTIFIER_FORMATS[type_]
    try:
        identifier = parse_identifier(type_, typed)
    except IdentifierError as refusal:
        assert published.has_checksum
        assert refusal.problem is CHECKSUM  # noqa: PT017 - the refusal is one of two good answers
    else:
        assert published.min_length <= len(identifier.value) <= published.max_length


@settings(database=None)
@given(any_type, st.sampled_from(ACCEPTED), st.sampled_from(REFUSED))
def test_message_without_value(
    type_: IdentifierType, accepted: tuple[IdentifierType, str, str], refused: tuple[IdentifierType, str, str]
) -> None:
    """An error shows the problem and nothing else in each of its printed forms, so that no log has the value."""
    for typed in (accepted[1], refused[1]):
        try:
            parse_identifier(type_, typed)
        except IdentifierError as refusal:
            assert str(refusal) in IDENTIFIER_PROBLEMS  # noqa: PT017 - some of them are accepted
            assert refusal.__context__ is None  # noqa: PT017 - likewise


def test_error_travels() -> None:
    """An error keeps its problem on its way from one process to another."""
    assert pickle.loads(pickle.dumps(IdentifierError(LENGTH))).problem is LENGTH  # noqa: S301 - our own bytes


def test_table() -> None:
    """Every type has its row, in order, and the table is read-only."""
    assert list(IDENTIFIER_FORMATS) == list(IdentifierType)
    assert all(published.type is type_ for type_, published in IDENTIFIER_FORMATS.items())
    with pytest.raises(TypeError):
        IDENTIFIER_FORMATS[SIRET] = IDENTIFIER_FORMATS[RIDET]  # type: ignore[index] # that is the point


def test_what_types_have() -> None:
    """Two types have a check digit, two have no look-up, and two take a number pad."""
    table = IDENTIFIER_FORMATS.values()
    assert {row.type for row in table if row.has_checksum} == {SIRET, UE_HORS_FRANCE}
    assert {row.type for row in table if not row.has_lookup} == {AUTRE, PARTICULIER}
    assert {row.type for row in table if row.numeric} == {SIRET, RIDET}


def test_equal_identifiers() -> None:
    """Equal identifiers are one key of a dictionary, and those of another type are another."""
    typed = [(SIRET, "73282932000074"), (SIRET, "732 829 320 00074"), (AUTRE, "73282932000074")]
    assert len({parse_identifier(*each): each for each in typed}) == 2


def test_every_blank() -> None:
    """Any blank of Unicode in a pasted SIRET is ignored."""
    blanks = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Zs"]
    for blank in blanks:
        assert parse_identifier(SIRET, f"{blank}732{blank}82932000074{blank}").value == "73282932000074"


def test_accents() -> None:
    """A name may have each letter of Unicode that is A to Z with an accent, and no other letter."""
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
            assert refusal.problem is FORMAT  # noqa: PT017 - likewise


@settings(database=None, max_examples=1000)
@given(
    st.sampled_from([typed for type_, _, typed in ACCEPTED if type_ is UE_HORS_FRANCE]),
    st.integers(0, 14),
    st.sampled_from(["", *"0123456789ABUW+*"]),
    st.integers(0, 97),
)
def test_nothing_lost_of_stdnum(number: str, position: int, character: str, check: int) -> None:
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
def test_stdnum_agrees(typed: str) -> None:
    """stdnum accepts every accepted VAT number, and returns it unchanged."""
    try:
        value = parse_identifier(UE_HORS_FRANCE, typed).value
    except IdentifierError:
        return
    try:
        assert vat.validate(value) == value
    except ValidationError:
        pytest.fail("stdnum refuses it")


@pytest.mark.parametrize("type_", IdentifierType)
def test_long_input_is_cheap(type_: IdentifierType) -> None:
    """Ten million characters are refused without being copied or normalised."""
    typed = "7" * 10_000_000
    tracemalloc.start()
    try:
        with pytest.raises(IdentifierError):
            parse_identifier(type_, typed)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1_000_000
