"""The limits of documents, the cache of valid documents, and errors that reveal neither secrets nor hints."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import graphql
import httpx
import pytest

from api.app import build_app
from api.graphql.engine.documents import MAX_CACHED_DOCUMENTS, Documents
from api.graphql.engine.errors import DocumentRefused
from api.graphql.schema import graphql_schema
from api.settings.environment import Settings
from models.identifiers import Identifier
from tests.support.client import (
    ACTIVATE_ACCOUNT,
    CHECK_PASSWORD,
    CREATE_ACCOUNT,
    FIND_ORGANISATION,
    FIND_ORGANISATIONS,
    INSPECT_ACTIVATION_LINK,
    PASSWORD,
    RENEW_CAPTCHA,
    RESEND_ACTIVATION_MAIL,
    SECRET,
    VERIFY_CAPTCHA,
    Answer,
    client_of,
)
from tests.support.databases import sqlite_only
from tests.support.work import calls_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def documents() -> Documents:
    return Documents(graphql_schema, introspection=True)


def refusal(documents: Documents, text: str) -> list[graphql.GraphQLError]:
    with pytest.raises(DocumentRefused) as refused:
        documents.get(text)
    return refused.value.errors


def codes(documents: Documents, text: str) -> set[str]:
    return {(error.extensions or {})["code"] for error in refusal(documents, text)}


# --- Limits ---


def aliases(count: int) -> str:
    return " ".join(f"a{number}: __typename" for number in range(count))


def nested(depth: int) -> str:
    """Return a query of *depth* levels that fits the schema."""
    return "{ __schema { types " + "{ ofType " * (depth - 3) + "{ name }" + " }" * (depth - 1)


def chain_of_fragments(length: int, spread: str, last: str) -> str:
    """Return *length* fragments, each of which spreads the next one in the form of *spread*."""
    links = [f"fragment F{n} on Query {{ {spread.replace('NEXT', f'...F{n + 1}')} }}" for n in range(length)]
    return " ".join(["{ ...F0 }", *links, f"fragment F{length} on Query {{ {last} }}"])


@pytest.mark.parametrize(
    "text",
    [
        graphql.get_introspection_query(),
        nested(15),
        "{ " + aliases(20) + " }",
        "{ ...F } fragment F on Query { " + aliases(20) + " }",
        "{ ...F ...F } fragment F on Query { " + aliases(10) + " }",
        "{ " + "__typename " * 120 + "}",
        "{ terms { " + "version url surveyConsentVersion " * 70 + "} }",
        "{ " + "terms { url } " * 30 + "}",
        "{ " + "terms { url } identifierTypes { label } " * 30 + "}",
        chain_of_fragments(50, "__typename NEXT", "__typename"),
        *[
            CREATE_ACCOUNT,
            RENEW_CAPTCHA,
            VERIFY_CAPTCHA,
            RESEND_ACTIVATION_MAIL,
            INSPECT_ACTIVATION_LINK,
            CHECK_PASSWORD,
            ACTIVATE_ACCOUNT,
            FIND_ORGANISATION,
            FIND_ORGANISATIONS,
        ],
        "query A { " + aliases(20) + " } query B { " + aliases(20) + " }",
        'mutation A { renewCaptcha(registrationId: "1") { __typename } } mutation B { x: __typename }',
        'mutation { ...F } fragment F on Mutation { renewCaptcha(registrationId: "1") { __typename } }',
    ],
)
def test_document_within_the_limits_is_accepted(documents: Documents, text: str) -> None:
    """Every document that a client has a reason to send is within the limits."""
    assert documents.get(text).tree == graphql.parse(text)


RENEWAL = 'renewCaptcha(registrationId: "1") { __typename }'


@pytest.mark.parametrize(
    "text",
    [
        nested(16),
        "{ ...F } fragment F on Query { __schema { ...G } } fragment G on __Schema { types "
        + "{ ofType " * 13
        + "{ name } }"
        + " }" * 13,
        "{ " + aliases(21) + " }",
        "{ ...F } fragment F on Query { " + aliases(21) + " }",
        "{ ...F ...F ...F } fragment F on Query { " + aliases(7) + " }",
        "{ ... on Query { " + aliases(21) + " } }",
        chain_of_fragments(5, "NEXT NEXT", "a: __typename"),
        chain_of_fragments(50, "NEXT NEXT", "a: __typename"),
        "{ __schema { types { " + " ".join(f"a{number}: name" for number in range(21)) + " } } }",
        "{ __typename } query Other { " + aliases(21) + " }",
        "{ " + "terms { url } " * 31 + "}",
        "{ " + "... on Query { terms { url } } " * 31 + "}",
        "{ ...F ...G } fragment F on Query { "
        + "terms { url } " * 16
        + "} fragment G on Query { "
        + "terms { url } " * 15
        + "}",
        "{ " + "__schema { types { fields { name } } } " * 31 + "}",
        "{ " + "__typename " * 499 + "}",
        "{ " + "__typename " * 121 + "}",
        "{ terms { " + "version url surveyConsentVersion " * 80 + "} }",
        "{ ...F " + "__typename " * 60 + "} fragment F on Query { " + "... on Query { __typename } " * 61 + "}",
        "{ __typename }" + "#\n" * 500,
        "{ a " * 5_000,
        "{ a " * 166 + "} " * 166,
        "{ a(b: " + "[" * 5_000,
        "query ($a: " + "[" * 5_000,
        "mutation { " + RENEWAL + " again: " + RENEWAL + " }",
        "mutation { " + RENEWAL + " __typename }",
        "mutation { __typename a: __typename }",
        "mutation { __typename __typename }",
        "mutation { ...F ...F } fragment F on Mutation { " + RENEWAL + " }",
        "mutation { ...F ...G } fragment F on Mutation { " + RENEWAL + " } fragment G on Mutation { __typename }",
        "mutation { ...F } fragment F on Mutation { " + RENEWAL + " ... on Mutation { again: " + RENEWAL + " } }",
        "query Q { __typename } mutation M { __typename " + RENEWAL + " }",
    ],
    ids=lambda text: text[:60],
)
def test_document_over_a_limit_is_refused(documents: Documents, text: str) -> None:
    """Depth, aliases and root fields inside fragments count too. Tokens are counted first."""
    assert codes(documents, text) == {"LIMIT_EXCEEDED"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{ ...F } fragment F on Query { ...F }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ...F } fragment F on Query { ...G } fragment G on Query { ...F }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ...Nowhere }", "GRAPHQL_VALIDATION_FAILED"),
        ("query tokens tokens", "GRAPHQL_PARSE_FAILED"),
        ('{ a("Parsing aborted.")', "GRAPHQL_PARSE_FAILED"),
    ],
)
def test_other_mistakes_keep_their_own_code(documents: Documents, text: str, code: str) -> None:
    """A document with another mistake gets the code of that mistake, not LIMIT_EXCEEDED."""
    assert codes(documents, text) == {code}


@sqlite_only
@pytest.mark.parametrize(
    ("opening", "closing"), [("query ($a: ", ") { terms { url } }"), ("{ terms(language: ", ") { url } }")]
)
@pytest.mark.parametrize(("left", "right"), [("[", "]"), ("{ a: ", "}")])
async def test_deep_values_are_refused(
    http: httpx.AsyncClient, opening: str, closing: str, *, left: str, right: str
) -> None:
    """The parser or the validation refuses a deep value, at any depth up to 250."""
    for depth in range(5, 250, 5):
        query = f"{opening}{left * depth}Int{right * depth}{closing}"
        answer = await http.post("/graphql", json={"query": query})
        assert answer.status_code == 400, depth


@pytest.mark.parametrize("spread", ["NEXT NEXT", "__typename NEXT __typename NEXT", "NEXT ... on Query { NEXT }"])
def test_nested_fragments_do_not_square_the_work(spread: str) -> None:
    """Twice as many nested fragments take less than four times the work, though they square the number of fields."""

    def work(length: int) -> int:
        text = chain_of_fragments(length, spread, "__typename")

        def answer() -> None:
            document = Documents(graphql_schema, introspection=True).get(text)
            assert graphql.execute_sync(graphql_schema, document.tree).data == {"__typename": "Query"}

        return calls_of(answer)

    work(1)  # Do the work that a process does only once, such as compiling patterns.
    assert work(24) < 4 * work(12)


def test_work_of_counting_aliases_in_nested_fragments_is_bounded() -> None:
    """A document of 2⁵⁰ aliases is refused without counting each of them."""

    def work(length: int) -> int:
        text = chain_of_fragments(length, "NEXT NEXT", "a: __typename")
        return calls_of(lambda: refusal(Documents(graphql_schema, introspection=True), text))

    work(6)
    assert work(50) < 10 * work(6)


# --- Introspection ---


@pytest.mark.parametrize(
    "text",
    [
        graphql.get_introspection_query(),
        "{ __schema { queryType { name } } }",
        '{ __type(name: "Query") { name } }',
        "{ ...F } fragment F on Query { a: __schema { __typename } }",
    ],
)
def test_introspection_can_be_disabled(text: str) -> None:
    """The setting applies to introspection anywhere in a document."""
    assert Documents(graphql_schema, introspection=True).get(text)
    assert codes(Documents(graphql_schema, introspection=False), text) == {"GRAPHQL_VALIDATION_FAILED"}


@pytest.mark.parametrize("text", ["{ __typename terms { __typename url } }", CREATE_ACCOUNT, FIND_ORGANISATIONS])
def test_typename_works_without_introspection(text: str) -> None:
    """Clients can ask for __typename without introspection."""
    assert Documents(graphql_schema, introspection=False).get(text)


def test_nested_introspection_is_refused() -> None:
    """A document can't ask for fields of types of fields of types, which would give millions of lines."""
    text = "{ __schema { types { " + "fields { type { " * 3 + "name" + " } }" * 3 + " } } }"
    assert codes(Documents(graphql_schema, introspection=True), text) == {"GRAPHQL_VALIDATION_FAILED"}


