"""Identifiers of organisations: the types, the format of each, and how an entered value is parsed.

`IDENTIFIER_FORMATS` holds the differences between types; `parse_identifier` holds the common rules. No ORM, no I/O.
"""

from .formats import IDENTIFIER_FORMATS, IdentifierFormat, IdentifierType
from .parsing import Identifier, IdentifierError, parse_identifier

__all__ = [
    "IDENTIFIER_FORMATS",
    "Identifier",
    "IdentifierError",
    "IdentifierFormat",
    "IdentifierType",
    "parse_identifier",
]
