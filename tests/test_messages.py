"""Messages: the same ones in every language, each of them used, and the language that a caller gets."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from fluent.syntax import FluentParser
from fluent.syntax import ast as fluent
from fluent.syntax.visitor import Visitor

import api
from api.graphql.passwords import PasswordStrength
from api.messages.languages import Language, negotiate
from api.messages.words import LOCALES, has_message, translate
from api.refusals import ProblemCode
from models.activation import LinkState
from models.field_problems import FieldProblemCode
from models.identifiers import IdentifierType

SOURCES = sorted(Path(api.__file__).parent.rglob("*.py"))
WITHOUT_WORDS_OF_ITS_OWN = ProblemCode.IDENTIFIER_INVALID  # Its message is that of its reason, a FieldProblemCode.
WEAKNESSES = ("dictionary", "spatial", "repeat", "sequence", "regex", "date")  # Patterns of zxcvbn, except bruteforce.
IDENTIFIER_TYPES = tuple(IdentifierType)

# Ids that the code composes, and every part that each can have.
COMPOSED_IDS: Mapping[str, tuple[str, ...]] = {
    "problem-{}": tuple(code.value for code in ProblemCode if code is not WITHOUT_WORDS_OF_ITS_OWN),
    "problem-{}-with-url": ("ACTIVATION_LINK_USED",),
    "field-{}": tuple(code.value for code in FieldProblemCode),
    "field-{}-{}": (
        "INVALID_CHARACTERS-character",
        "INVALID_CHARACTERS-link",
        "INVALID_CHARACTERS-phone",
        "EMAIL_INVALID-character",
    ),
    "identifier-label-{}": IDENTIFIER_TYPES,
    "identifier-field-{}": IDENTIFIER_TYPES,
    "identifier-hint-{}": IDENTIFIER_TYPES,
    "membership-{}-{}": ("MANAGER-ACTIVE", "MEMBER-PENDING"),  # The outcomes of an activation.
    "declared-organisation-{}": ("founded", "joined"),
    "password-strength-{}": tuple(str(strength.value) for strength in PasswordStrength),
    "password-suggestion-{}": (*WEAKNESSES, "words"),
}


class Variables(Visitor):
    """A visitor that gathers the parameters of a message."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def visit_VariableReference(self, node: fluent.VariableReference) -> None:  # noqa: N802  # Fluent's name.
        self.names.add(node.id.name)


def messages(language: Language) -> dict[str, set[str]]:
    """Return the parameters of each message, by its id."""
    resource = FluentParser().parse((LOCALES / f"{language}.ftl").read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    for entry in resource.body:
        assert not isinstance(entry, fluent.Junk), entry.content
        if isinstance(entry, fluent.Message):
            assert entry.id.name not in found, f"{entry.id.name} is there twice"
            variables = Variables()
            variables.visit(entry)
            found[entry.id.name] = variables.names
    return found


FRENCH, ENGLISH = messages(Language.FR), messages(Language.EN)


# --- The files ---


def test_languages_have_the_same_messages() -> None:
    """Each message has words in both languages, with the same parameters."""
    assert FRENCH == ENGLISH


def test_each_language_has_its_file() -> None:
    """There is a file for each language, and no other."""
    assert {file.stem for file in LOCALES.iterdir()} == set(Language)


@pytest.mark.parametrize("language", list(Language))
def test_every_message_is_complete_with_its_parameters(language: Language) -> None:
    """With its parameters, each message becomes a sentence without gaps."""
    for message_id, names in messages(language).items():
        for number in (0, 1, 2, 1000):
            text = translate(language, message_id, **dict.fromkeys(names, number))
            assert text.strip()
            assert "{" not in text


@pytest.mark.parametrize("language", list(Language))
def test_missing_parameter_is_an_error(language: Language) -> None:
    """A missing parameter raises an error: no reader gets a sentence with a gap."""
    for message_id in (message_id for message_id, names in FRENCH.items() if names):
        with pytest.raises(ValueError, match=message_id):
            translate(language, message_id)


def test_unknown_message_is_an_error() -> None:
    """An id without words raises an error."""
    assert not has_message(Language.FR, "nothing")
    with pytest.raises(LookupError):
        translate(Language.FR, "nothing")


def test_entered_text_stays_as_it_is() -> None:
    """Text that a person entered is neither read as Fluent nor wrapped in invisible characters."""
    text = translate(Language.EN, "activation-mail-sent", email="{ $email }@exemple.fr")
    assert text == "Two e-mails are on their way to { $email }@exemple.fr: a summary, and the activation link."


@pytest.mark.parametrize(
    ("language", "left", "expected"),
    [
        (Language.FR, 1, "Il vous reste 1 essai."),
        (Language.FR, 4, "Il vous reste 4 essais."),
        (Language.EN, 1, "You have 1 attempt left."),
        (Language.EN, 4, "You have 4 attempts left."),
    ],
)
def test_words_agree_with_numbers(language: Language, left: int, expected: str) -> None:
    """Singular and plural follow the grammar of each language."""
    assert translate(language, "problem-CAPTCHA_REJECTED", attemptsLeft=left).endswith(expected)


def test_french_is_set_as_french() -> None:
    """A thin space that doesn't break stands before double signs, and apostrophes are curved."""
    for line in (LOCALES / "fr.ftl").read_text(encoding="utf-8").splitlines():
        text = "" if line.startswith("#") else re.sub(r"\{.*?\}", "", line).partition("=")[2]
        text = re.sub(r"https?:|\S+@\S+", "", text)
        assert not re.search(r"[^\u202f\u00a0][;:!?»]|«[^\u202f\u00a0]|'", text), line


# --- Ids in the code ---


def strings() -> Iterator[ast.AST]:
    """Yield constants and f-strings of the code, without the constants inside f-strings."""
    for source in SOURCES:
        waiting: list[ast.AST] = [ast.parse(source.read_text(encoding="utf-8"))]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.Constant | ast.JoinedStr):
                yield node
            else:
                waiting.extend(ast.iter_child_nodes(node))