# --- The cache ---


def queries(count: int) -> list[str]:
    return [f"query Q{number} {{ __typename }}" for number in range(count)]


def cached_texts(documents: Documents) -> list[str]:
    return list(documents._cache)


def test_cache_keeps_the_last_used_documents_up_to_its_size(documents: Documents) -> None:
    """The cache is bounded: it drops the documents whose last use is oldest."""
    texts = queries(MAX_CACHED_DOCUMENTS + 10)
    first = documents.get(texts[0])
    for text in texts:
        documents.get(text)
        assert documents.get(texts[0]) is first
    assert len(cached_texts(documents)) == MAX_CACHED_DOCUMENTS
    assert set(cached_texts(documents)) == {texts[0], *texts[-MAX_CACHED_DOCUMENTS + 1 :]}


def test_long_documents_are_not_cached(documents: Documents) -> None:
    """The cache holds no document of more than 10,000 characters."""
    long, longest = (f"{{ __typename }}{' ' * (length - 14)}" for length in (10_001, 10_000))
    documents.get(long)
    documents.get(longest)
    assert cached_texts(documents) == [longest]


@pytest.mark.parametrize("text", ["{", "{ nothing }", "{ " + aliases(21) + " }"])
def test_refused_documents_are_not_cached(documents: Documents, text: str) -> None:
    """A refused document takes no space in the cache, and is refused again."""
    assert refusal(documents, text)
    assert cached_texts(documents) == []
    assert refusal(documents, text)


