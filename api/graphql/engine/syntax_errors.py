"""Errors of documents that can't be parsed, without the values that graphql-core quotes.

A sentence is all that graphql-core tells of such an error. Those that it has are listed here, and no other is passed
on: `UNKNOWN_SENTENCE` stands for one that a new release has changed, and `tests/test_syntax_errors.py` fails.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graphql import GraphQLError, TokenKind

from api.graphql.engine.errors import LIMIT_EXCEEDED, PARSE_FAILED

if TYPE_CHECKING:
    from graphql import GraphQLSyntaxError

UNKNOWN_SENTENCE = "The document can't be read."
LIMITS = re.compile(r"Document (?:contains more than \d+ tokens|is nested too deeply)\. Parsing aborted\.")

_KIND = "|".join(re.escape(kind.value) for kind in TokenKind)
_TOKEN = rf"('(?:{_KIND})'|{_KIND})(?: '.*')?"  # Its kind is repeated, its value is not.
_CHARACTER = r"(?:'.'|U\+[0-9A-F]{4,6}|<EOF>)"
_HINT = r", did you mean .*\?"
# What graphql-core says, and what may be repeated of it.
SENTENCES = {
    re.compile(sentence, re.DOTALL): repeated
    for sentence, repeated in (
        (rf"Expected ('(?:{_KIND}|[a-z]+)'|{_KIND}), found {_TOKEN}\.", r"Expected \1, found \2."),
        (rf"Unexpected {_TOKEN}\.", r"Unexpected \1."),
        (rf"{_TOKEN} (is reserved and cannot be used for an enum value\.)", r"\1 \2"),
        (r"Unexpected variable '.*' in constant value\.", "Unexpected variable … in constant value."),
        (r"(Unexpected description, descriptions are not supported on shorthand queries\.)", r"\1"),
        (r"(Unexpected description, only GraphQL definitions support descriptions\.)", r"\1"),
        (rf"(Unexpected '\.\.'){_HINT}", r"\1."),
        (rf"(Unexpected single quote character \('\)){_HINT}", r"\1."),
        (rf"((?:Unexpected|Invalid) character: {_CHARACTER}\.)", r"\1"),
        (rf"(Invalid character within String: {_CHARACTER}\.)", r"\1"),
        (rf"(Invalid number, expected digit before '\.'){_HINT}", r"\1."),
        (rf"(Invalid number, (?:expected digit but got|unexpected digit after 0): {_CHARACTER}\.)", r"\1"),
        (r"(Invalid (?:Unicode|character) escape sequence): '.*'\.", r"\1: …."),
        (r"(Unterminated string\.)", r"\1"),
        (rf"({LIMITS.pattern})", r"\1"),
    )
}


def reword_syntax_error(exc: GraphQLSyntaxError) -> GraphQLError:
    """Return the error with its code, its position, and the words that quote no value."""
    code = LIMIT_EXCEEDED if LIMITS.fullmatch(exc.description) else PARSE_FAILED
    message = f"Syntax Error: {_without_values(exc.description)}"
    return GraphQLError(message, source=exc.source, positions=exc.positions, extensions={"code": code})


def _without_values(sentence: str) -> str:
    for pattern, repeated in SENTENCES.items():
        if match := pattern.fullmatch(sentence):
            return match.expand(repeated)
    return UNKNOWN_SENTENCE
