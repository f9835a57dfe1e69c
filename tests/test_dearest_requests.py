"""The most expensive requests within the limits take bounded work, from parsing to serialising."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, target
from zxcvbn.matching import L33T_TABLE

from api.app import build_app
from api.passwords.policy import assess
from tests.support.client import client_of
from tests.support.databases import sqlite_only
from tests.support.dearest import BY_HAND, IDENTIFIERS, documents
from tests.support.work import calls_of, lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from api.settings.environment import Settings

    Ask = Callable[[str], httpx.Response]

# Calls of functions. The introspection of every tool takes 120,000.
MAX_CALLS = 300_000
MAX_ANSWER_BYTES = 400_000
MAX_LINES_FOR_A_PASSWORD = 160_000

searched = settings(
    database=None, derandomize=True, deadline=None, max_examples=40, suppress_health_check=list(HealthCheck)
)


@pytest.fixture
def ask(settings: Settings) -> Iterator[Ask]:
    """Return a function that sends a query to a service in this thread, so that its calls can be counted."""
    with asyncio.Runner() as runner:
        client = client_of(build_app(settings))
        http = runner.run(client.__aenter__())

        def ask_(query: str) -> httpx.Response:
            body: dict[str, Any] = {"query": query, "variables": {"identifiers": IDENTIFIERS}}
            return runner.run(http.post("/graphql", json=body))

        ask_("{ __typename }")  # Do the work that each process does only once.
        yield ask_
        runner.run(client.__aexit__(None, None, None))


def work(ask: Ask, query: str) -> tuple[int, httpx.Response]:
    """Answer *query*. Return the number of calls that it takes, and the answer."""
    answers: list[httpx.Response] = []
    calls = calls_of(lambda: answers.append(ask(query)))
    return calls, answers[0]


@sqlite_only
@pytest.mark.parametrize("kind", BY_HAND)
def test_most_expensive_document_of_each_kind_takes_bounded_work(ask: Ask, kind: str) -> None:
    """A document that exhausts one of the limits takes bounded work, and has a bounded answer."""
    calls, answer = work(ask, BY_HAND[kind])
    assert answer.status_code in {200, 400}
    assert "INTERNAL_SERVER_ERROR" not in answer.text
    assert "LIMIT_EXCEEDED" not in answer.text, "A document over a limit shows nothing of those within."
    assert calls < MAX_CALLS
    assert len(answer.content) < MAX_ANSWER_BYTES


@pytest.mark.exhaustive
@sqlite_only
def test_search_finds_no_document_above_the_bound(ask: Ask) -> None:
    """A search for the most expensive document finds none above the bound."""
    passed = 0

    @searched
    @given(documents())
    def search(query: str) -> None:
        nonlocal passed
        calls, answer = work(ask, query)
        passed += "data" in answer.json()
        target(calls)
        assert "INTERNAL_SERVER_ERROR" not in answer.text
        assert calls < MAX_CALLS
        assert len(answer.content) < MAX_ANSWER_BYTES

    search()
    assert passed > 10


SYMBOLS = "".join(sorted({symbol for symbols in L33T_TABLE.values() for symbol in symbols}))
PASSWORDS = [
    "8898804235685165889880423568516588988042356851658",
    "l3i<[99a{|%{5(4" * 20,
    "@e6s@5!(9i964[7" * 20,
    SYMBOLS * 15,
    "aaapassword12/11/1987\N{FOX FACE}4@8({[" * 10,
    "qwerty4@8({[aaamonkeyqwertyqwertyzxcvbn\u00e9" * 8,
    "tR9#kq!vZ2pLmX7$wB4&nC8*jD1@hF5%gS3^yU6" * 8,
    "estionaretionareston" * 13,
    "ababababababababababababababc" * 9,
    "\ufdfa" * 2_048,
    "1.1.1991" * 30,
    "azqswxedcrfvtgbyhn" * 14,
    "azqsazqs1" * 28,
    "13marseille13000lyon69" * 11,
    "abcdabcdabcdabceabcaab" * 11,
]


@pytest.mark.parametrize("password", PASSWORDS, ids=ascii)
def test_most_expensive_password_takes_bounded_work(password: str) -> None:
    """A long password, or one whose symbols can be read in many ways, is judged in bounded work."""
    assess(password)
    personal_data = ["Camille", "Durand", "camille.durand@exemple.fr"]
    assert lines_of(lambda: assess(password, personal_data)) < MAX_LINES_FOR_A_PASSWORD