@pytest.mark.parametrize(
    ("text", "is_cached"),
    [
        ('mutation { checkPassword(input: {password: "Secret-42"}) { __typename } }', False),
        ('mutation { checkPassword(input: {password: """Secret-42"""}) { __typename } }', False),
        ('query Q { __typename } mutation M { checkPassword(input: {password: "S"}) { __typename } }', False),
        (
            'mutation ($i: CheckPasswordInput! = {password: "Secret-42"}) { checkPassword(input: $i) { __typename } }',
            False,
        ),
        ('{ organisation(identifier: {type: SIRET, value: "732 829 320 00074"}) { __typename } }', True),
        (CHECK_PASSWORD, True),
    ],
)
def test_mutations_with_literal_texts_are_not_cached(documents: Documents, text: str, is_cached: bool) -> None:
    """A mutation with a text written into it is not cached: the text may be a password."""
    documents.get(text)
    assert cached_texts(documents) == ([text] if is_cached else [])


def test_cached_document_is_not_checked_again(documents: Documents) -> None:
    """The second time, a document is neither parsed nor validated."""
    assert calls_of(lambda: documents.get(FIND_ORGANISATION)) > 1_000
    assert calls_of(lambda: documents.get(FIND_ORGANISATION)) < 5


@sqlite_only
@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{ __typename }", None),
        (FIND_ORGANISATION, {"identifier": {"type": "SIRET", "value": "73282932000074"}}),
        (FIND_ORGANISATION, {"identifier": {"type": "SIRET"}}),
        (CHECK_PASSWORD, {"input": {"password": PASSWORD}}),
        ("{ nothing }", None),
        ("{", None),
        ("query A { __typename } query B { __typename }", None),
    ],
)
async def test_cached_document_gets_the_same_answer(
    http: httpx.AsyncClient, query: str, variables: Answer | None
) -> None:
    """The second answer to a request has the same bytes as the first, except for the id of the request."""
    first, second = [await http.post("/graphql", json={"query": query, "variables": variables}) for _ in range(2)]
    assert first.status_code == second.status_code
    assert first.text.replace(first.headers["x-request-id"], second.headers["x-request-id"]) == second.text


