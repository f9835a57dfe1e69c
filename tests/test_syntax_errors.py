"""Syntax errors: each sentence of the installed graphql-core is known, and repeated without the values in it."""

from __future__ import annotations

import re

import graphql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.graphql.engine.limits import MAX_TOKENS
from api.graphql.engine.syntax_errors import SENTENCES, UNKNOWN_SENTENCE, reword_syntax_error

PARSE_FAILED, LIMIT_EXCEEDED = "GRAPHQL_PARSE_FAILED", "LIMIT_EXCEEDED"
TOO_LONG = f"Document contains more than {MAX_TOKENS} tokens. Parsing aborted."

CASES: list[tuple[str, str, str]] = [
    ("{ a(b: $) }", "Expected Name, found ')'.", PARSE_FAILED),
    ('{ a(b "secret") }', "Expected ':', found String.", PARSE_FAILED),
    ('{ a(b """secret\'s""") }', "Expected ':', found BlockString.", PARSE_FAILED),
    ("{ a(b secret) }", "Expected ':', found Name.", PARSE_FAILED),
    ("{ a(b 42) }", "Expected ':', found Int.", PARSE_FAILED),
    ("{ a(b 4.2) }", "Expected ':', found Float.", PARSE_FAILED),
    ("query (", "Expected '$', found <EOF>.", PARSE_FAILED),
    ("fragment F secret", "Expected 'on', found Name.", PARSE_FAILED),
    ("secret", "Unexpected Name.", PARSE_FAILED),
    ("@a { b }", "Unexpected '@'.", PARSE_FAILED),
    ("{ a(b: ...) }", "Unexpected '...'.", PARSE_FAILED),
    ("{ a(b: ", "Unexpected <EOF>.", PARSE_FAILED),
    ("enum A { true }", "Name is reserved and cannot be used for an enum value.", PARSE_FAILED),
    ("query ($a: Int = $secret) { a }", "Unexpected variable … in constant value.", PARSE_FAILED),
    ('"x" { a }', "Unexpected description, descriptions are not supported on shorthand queries.", PARSE_FAILED),
    ('"x" secret', "Unexpected description, only GraphQL definitions support descriptions.", PARSE_FAILED),
    ("{ a(b: ..) }", "Unexpected '..'.", PARSE_FAILED),
    ("{ a(b: 'secret') }", "Unexpected single quote character (').", PARSE_FAILED),
    ("{ \u00e9 }", "Unexpected character: U+00E9.", PARSE_FAILED),
    ("{ \N{FOX FACE} }", "Unexpected character: U+1F98A.", PARSE_FAILED),
    ("{ a . b }", "Unexpected character: '.'.", PARSE_FAILED),
    ("{ \ud800 }", "Invalid character: U+D800.", PARSE_FAILED),
    ('{ a(b: "secret\ud800") }', "Invalid character within String: U+D800.", PARSE_FAILED),
    ('{ a(b: """secret\ud800""") }', "Invalid character within String: U+D800.", PARSE_FAILED),
    ("{ a(b: .42) }", "Invalid number, expected digit before '.'.", PARSE_FAILED),
    ("{ a(b: 4secret) }", "Invalid number, expected digit but got: 's'.", PARSE_FAILED),
    ("{ a(b: 4.", "Invalid number, expected digit but got: <EOF>.", PARSE_FAILED),
    ("{ a(b: -'", "Invalid number, expected digit but got: '''.", PARSE_FAILED),
    ('{ a(b: -"', "Invalid number, expected digit but got: '\"'.", PARSE_FAILED),
    ("{ a(b: 042) }", "Invalid number, unexpected digit after 0: '4'.", PARSE_FAILED),
    ('{ a(b: "\\u{secret}") }', "Invalid Unicode escape sequence: ….", PARSE_FAILED),
    ('{ a(b: "\\usecret") }', "Invalid Unicode escape sequence: ….", PARSE_FAILED),
    ('{ a(b: "\\secret") }', "Invalid character escape sequence: ….", PARSE_FAILED),
    ('{ a(b: "secret', "Unterminated string.", PARSE_FAILED),
    ('{ a(b: """secret', "Unterminated string.", PARSE_FAILED),
    ("{ " + "secret " * MAX_TOKENS + "}", TOO_LONG, LIMIT_EXCEEDED),
    ("{ a }" + "#secret\n" * MAX_TOKENS, TOO_LONG, LIMIT_EXCEEDED),
    ("{ a(b: " + "[" * 300, "Document is nested too deeply. Parsing aborted.", LIMIT_EXCEEDED),
    ('{ a(b "Document is nested too deeply. Parsing aborted.") }', "Expected ':', found String.", PARSE_FAILED),
]


def error_of(text: str) -> graphql.GraphQLSyntaxError:
    """Return graphql-core's error for *text*."""
    with pytest.raises(graphql.GraphQLSyntaxError) as caught:
        graphql.parse(text, max_tokens=MAX_TOKENS)
    return caught.value


@pytest.mark.parametrize(
    ("text", "said", "code"), CASES, ids=lambda value: value[:40] if isinstance(value, str) else ""
)
def test_syntax_error_is_reported_without_its_values(text: str, said: str, code: str) -> None:
    """A sentence of graphql-core is recognised, and repeated with its position and a code, and without its value."""
    original = error_of(text)
    error = reword_syntax_error(original)
    assert error.message == f"Syntax Error: {said}"
    assert error.extensions == {"code": code}
    assert error.locations == original.locations
    assert "secret" not in error.message


def test_each_pattern_matches_a_sentence_of_graphql_core() -> None:
    """Each pattern of the table recognises a sentence that the installed graphql-core says."""
    sentences = [error_of(text).description for text, _, _ in CASES]
    unused = [pattern.pattern for pattern in SENTENCES if not any(map(pattern.fullmatch, sentences))]
    assert unused == []


def test_unknown_sentence_is_not_passed_on() -> None:
    """A sentence that a new graphql-core would say instead is replaced: it may quote a value."""
    error = reword_syntax_error(graphql.GraphQLSyntaxError(graphql.Source("{"), 1, "We did not expect secret."))
    assert error.message == f"Syntax Error: {UNKNOWN_SENTENCE}"
    assert error.extensions == {"code": PARSE_FAILED}


PIECES = st.sampled_from(
    [
        *["{", "}", "(", ")", "[", "]", ":", "=", "@", "$", "!", "|", "&", "...", "..", ".", "-", "0", "1", "4.2", "#"],
        *["query ", "mutation ", "fragment ", " on ", "true ", "null ", "enum ", "extend ", "type ", "schema "],
        *['"', '"x"', '"""', "'", "\\", "\\u", "\\u{", "a ", "\n", "\ud800", "\u00e9", "\N{FOX FACE}", "directive "],
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_any_document_has_a_known_sentence(text: str) -> None:
    """The sentence that graphql-core has for any document is in the table."""
    said = ""
    try:
        graphql.parse(text, max_tokens=MAX_TOKENS)
    except graphql.GraphQLSyntaxError as exc:
        said = reword_syntax_error(exc).message
    assert UNKNOWN_SENTENCE not in said


def test_long_values_do_not_make_errors_long() -> None:
    """A long value does not make the error long."""
    long = "x" * 10_000
    for text in (f'{{ a(b "{long}") }}', f"{{ a(b {long}) }}", f'{{ a(b: "\\{long}") }}', f"query ($a: I = ${long})"):
        assert len(reword_syntax_error(error_of(text)).message) < 100
    assert not re.search("x{9}", reword_syntax_error(error_of(f"{long}")).message)