def patterns() -> set[str]:
    """Return the f-strings that begin as ids of messages do: `field-{}`."""
    shapes = {
        "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        for node in strings()
        if isinstance(node, ast.JoinedStr)
    }
    kinds = {message_id.partition("-")[0] for message_id in FRENCH}
    return {shape for shape in shapes if re.fullmatch(r"[a-zA-Z{}-]+", shape) and shape.partition("-")[0] in kinds}


def test_table_has_all_composed_ids() -> None:
    """The table above has each way in which the code composes an id, and no other."""
    assert patterns() == set(COMPOSED_IDS)


def test_every_message_is_used() -> None:
    """The code names or composes the id of each message, and each composed id has words."""
    constants = {node.value for node in strings() if isinstance(node, ast.Constant)}
    put_together = {
        shape.replace("{}-{}", "{}").replace("{}", part) for shape, parts in COMPOSED_IDS.items() for part in parts
    }
    named = {message_id for message_id in FRENCH if message_id in constants}
    assert named | put_together == set(FRENCH)
    assert not named & put_together


@pytest.mark.parametrize("language", list(Language))
def test_every_code_has_words(language: Language) -> None:
    """Every code of the contract has words. A new code without words fails this test."""
    ids = [
        *(f"problem-{code.value}" for code in ProblemCode if code is not WITHOUT_WORDS_OF_ITS_OWN),
        *(f"field-{code.value}" for code in FieldProblemCode),
        *(f"problem-ACTIVATION_LINK_{state}" for state in LinkState if state is not LinkState.USABLE),
        f"link-{LinkState.USABLE}",
        *(f"password-strength-{strength.value}" for strength in PasswordStrength),
        *(f"identifier-{what}-{type_}" for what in ("label", "field", "hint") for type_ in IdentifierType),
    ]
    assert [message_id for message_id in ids if not has_message(language, message_id)] == []


def test_messages_have_the_parameters_that_the_code_passes() -> None:
    """Messages with parameters are exactly those whose callers pass them, under these names."""
    assert {message_id: names for message_id, names in FRENCH.items() if names} == {
        "problem-TOO_MANY_REQUESTS": {"seconds"},
        "problem-CAPTCHA_REJECTED": {"attemptsLeft"},
        "problem-ACTIVATION_LINK_USED-with-url": {"url"},
        "field-INVALID_CHARACTERS-character": {"quoted"},
        "field-INVALID_CHARACTERS-link": {"quoted"},
        "field-INVALID_CHARACTERS-phone": {"quoted"},
        "field-EMAIL_INVALID-character": {"quoted"},
        "field-TOO_LONG": {"max"},
        "field-TOO_MANY_ITEMS": {"max"},
        "field-PASSWORD_TOO_SHORT": {"min"},
        "field-PASSWORD_TOO_LONG": {"max"},
        "field-PASSWORD_TOO_FEW_CHARACTER_TYPES": {"min"},
        "activation-mail-sent": {"email"},
        "activation-mail-requested": {"email"},
        "link-USABLE": {"firstName", "lastName"},
        "password-policy": {"min", "types"},
    }


# --- The requested language ---


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", Language.FR),
        ("fr", Language.FR),
        ("en", Language.EN),
        ("EN", Language.EN),
        ("en-GB", Language.EN),
        ("fr-CA", Language.FR),
        ("en-Latn-US-x-private", Language.EN),
        ("en, fr", Language.EN),
        ("fr, en", Language.FR),
        ("fr;q=0.5, en", Language.EN),
        ("fr;q=0.5, en;q=0.9", Language.EN),
        ("fr; q=0.9 , en ;q=0.5", Language.FR),
        ("en;q=0.001", Language.EN),
        ("en;Q=0.9, fr;q=0.1", Language.EN),
        ("en;q=0", Language.FR),
        ("en;q=0, fr;q=0.1", Language.FR),
        ("de, en;q=0.5", Language.EN),
        ("de-DE, nl, *;q=0.1", Language.FR),
        ("*", Language.FR),
        ("*, en;q=0.1", Language.EN),
        ("english", Language.FR),
        ("e", Language.FR),
        ("en_GB", Language.FR),
        ("-en", Language.FR),
        ("en;q=2", Language.FR),
        ("en;q=-1", Language.FR),
        ("en;q=nan", Language.FR),
        ("en;q=", Language.FR),
        ("en;q=high", Language.FR),
        ("en;level=1", Language.FR),
        (",;,=;q=,,", Language.FR),
        ("\x00\ud800;q=1", Language.FR),
        (" en ", Language.EN),
        ("en," * 100_000, Language.EN),
        ("de," * 100_000 + "en", Language.FR),
        ("en;q=0." + "9" * 100_000, Language.EN),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_header_chooses_the_language(header: str, language: Language) -> None:
    """The header's preferred language counts; French is the default for no language of ours or a malformed header."""
    assert negotiate(header) is language