# --- Hints ---


@pytest.mark.parametrize(
    "text",
    [
        "{ identifierType { label } }",
        "{ organisatio(identifier: null) { __typename } }",
        "{ terms { versio } }",
        "{ terms(languag: FR) { version } }",
        "{ terms(language: F) { version } }",
        "{ terms }",
        "{ terms @includ(if: true) { version } }",
        "query ($x: Languag) { terms(language: $x) { version } }",
        "{ ... on Quer { __typename } }",
        "{ ...F } fragment F on Mutatio { __typename }",
        'mutation { checkPassword(input: {passwor: "x", password: "x"}) { __typename } }',
        "{ a(b: ..) }",
        "{ a(b: .5) }",
    ],
)
def test_document_errors_suggest_no_names(documents: Documents, text: str) -> None:
    """No error of a document suggests a name."""
    messages = [error.message for error in refusal(documents, text)]
    assert messages
    assert not [message for message in messages if "did you mean" in message.lower()]


@sqlite_only
@pytest.mark.parametrize(
    "identifier", [{"typ": "SIRET", "value": "1"}, {"type": "SIRETT", "value": "1"}, {"type": "siret", "value": "1"}]
)
async def test_variable_errors_suggest_no_names(http: httpx.AsyncClient, identifier: Answer) -> None:
    """No error of a variable suggests a name."""
    body = {"query": FIND_ORGANISATION, "variables": {"identifier": identifier}}
    answer = await http.post("/graphql", json=body)
    assert answer.status_code == 400
    assert "did you mean" not in answer.text.lower()


@pytest.mark.parametrize("count", [5, 6, 60])
def test_at_most_five_errors_are_reported(documents: Documents, count: int) -> None:
    """An answer reports at most five errors, and says if there are more."""
    errors = refusal(documents, "{ " + " ".join(f"wrong{number}" for number in range(count)) + " }")
    assert len(errors) == (5 if count == 5 else 6)
    assert all((error.extensions or {})["code"] == "GRAPHQL_VALIDATION_FAILED" for error in errors)


# --- Secrets ---

