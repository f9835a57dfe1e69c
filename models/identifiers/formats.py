"""The table of identifier types: what differs from one type to another, and nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from . import outside_union, siret, vat_numbers


class IdentifierType(StrEnum):
    """The types, in the order in which a form lists them. The names are those of Chorus Pro's own API."""

    SIRET = "SIRET"
    UE_HORS_FRANCE = "UE_HORS_FRANCE"
    HORS_UE = "HORS_UE"
    RIDET = "RIDET"
    TAHITI = "TAHITI"
    AUTRE = "AUTRE"
    PARTICULIER = "PARTICULIER"


@dataclass(frozen=True, slots=True)
class IdentifierFormat:
    """What a form needs to guide a person who types an identifier, and `parse_identifier` to read it.

    `pattern` is the form: characters, positions, lengths and countries. Given one line of visible text in NFC
    without blanks around, once `ignored_characters` are dropped, it accepts what is left if and only if
    `parse_identifier` finds nothing wrong, or only the checksum: what takes a calculation, a calendar or a list of
    provinces. It is anchored, sees to letter case by itself, and says the same in ECMAScript (u or v), ICU and Python.
    """

    type: IdentifierType
    ignored_characters: str
    pattern: str
    min_length: int
    max_length: int
    example: str
    numeric: bool
    """Whether digits are all it takes: then a telephone shows its number pad."""
    has_checksum: bool
    has_lookup: bool
    """False for what identifies nobody in public, and is never looked up or joined."""
    countries: tuple[str, ...] = ()
    """What a value must begin with, in capitals; empty if no country is part of it."""
    canonicalise: Callable[[str], str] = str.upper
    """From what the pattern accepts to the one form that is stored."""
    has_valid_checksum: Callable[[str], bool] = lambda _: True
    """Whether the check digits of a canonical value are right."""
    layout: Callable[[str], str] = str
    """From a canonical value to what people write."""


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
"""Every type and its format, in the order of IdentifierType. Read-only."""
