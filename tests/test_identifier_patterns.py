"""The published patterns accept the same forms as the server, in Python and in ECMAScript."""

import json
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Iterator

import pytest

from models.field_problems import FieldProblemCode
from models.identifiers import (
    IDENTIFIER_FORMATS,
    IdentifierError,
    IdentifierFormat,
    IdentifierType,
    parse_identifier,
)
from tests.support.identifier_samples import ACCEPTED, REFUSED

ENGINES = ["python", "ecmascript-u", "ecmascript-v"]

# Characters to insert everywhere: those of a keyboard, and those that pasting or another script may bring.
ORDINARY = "059aABEKUWzZ .,;:-_/'’&()+*$^|[]{}\\é"
UNUSUAL = "\u00a0\u2011１\u0661\u00b2\u212aſıİßØ\u0301Ｂ\u200b\x00\t\ud800\U0001d7d2"

NODE_SCRIPT = """
const { values, patterns } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const accepted = {};
for (const flag of ["u", "v"]) {
  accepted["ecmascript-" + flag] = {};
  for (const [type, pattern] of Object.entries(patterns)) {
    const expression = new RegExp(pattern, flag);
    accepted["ecmascript-" + flag][type] = values[type].map((value) => expression.test(value));
  }
}
process.stdout.write(JSON.stringify(accepted));
"""


def values_of(type_: IdentifierType) -> list[str]:
    """Return values of every type, and variants of this type's values with one character changed."""
    seeds = {entered for _, entered, _ in ACCEPTED} | {value for _, _, value in ACCEPTED}
    seeds |= {entered for _, entered, _ in REFUSED if len(entered) <= 100}
    own = {value for accepted_type, _, value in ACCEPTED if accepted_type is type_}
    return sorted(seeds.union(*(variants_of(value) for value in own)))


def variants_of(value: str) -> Iterator[str]:
    """Yield *value* with one character removed, inserted or replaced."""
    yield value.lower()
    for position in range(len(value) + 1):
        before, after = value[:position], value[position:]
        yield before + after[1:]
        for character in ORDINARY + UNUSUAL:
            yield before + character + after
            yield before + character + after[1:]


def without_ignored_characters(published: IdentifierFormat, entered: str) -> str:
    """Return the value as a client matches it, by the words of the contract alone."""
    return "".join(character for character in entered.strip() if character not in published.ignored_characters)


def is_plain(entered: str) -> bool:
    """Return whether *entered* is in NFC with plain blanks and hyphens. The server forgives others."""
    entered = entered.strip()
    if "\t" in entered or any(unicodedata.category(character) == "Cf" for character in entered):
        return False
    blanks_or_hyphens = [c for c in entered if unicodedata.category(c) in {"Zs", "Pd"}]
    return unicodedata.is_normalized("NFC", entered) and set(blanks_or_hyphens) <= {" ", "-"}


def form_is_accepted(type_: IdentifierType, entered: str) -> bool:
    """Return whether the server finds no problem except the checksum."""
    try:
        parse_identifier(type_, entered)
    except IdentifierError as refusal:
        return refusal.code is FieldProblemCode.IDENTIFIER_INVALID_CHECKSUM
    return True


@pytest.fixture(scope="module")
def values() -> dict[IdentifierType, list[str]]:
    """The values to try, by type."""
    return {type_: values_of(type_) for type_ in IdentifierType}


@pytest.fixture(scope="module")
def accepted_by_node(values: dict[IdentifierType, list[str]]) -> dict[str, dict[str, list[bool]]]:
    """The results of Node's regular expressions on each value, with the u flag and with the v flag."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on PATH, so the patterns are tried in Python only")
    left = {
        type_: [without_ignored_characters(published, entered) for entered in values[type_]]
        for type_, published in IDENTIFIER_FORMATS.items()
    }
    patterns = {type_: published.pattern for type_, published in IDENTIFIER_FORMATS.items()}
    answer = subprocess.run(  # noqa: S603 - our own script
        [node, "-e", NODE_SCRIPT],
        input=json.dumps({"values": left, "patterns": patterns}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    verdicts: dict[str, dict[str, list[bool]]] = json.loads(answer.stdout)
    return verdicts


@pytest.fixture(params=ENGINES)
def accepted(
    request: pytest.FixtureRequest, values: dict[IdentifierType, list[str]]
) -> dict[IdentifierType, list[bool]]:
    """The results of one engine on each value, by type."""
    if request.param != "python":
        by_node: dict[str, dict[IdentifierType, list[bool]]] = request.getfixturevalue("accepted_by_node")
        return by_node[request.param]
    return {
        type_: [
            bool(re.search(published.pattern, without_ignored_characters(published, entered)))
            for entered in values[type_]
        ]
        for type_, published in IDENTIFIER_FORMATS.items()
    }


@pytest.mark.parametrize("type_", IdentifierType)
def test_pattern_agrees_with_the_server(
    type_: IdentifierType,
    values: dict[IdentifierType, list[str]],
    accepted: dict[IdentifierType, list[bool]],
) -> None:
    """In every engine, the pattern accepts plain text if and only if the server accepts its form."""
    verdicts = [
        (entered, by_pattern, form_is_accepted(type_, entered))
        for entered, by_pattern in zip(values[type_], accepted[type_], strict=True)
        if is_plain(entered)
    ]
    assert {by_server for _, _, by_server in verdicts} == {True, False}
    assert [verdict for verdict in verdicts if verdict[1] is not verdict[2]] == []


@pytest.mark.parametrize("type_", IdentifierType)
def test_server_accepts_each_text_that_matches(
    type_: IdentifierType,
    values: dict[IdentifierType, list[str]],
    accepted: dict[IdentifierType, list[bool]],
) -> None:
    """In every engine, the server accepts each text that matches the pattern, with any characters."""
    by_pattern = [entered for entered, yes in zip(values[type_], accepted[type_], strict=True) if yes]
    assert [entered for entered in by_pattern if not form_is_accepted(type_, entered)] == []


@pytest.mark.parametrize(("type_", "entered", "value"), ACCEPTED)
def test_canonical_value_matches_the_pattern(type_: IdentifierType, entered: str, value: str) -> None:
    """A stored value matches the pattern, in either letter case."""
    pattern = IDENTIFIER_FORMATS[type_].pattern
    assert re.fullmatch(pattern, value)
    assert re.fullmatch(pattern, value.lower())


@pytest.mark.process
@pytest.mark.parametrize("type_", IdentifierType)
def test_pattern_uses_only_syntax_that_all_engines_share(type_: IdentifierType) -> None:
    """A pattern is anchored, and has no flag, look-behind or class whose meaning depends on the engine."""
    pattern = IDENTIFIER_FORMATS[type_].pattern
    assert pattern.startswith("^")
    assert pattern.endswith("$")
    assert not re.search(r"\(\?<|\(\?[a-zP]|\\[dDwWsSbBpP]|&&|--|\[\[", pattern)