CHECK = "mutation ($input: CheckPasswordInput!) { checkPassword(input: $input) { __typename } }"
INSPECT = "mutation ($token: String!) { inspectActivationLink(token: $token) { __typename } }"
VERIFY = "mutation ($input: VerifyCaptchaInput!) { verifyCaptcha(input: $input) { __typename } }"
ACTIVATE = "mutation ($input: ActivateAccountInput!) { activateAccount(input: $input) { __typename } }"

WRONG_VARIABLES: list[tuple[str, Any]] = [
    (CHECK, SECRET),
    (CHECK, [SECRET]),
    (CHECK, {"input": SECRET}),
    (CHECK, {"input": [SECRET]}),
    (CHECK, {"input": {"password": [SECRET]}}),
    (CHECK, {"input": {"password": {"value": SECRET}}}),
    (CHECK, {"input": {"password": {SECRET: 1}}}),
    (CHECK, {"input": {"password": None, "activationToken": SECRET}}),
    (CHECK, {"input": {"passwrd": SECRET}}),
    (CHECK, {"input": {"password": SECRET, "passwordConfirmation": SECRET}}),
    (CHECK, {"input": {"password": SECRET, "personalData": [{"name": SECRET}]}}),
    (CHECK, {"input": {"password": SECRET, "personalData": [None]}}),
    (CHECK, {"input": {"password": SECRET, "activationToken": 1}}),
    (CHECK, {"password": SECRET}),
    (INSPECT, {"token": [SECRET]}),
    (INSPECT, {"token": {"value": SECRET}}),
    (INSPECT, {"Token": SECRET}),
    (VERIFY, {"input": {"registrationId": "1", "answer": [SECRET]}}),
    (VERIFY, {"input": {"registrationId": ["1"], "answer": SECRET}}),
    (VERIFY, {"input": {"answer": SECRET}}),
    (ACTIVATE, {"input": {"token": SECRET, "password": SECRET}}),
    (ACTIVATE, {"input": {"token": SECRET, "password": SECRET, "passwordConfirmation": [SECRET]}}),
    (ACTIVATE, {"input": {"token": 1, "password": SECRET, "passwordConfirmation": SECRET}}),
    (CREATE_ACCOUNT, {"input": {"email": SECRET, "acceptTerms": SECRET}}),
]

