"""The table of identifier types and of their differences."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from . import outside_union, siret, vat_numbers


class IdentifierType(StrEnum):
    """The types, in the order of a form. Their names are those of Chorus Pro's API."""

    SIRET = "SIRET"
    UE_HORS_FRANCE = "UE_HORS_FRANCE"
    HORS_UE = "HORS_UE"
    RIDET = "RIDET"
    TAHITI = "TAHITI"
    AUTRE = "AUTRE"
    PARTICULIER = "PARTICULIER"


@dataclass(frozen=True, slots=True)
class IdentifierFormat:
    """The format of one type: it guides a person who fills in a form, and `parse_identifier`.

    `pattern` describes characters, positions, lengths and countries. Apply it to one line of visible text in NFC,
    without blanks around it and without `ignored_characters`. It accepts the text if and only if `parse_identifier`
    finds no fault but the checksum, which takes a calculation, a calendar or a list of provinces. It is anchored,
    handles letter case by itself, and means the same in ECMAScript (u or v), ICU and Python.
    """

    type: IdentifierType
    ignored_characters: str
    pattern: str
    min_length: int
    max_length: int
    example: str
    numeric: bool
    """Whether digits suffice: then a telephone shows its number pad."""
    has_checksum: bool
    has_lookup: bool
    """False for types that identify nobody in public: nobody can look them up or join them."""
    countries: tuple[str, ...] = ()
    """The prefixes, in capitals, of which a value has one; empty if no country is part of it."""
    canonicalise: Callable[[str], str] = str.upper
    """Return the one form that is stored, for a value that the pattern accepts."""
    has_valid_checksum: Callable[[str], bool] = lambda _: True
    """Return whether the check digits of a canonical value are right."""
    layout: Callable[[str], str] = str
    """Return a canonical value as people write it."""


_SEPARATORS = " .-"

_FORMATS = (
    IdentifierFormat(
        type=IdentifierType.SIRET,
        ignored_characters=_SEPARATORS,
        pattern="^[0-9]{14}$",
        min_length=14,
        max_length=14,
        example="732 829 320 00074",
        numeric=True,
        has_checksum=True,
        has_lookup=True,
        has_valid_checksum=siret.has_valid_checksum,
        layout=lambda digits: f"{digits[:3]} {digits[3:6]} {digits[6:9]} {digits[9:]}",
    ),
    IdentifierFormat(
        type=IdentifierType.UE_HORS_FRANCE,
        ignored_characters=_SEPARATORS,
        pattern=vat_numbers.PATTERN,
        min_length=4,
        max_length=18,
        example="DE 136695976",
        numeric=False,
        has_checksum=True,
        has_lookup=True,
        countries=vat_numbers.COUNTRIES,
        canonicalise=vat_numbers.canonicalise,
        has_valid_checksum=vat_numbers.has_valid_checksum,
        layout=lambda number: f"{number[:2]} {number[2:]}",
    ),
    IdentifierFormat(
        type=IdentifierType.HORS_UE,
        ignored_characters="",
        pattern=outside_union.PATTERN,
        min_length=3,
        max_length=18,
        example="USACME CORPORATION",
        numeric=False,
        has_checksum=False,
        has_lookup=True,
        countries=outside_union.COUNTRIES,
        canonicalise=outside_union.canonicalise,
    ),
    IdentifierFormat(
        type=IdentifierType.RIDET,
        ignored_characters=_SEPARATORS,
        pattern="^[0-9]{9,10}$",
        min_length=9,
        max_length=10,
        example="0 123 456.001",
        numeric=True,
        has_checksum=False,
        has_lookup=True,
        canonicalise=lambda digits: digits.zfill(10),  # A spreadsheet loses the leading zero.
        layout=lambda digits: f"{digits[0]} {digits[1:4]} {digits[4:7]}.{digits[7:]}",
    ),
    IdentifierFormat(
        type=IdentifierType.TAHITI,
        ignored_characters=_SEPARATORS,
        pattern="^[0-9A-Za-z][0-9]{8}$",
        min_length=9,
        max_length=9,
        example="A12345-001",
        numeric=False,
        has_checksum=False,
        has_lookup=True,
        layout=lambda number: f"{number[:6]}-{number[6:]}",
    ),
    IdentifierFormat(
        type=IdentifierType.AUTRE,
        ignored_characters="",
        pattern=r"^[0-9A-Za-z\-]{1,18}$",
        min_length=1,
        max_length=18,
        example="DOSSIER-2041",
        numeric=False,
        has_checksum=False,
        has_lookup=False,
    ),
    IdentifierFormat(
        type=IdentifierType.PARTICULIER,
        ignored_characters="",
        pattern=r"^[0-9A-Za-z\-]{1,18}$",
        min_length=1,
        max_length=18,
        example="PART-000123",
        numeric=False,
        has_checksum=False,
        has_lookup=False,
    ),
)

IDENTIFIER_FORMATS: Mapping[IdentifierType, IdentifierFormat] = MappingProxyType(
    {expected.type: expected for expected in _FORMATS}
)
"""Each type and its format, in the order of IdentifierType. Read-only."""
