"""Phone numbers as people in France write them, overseas included."""

from __future__ import annotations

import phonenumbers
import pytest
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberType

from models.personal_data import InputError, parse_phone
from models.phone_numbers import OVERSEAS, WHOLLY_OVERSEAS

SUBSCRIBERS = {PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE}


@pytest.mark.parametrize(
    ("entered", "stored"),
    [
        ("0692 12 34 56", "+262692123456"),
        ("0693 12 34 56", "+262693123456"),
        ("0262 20 00 00", "+262262200000"),
        ("0263 12 34 56", "+262263123456"),
        ("0639 69 12 34", "+262639691234"),
        ("0269 61 12 34", "+262269611234"),
        ("0590 21 34 56", "+590590213456"),
        ("0590 27 12 34", "+590590271234"),  # Saint-Barthélemy.
        ("0590 87 12 34", "+590590871234"),  # Saint-Martin.
        ("0690 12 34 56", "+590690123456"),
        ("0691 22 34 56", "+590691223456"),
        ("0594 30 12 34", "+594594301234"),
        ("0694 20 12 34", "+594694201234"),
        ("0596 66 00 24", "+596596660024"),
        ("0696 12 34 56", "+596696123456"),
        ("0697 12 34 56", "+596697123456"),
        ("05 08 41 23 45", "+508412345"),  # Saint-Pierre-et-Miquelon, whose own numbers have six digits.
        ("0708 41 23 45", "+508708412345"),
        ("0709 00 12 34", "+590709001234"),
    ],
)
def test_national_notation_includes_overseas(entered: str, stored: str) -> None:
    """An overseas number in national notation gets its own country code, so that it reaches nobody else."""
    assert parse_phone(entered) == stored
    assert parse_phone(stored) == stored


@pytest.mark.parametrize(
    "entered",
    [
        "0033612345678",
        "00 33 6 12 34 56 78",
        "0033 (0)6 12 34 56 78",
        "+33 (0)6 12 34 56 78",
        "+33(0)612345678",
        "(+33) 6 12 34 56 78",
        "+ 33 6 12 34 56 78",
        "06.12.34.56.78",
        "06/12/34/56/78",
        "06-12-34-56-78",
        "06 – 12 – 34 – 56 – 78",
        "06\u00a012\u202f34\u201156\u201078",
        "\u202a+33\u00a06 12 34 56 78\u202c",
        "\u2066" + "06 12\t34 56 78" + "\u2069",
        "06\u200b12\u200e34\ufeff56\u00ad78",
        "\uff10\uff16 12 34 56 78",
        "6 12 34 56 78",
        "33 6 12 34 56 78",
    ],
    ids=ascii,
)
def test_number_is_read_in_any_notation(entered: str) -> None:
    """Prefixes, brackets, dots, slashes, hyphens and blanks of all kinds are how people write one number."""
    assert parse_phone(entered) == "+33612345678"


@pytest.mark.parametrize(
    ("entered", "stored"),
    [
        ("00 262 692 12 34 56", "+262692123456"),
        ("+262 (0)692 12 34 56", "+262692123456"),
        ("+590 (0)590 21 34 56", "+590590213456"),
        ("+687 26 12 34", "+687261234"),
        ("+689 40 41 23 45", "+68940412345"),
        ("00 681 72 12 34", "+681721234"),
        ("0800 12 34 56", "+33800123456"),
        ("0892 70 12 34", "+33892701234"),
        ("0809 12 34 56", "+33809123456"),
        ("09 76 22 12 34", "+33976221234"),
        ("07 58 00 12 34", "+33758001234"),
    ],
)
def test_international_and_service_numbers_keep_their_country(entered: str, stored: str) -> None:
    """International notation says its country itself; numbers of services are the same in all of France."""
    assert parse_phone(entered) == stored


@pytest.mark.parametrize(
    "entered",
    [
        "26 12 34",
        "41 23 45",
        "40 41 23 45",
        "+33 596 66 00 24",
        "0033 692 12 34 56",
        "0596 20 00 00",
        "06 12",
        "++33612345678",
    ],
)
def test_number_that_reaches_nobody_is_refused(entered: str) -> None:
    """Local numbers without their country, and overseas numbers under the code of the metropolis, reach nobody."""
    with pytest.raises(InputError, match="PHONE_INVALID"):
        parse_phone(entered)


@pytest.mark.exhaustive
def test_each_metropolitan_prefix_gets_the_french_code() -> None:
    """Of all prefixes of five digits, those of metropolitan France give +33, and no overseas one does."""
    kept = moved = 0
    for beginning in range(10_000, 100_000):
        digits = f"{beginning}1234"
        if digits.startswith(WHOLLY_OVERSEAS) or digits[0] in "89":
            continue
        if not phonenumbers.is_valid_number(PhoneNumber(country_code=33, national_number=int(digits))):
            continue
        theirs = any(
            _is_subscriber(PhoneNumber(country_code=_code(region), national_number=int(digits))) for region in OVERSEAS
        )
        stored = parse_phone(f"0{digits}")
        assert stored.startswith("+33") is not theirs, stored
        kept, moved = kept + (not theirs), moved + theirs
    assert kept > 50_000
    assert moved == 50  # 0268 8 and 9, 0598 7 to 9: overseas numbers among metropolitan ones.


def test_no_overseas_prefix_is_read_as_metropolitan() -> None:
    """A number with an overseas prefix is an overseas number, or none."""
    for prefix in WHOLLY_OVERSEAS:
        found = set()
        for number in range(100):
            try:
                found.add(parse_phone(f"0{prefix}{number:02}1234")[:4])
            except InputError:
                continue
        assert len(found) == 1, prefix
        assert found < {f"+{_code(region)}" for region in OVERSEAS}


def test_library_has_the_known_numbering_plans() -> None:
    """Regions of France's plan dial a 0 first, Pacific ones none. An update that changes this fails here."""
    assert {_prefix(region) for region in OVERSEAS} == {"0"}
    assert {_prefix(region) for region in ("NC", "PF", "WF")} == {None}


def _code(region: str) -> int:
    return phonenumbers.country_code_for_region(region)


def _prefix(region: str) -> str | None:
    metadata = PhoneMetadata.metadata_for_region(region)
    assert metadata is not None
    return metadata.national_prefix


def _is_subscriber(number: PhoneNumber) -> bool:
    return phonenumbers.number_type(number) in SUBSCRIBERS