WRONG_DOCUMENTS = [
    f"mutation {{ checkPassword(input: {{password: {SECRET}}}) {{ __typename }} }}",
    f"mutation {{ checkPassword(input: {{password: ${SECRET}}}) {{ __typename }} }}",
    f'mutation {{ checkPassword(input: {{password: ["{SECRET}"]}}) {{ __typename }} }}',
    f'mutation {{ checkPassword(input: {{password: {{a: "{SECRET}"}}}}) {{ __typename }} }}',
    f'mutation {{ checkPassword(input: {{passwrd: "{SECRET}"}}) {{ __typename }} }}',
    f'mutation {{ checkPassword(input: {{password: "{SECRET}", other: 1}}) {{ __typename }} }}',
    f'mutation {{ checkPassword(input: {{password: "{SECRET}", activationToken: 1}}) {{ __typename }} }}',
    f'mutation {{ checkPassword(input: "{SECRET}") {{ __typename }} }}',
    f'mutation {{ checkPassword(input: ["{SECRET}"]) {{ __typename }} }}',
    f"mutation {{ checkPassword(input: {SECRET}) {{ __typename }} }}",
    f'mutation {{ checkPassword(password: "{SECRET}") {{ __typename }} }}',
    f'mutation {{ checkPassword(input: {{password: "{SECRET}"}}) }}',
    f'mutation {{ checkPassword(input: {{password: "{SECRET}"}}) {{ nothing }} }}',
    f'mutation {{ checkPassword(input: {{password: "{SECRET}" }}',
    f'mutation {{ checkPassword(input: {{password: "{SECRET}',
    f'mutation {{ checkPassword(input: {{password: """{SECRET}',
    f"mutation {{ checkPassword(input: {{password: '{SECRET}'}}) {{ __typename }} }}",
    f'mutation {{ checkPassword(input: {{password "{SECRET}"}}) {{ __typename }} }}',
    f"mutation {{ checkPassword(input: {{password {SECRET}}}) {{ __typename }} }}",
    f'mutation {{ checkPassword(input: {{"password": "{SECRET}"}}) {{ __typename }} }}',
    f"mutation {{ checkPassword(input: {{password: 1 {SECRET} 2 }}) {{ __typename }} }}",
    f'mutation {{ checkPassword(input: {{password: "\\u{{{SECRET}}}"}}) {{ __typename }} }}',
    f'mutation {{ checkPassword(input: {{password: "\\{SECRET}"}}) {{ __typename }} }}',
    f'mutation {{ checkPassword(input: {{password: "x" }}) {{ __typename }} }} # {SECRET}\n {{',
    f'mutation {{ inspectActivationLink(token: {{is: "{SECRET}"}}) {{ __typename }} }}',
    f"mutation {{ inspectActivationLink(token: {SECRET}) {{ __typename }} }}",
    f'mutation {{ verifyCaptcha(input: {{answer: "{SECRET}"}}) {{ __typename }} }}',
    f"mutation {{ verifyCaptcha(input: {{answer: {SECRET}, registrationId: 1}}) {{ __typename }} }}",
    f'{{ organisation(identifier: {{type: {SECRET}, value: "1"}}) {{ __typename }} }}',
    f'{{ organisation(identifier: {{type: "{SECRET}", value: "1"}}) {{ __typename }} }}',
    f'mutation ($t: String = "{SECRET}") {{ inspectActivationLink(token: $t, a: 1) {{ __typename }} }}',
    f"mutation ($t: String = {SECRET}) {{ inspectActivationLink(token: $t) {{ __typename }} }}",
    f"mutation ($t: String = ${SECRET}) {{ inspectActivationLink(token: $t) {{ __typename }} }}",
    f'{{ terms @skip(if: "{SECRET}") {{ version }} }}',
    f'"{SECRET}" {{ terms {{ version }} }}',
]


def service_log(caplog: pytest.LogCaptureFixture) -> str:
    """Return everything that was logged, except by the test's own HTTP client."""
    return "\n".join(
        f"{record.getMessage()} {record.exc_text or ''}"
        for record in caplog.records
        if record.name.partition(".")[0] not in {"httpx", "httpcore"}
    )


