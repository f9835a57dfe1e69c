"""VAT numbers of the member states of the Union other than France."""

import re

from stdnum.eu import vat

SHAPES = {
    "AT": "U[0-9]{8}",
    "BE": "[01]?[0-9]{9}",  # Nine digits: the old form.
    "BG": "[0-9]{9,10}",
    "CY": "(?!12)[0-9]{8}[A-Z]",
    "CZ": "[0-8][0-9]{7}|[0-9]{9,10}",
    "DE": "[1-9][0-9]{8}",
    "DK": "[1-9][0-9]{7}",
    "EE": "[0-9]{9}",
    "EL": "[0-9]{8,9}",  # Eight digits: the old form.
    "ES": "[0-9A-HJ-NP-SU-Z][0-9]{7}[0-9A-Z]",
    "FI": "[0-9]{8}",
    "GR": "[0-9]{8,9}",  # ISO's code for Greece; VAT numbers have EL.
    "HR": "[0-9]{11}",
    "HU": "[0-9]{8}",
    "IE": "[0-9]{7}[A-W]{1,2}|[0-9][A-Z+*][0-9]{5}[A-W]",
    "IT": "[0-9]{11}",
    "LT": "[0-9]{7}1[0-9]|[0-9]{10}1[0-9]",
    "LU": "[0-9]{8}",
    "LV": "[0-9]{11}",
    "MT": "[1-9][0-9]{7}",
    "NL": "[0-9]{9}B[0-9]{2}",
    "PL": "[0-9]{10}",
    "PT": "[1-9][0-9]{8}",
    "RO": "[1-9][0-9]{1,9}|[1-9][0-9]{12}",
    "SE": "[0-9]{10}01",
    "SI": "[1-9][0-9]{7}",
    "SK": "[0-9]{10}",
}
"""The characters, positions and lengths after each country code, in capitals, as stdnum accepts them.

They are stricter than stdnum in two places. Dutch numbers need their leading zeros. Nothing may follow the check letter
of Ireland's old numbers (second character: a letter, + or *), where stdnum overlooks a character.
"""

COUNTRIES = tuple(SHAPES)


def any_case(expression: str) -> str:
    """Return *expression*, which is in capitals, for either case: 'U[0-9A-F]' becomes '[Uu][0-9A-Fa-f]'."""
    return re.sub(r"\[.*?\]|[A-Z]", _both_cases, expression)


def _both_cases(piece: re.Match[str]) -> str:
    characters = piece[0].strip("[]")
    return "[" + re.sub("[A-Z](-[A-Z])?", lambda letters: letters[0] + letters[0].lower(), characters) + "]"


PATTERN = "^(?:" + "|".join(f"{any_case(code)}(?:{any_case(shape)})" for code, shape in SHAPES.items()) + ")$"


def canonicalise(number: str) -> str:
    """Return *number* in capitals, with EL for Greece and the zero that old Belgian and Greek numbers lack."""
    number = number.upper()
    return vat.compact("EL" + number[2:] if number.startswith("GR") else number)


def has_valid_checksum(number: str) -> bool:
    """Return whether stdnum accepts the number, with its dates and provinces. Refuse zeros, which name nobody."""
    return number[2:].strip("0") != "" and vat.is_valid(number)
