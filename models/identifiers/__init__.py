"""Identifiers of organisations: which types there are, what each looks like, and how a typed value is read.

`IDENTIFIER_FORMATS` holds what differs between types, `parse_identifier` what they share. No ORM, no I/O.
"""

from .formats import IDENTIFIER_FORMATS, IdentifierFormat, IdentifierType
from .parsing import Identifier, IdentifierError, IdentifierProblem, parse_identifier

__all__ = [
    "IDENTIFIER_FORMATS",
    "Identifier",
    "IdentifierError",
    "IdentifierFormat",
    "IdentifierProblem",
    "IdentifierType",
    "parse_identifier",
]
