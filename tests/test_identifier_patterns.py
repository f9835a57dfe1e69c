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

# Put in every place of every value: what a keyboard types, and what pasting or another script may bring.
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
    """Generate values of every type, and values of this one with a character less, another or one more."""
    seeds = {typed for _, typed, _ in ACCEPTED} | {value for _, _, value in ACCEPTED}
    seeds |= {typed for _, typed, _ in REFUSED if len(typed) <= 100}
    own = {value for accepted_type, _, value in ACCEPTED if accepted_type is type_}
    return sorted(seeds.union(*(mutations(value) for value in own)))


def mutations(value: str) -> Iterator[str]:
    """Generate *value* with a slip of the finger."""
    yield value.lower()
    for position in range(len(value) + 1):
        before, after = value[:position], value[position:]
        yield before + after[1:]
        for character in ORDINARY + UNUSUAL:
            yield before + character + after
            yield before + character + after[1:]


def what_is_left(published: IdentifierFormat, typed: str) -> str:
    """Return the value as a client matches it, by the words of the contract alone."""
    return "".join(character for character in typed.strip() if character not in published.ignored_characters)


def is_plain(typed: str) -> bool:
    """Return whether *typed* is in NFC with plain blanks and hyphens: the server forgives others."""
    typed = typed.strip()
    if "\t" in typed or any(unicodedata.category(character) == "Cf" for character in typed):
        return False
    blanks_or_hyphens = [c for c in typed if unicodedata.category(c) in {"Zs", "Pd"}]
    return unicodedata.is_normalized("NFC", typed) and set(blanks_or_hyphens) <= {" ", "-"}


def form_is_accepted(type_: IdentifierType, typed: str) -> bool:
    """Return whether the server finds no problem, or only the checksum."""
    try:
        parse_identifier(type_, typed)
    except IdentifierError as refusal:
        return refusal.problem is FieldProblemCode.IDENTIFIER_INVALID_CHECKSUM
    return True


@pytest.fixture(scope="module")
def values() -> dict[IdentifierType, list[str]]:
    """Return the values to try, by type."""
    return {type_: values_of(type_) for type_ in IdentifierType}


@pytest.fixture(scope="module")
def accepted_by_node(values: dict[IdentifierType, list[str]]) -> dict[str, dict[str, list[bool]]]:
    """Return the verdicts of Node's regular expressions on each value, with the u flag and with the v flag."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on PATH, so the patterns are tried in Python only")
    left = {
        type_: [what_is_left(published, typed) for typed in values[type_]]
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
    """Return the verdicts of one engine on each value, by type."""
    if request.param != "python":
        by_node: dict[str, dict[IdentifierType, list[bool]]] = request.getfixturevalue("accepted_by_node")
        return by_node[request.param]
    return {
        type_: [bool(re.search(published.pattern, what_is_left(published, typed))) for typed in values[type_]]
        for type_, published in IDENTIFIER_FORMATS.items()
    }


@pytest.mark.parametrize("type_", IdentifierType)
def test_pattern_says_what_the_server_says(
    type_: IdentifierType,
    values: dict[IdentifierType, list[str]],
    accepted: dict[IdentifierType, list[bool]],
) -> None:
    """In every engine, the pattern accepts plain text if and only if the server accepts its form."""
    verdicts = [
        (typed, by_pattern, form_is_accepted(type_, typed))
        for typed, by_pattern in zip(values[type_], accepted[type_], strict=True)
        if is_plain(typed)
    ]
    assert {by_server for _, _, by_server in verdicts} == {True, False}
    assert [verdict for verdict in verdicts if verdict[1] is not verdict[2]] == []


@pytest.mark.parametrize("type_", IdentifierType)
def test_pattern_promises_nothing_in_vain(
    type_: IdentifierType,
    values: dict[IdentifierType, list[str]],
    accepted: dict[IdentifierType, list[bool]],
) -> None:
    """In every engine, the server accepts each text that the pattern accepts, with any characters."""
    by_pattern = [typed for typed, yes in zip(values[type_], accepted[type_], strict=True) if yes]
    assert [typed for typed in by_pattern if not form_is_accepted(type_, typed)] == []


@pytest.mark.parametrize(("type_", "typed", "value"), ACCEPTED)
def test_canonical_value_matches(type_: IdentifierType, typed: str, value: str) -> None:
    """A stored value matches the pattern, in either letter case."""
    pattern = IDENTIFIER_FORMATS[type_].pattern
    assert re.fullmatch(pattern, value)
    assert re.fullmatch(pattern, value.lower())


@pytest.mark.process
@pytest.mark.parametrize("type_", IdentifierType)
def test_common_part_of_the_engines(type_: IdentifierType) -> None:
    """A pattern is anchored, and has no flag, look-behind or class whose meaning depends on the engine."""
    pattern = IDENTIFIER_FORMATS[type_].pattern
    assert pattern.startswith("^")
    assert pattern.endswith("$")
    assert not re.search(r"\(\?<|\(\?[a-zP]|\\[dDwWsSbBpP]|&&|--|\[\[", pattern)
