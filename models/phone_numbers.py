"""Phone numbers as dialled from France: its national notation includes the overseas departments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType
from phonenumbers.phonenumber import CountryCodeSource

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME: Final = "FR"
OVERSEAS: Final = ("BL", "GF", "GP", "MF", "MQ", "PM", "RE", "YT")
"""The regions of the same national plan that have country codes of their own. Pacific territories have other plans."""
WHOLLY_OVERSEAS: Final = (
    *("262", "263", "269", "508", "590", "594", "596"),
    *("639", "690", "691", "692", "693", "694", "696", "697"),
)
"""The prefixes that the plan gives to overseas only (Arcep, decision 2018-0881): no number under +33 has one."""
_SUBSCRIBERS: Final = {PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
"""Other numbers, such as 0800 or 09, are dialled the same way in all of France, and stay under +33."""
_SIGNIFICANT_DIGITS: Final = 9


def parse_as_dialled_from_france(text: str) -> str | None:
    """Return the number in E.164; None if there is no such number."""
    try:
        number = phonenumbers.parse(text, HOME, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None
    if number.country_code_source == CountryCodeSource.FROM_DEFAULT_COUNTRY:
        number = _overseas(number) or number
    if not phonenumbers.is_valid_number(number) or _lacks_its_country(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _overseas(dialled: PhoneNumber) -> PhoneNumber | None:
    """Return the number of the overseas subscriber whom *dialled* reaches from France; None if there is none."""
    if phonenumbers.is_valid_number(dialled) and phonenumbers.number_type(dialled) not in _SUBSCRIBERS:
        return None
    digits = phonenumbers.national_significant_number(dialled)
    if len(digits) != _SIGNIFICANT_DIGITS:
        return None
    for candidate in _candidates(digits):
        if phonenumbers.number_type(candidate) in _SUBSCRIBERS:
            return candidate
    return None


def _candidates(digits: str) -> Iterator[PhoneNumber]:
    """Yield *digits* under each overseas country code; Saint-Pierre-et-Miquelon's own numbers have six, after 0508."""
    for region in OVERSEAS:
        code = phonenumbers.country_code_for_region(region)
        yield PhoneNumber(country_code=code, national_number=int(digits))
        if digits.startswith(str(code)):
            yield PhoneNumber(country_code=code, national_number=int(digits.removeprefix(str(code))))


def _lacks_its_country(number: PhoneNumber) -> bool:
    """Tell whether an overseas number stands under the code of metropolitan France, where nobody answers it."""
    home = phonenumbers.country_code_for_region(HOME)
    return number.country_code == home and str(number.national_number).startswith(WHOLLY_OVERSEAS)