@sqlite_only
async def test_secrets_in_wrong_variables_are_never_repeated(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A secret in a wrong place or of a wrong type appears in no answer and no log."""
    caplog.set_level(logging.DEBUG)
    for query, variables in WRONG_VARIABLES:
        response = await http.post("/graphql", json={"query": query, "variables": variables})
        assert response.status_code == 400, (variables, response.text)
        assert SECRET not in response.text, (variables, response.text)
    assert SECRET not in service_log(caplog)


@sqlite_only
async def test_secrets_in_wrong_documents_are_never_repeated(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A secret in a document with a mistake, there or elsewhere, appears in no answer and no log."""
    caplog.set_level(logging.DEBUG)
    for query in WRONG_DOCUMENTS:
        response = await http.post("/graphql", json={"query": query})
        assert response.status_code == 400, (query, response.text)
        assert SECRET not in response.text, (query, response.text)
        assert SECRET[:8] not in response.text, (query, response.text)
        assert SECRET[-8:] not in response.text, (query, response.text)
    assert SECRET not in service_log(caplog)


@sqlite_only
@pytest.mark.parametrize("part", ["{0}", '{{"query": "{0}"', '["{0}"]', '{{"query": {{"{0}": 1}}}}', '"{0}"'])
async def test_malformed_body_is_never_repeated(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    """No answer and no log quotes a malformed body."""
    caplog.set_level(logging.DEBUG)
    response = await http.post("/graphql", content=part.format(SECRET), headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert SECRET not in response.text + service_log(caplog)


MIN_DISTINCT_LENGTH = 4
AWKWARD = 'Été "au\n\\lac'


@pytest.fixture
async def failing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an application whose password check and look-ups fail and quote their arguments."""

    def fail(password: str, *_: object) -> None:
        try:
            raise KeyError(password)
        except KeyError as exc:
            raise RuntimeError(f"{password} and {password!r} are too much") from exc

    async def fail_to_find(identifiers: list[Identifier]) -> list[None]:
        raise RuntimeError(f"{identifiers} can't be found")

    monkeypatch.setattr("api.passwords.threads.assess", fail)
    monkeypatch.setattr("api.app.find_organisations", fail_to_find)
    async with client_of(build_app(settings)) as client:
        yield client


@sqlite_only
@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("password", [SECRET, AWKWARD, "'", "abcd", "{0}%s"])
async def test_failure_that_quotes_a_password_is_logged_without_it(
    failing: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, password: str, inline: bool
) -> None:
    """The log omits the message of an exception, which may quote a password."""
    caplog.set_level(logging.DEBUG)
    query, variables = CHECK, {"input": {"password": password}}
    if inline:
        literal = json.dumps(password)
        query, variables = f"mutation {{ checkPassword(input: {{password: {literal}}}) {{ __typename }} }}", {}
    response = await failing.post("/graphql", json={"query": query, "variables": variables})
    (error,) = response.json()["errors"]
    log = service_log(caplog)
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert error["extensions"]["reference"] in log
    assert "builtins.RuntimeError, because of builtins.KeyError" in log
    if len(password) > MIN_DISTINCT_LENGTH:
        for form in (password, repr(password)[1:-1]):
            assert form not in response.text
            assert form not in log


@sqlite_only
async def test_failure_is_logged_with_its_class_and_place(
    failing: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of a failure names its class and its place in the code."""
    variables = {"identifier": {"type": "SIRET", "value": "73282932000074"}}
    await failing.post("/graphql", json={"query": FIND_ORGANISATION, "variables": variables})
    log = service_log(caplog)
    assert "RuntimeError" in log
    assert "tests/test_guard.py" in log


# graphql-core reports these in an error whose trace shows the document, with the password in it.
NULLS_FOR_DEFAULTS = (
    'mutation ($l: String = "a") {{ activateAccount(input: {{token: "t", password: "{secret}",'
    " passwordConfirmation: $l}})"
    " {{ __typename }} }}",
    'mutation ($l: String = "a") {{' + " " * 40 + 'activateAccount(input: {{token: "{secret}", password: "{secret}",'
    " passwordConfirmation: $l}}) {{ __typename }} }}",
)


@sqlite_only
@pytest.mark.parametrize("query", NULLS_FOR_DEFAULTS)
async def test_null_for_a_default_is_bad_user_input(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, query: str
) -> None:
    """A null that graphql-core finds only at its field is BAD_USER_INPUT; the log has nothing of the document."""
    caplog.set_level(logging.DEBUG)
    response = await http.post("/graphql", json={"query": query.format(secret=SECRET), "variables": {"l": None}})
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["path"] == ["activateAccount"]
    log = service_log(caplog)
    assert SECRET[:8] not in log + response.text
    assert SECRET[-8:] not in log + response.text


@sqlite_only
async def test_access_log_has_no_input(http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    """The access log has method, path, status and time, but no input."""
    caplog.set_level(logging.INFO)
    query = f'{{ organisation(identifier: {{type: AUTRE, value: "{SECRET}"}}) {{ __typename }} }}'
    await http.get("/graphql", params={"query": query})
    await http.post("/graphql", json={"query": query})
    await http.get(f"/nowhere?{SECRET}")
    log = service_log(caplog)
    assert "GET '/graphql' 200" in log
    assert "POST '/graphql' 200" in log
    assert "GET (unknown path) 404" in log
    assert SECRET not in log


@sqlite_only
async def test_access_log_has_one_line_for_each_request(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A path can't forge a line of the log."""
    caplog.set_level(logging.INFO)
    await http.get("/%0A2026-11-23%20INFO%20all%20is%20well")
    assert "\n" not in service_log(caplog).strip()
