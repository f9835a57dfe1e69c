"""organisation, organisations and identifierTypes: public facts about an identifier, and its types."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from tortoise.transactions import in_transaction

import api.app
from api.messages.languages import Language
from api.messages.words import translate
from api.settings.environment import Settings
from models import organisation
from models.database.connections import connection
from models.field_problems import FieldProblemCode
from models.identifiers import IDENTIFIER_FORMATS, Identifier, IdentifierType
from models.organisation import (
    LOOK_UP_ON_POSTGRES,
    LOOK_UP_ON_SQLITE,
    KnownOrganisation,
    OrganisationStatus,
    find_organisations,
)
from tests.support.applications import build_cheap_app
from tests.support.client import (
    FIND_ORGANISATION,
    FIND_ORGANISATIONS,
    OTHER_SIRET,
    SIRET,
    Answer,
    Portal,
    client_of,
)
from tests.support.databases import postgres_only, sqlite_only
from tests.support.doubles import Clock
from tests.support.identifiers import IDENTIFIER_PROBLEMS
from tests.support.register import register

pytestmark = pytest.mark.anyio

VAT_NUMBER = "DE 136695976"
FORMATTED_SIRET = "732 829 320 00074"


async def find_all(portal: Portal, *identifiers: tuple[str, str], language: str | None = None) -> Answer:
    inputs = [{"type": type_, "value": value} for type_, value in identifiers]
    return await portal.call(FIND_ORGANISATIONS, {"identifiers": inputs, "language": language})


# --- Known and unknown organisations ---


async def test_open_establishment_is_found_in_the_register(portal: Portal) -> None:
    """The answer has the register's facts about an open establishment, and says that a newcomer can found it."""
    await register()
    found = await portal.find_organisation(SIRET, language="EN")
    assert found.pop("id")
    assert found == {
        "__typename": "Organisation",
        "identifier": {"type": "SIRET", "value": SIRET, "formatted": FORMATTED_SIRET},
        "name": "EXEMPLE SA",
        "status": "ACTIVE",
        "onPortal": False,
        "postalCode": "44000",
        "city": "NANTES",
        "source": "SIRENE",
        "asOf": "2026-11-01T00:00:00Z",
        "message": "This organisation is not on the portal yet: you will be its manager.",
    }


async def test_closed_establishment_is_announced_as_closed(portal: Portal) -> None:
    """The look-up says that an establishment is closed, before the form is filled in."""
    await register(status=OrganisationStatus.CLOSED)
    found = await portal.find_organisation(SIRET, language="FR")
    assert (found["__typename"], found["status"]) == ("Organisation", "CLOSED")
    assert found["message"] == "Cet établissement est fermé d’après le répertoire national."


async def test_unpublished_name_and_place_are_hidden(portal: Portal) -> None:
    """An establishment whose holder has opted out of publication is found without name and place."""
    await register(name=None, postal_code=None, city=None)
    found = await portal.find_organisation(SIRET)
    assert (found["__typename"], found["status"]) == ("Organisation", "ACTIVE")
    assert (found["name"], found["postalCode"], found["city"]) == (None, None, None)


@pytest.mark.parametrize(
    ("language", "message"),
    [
        (
            "FR",
            "Aucune organisation n’est connue sous cet identifiant. Vous pouvez la déclarer en créant votre compte.",
        ),
        (
            "EN",
            "No organisation is known under this identifier. You can declare it when you create your account.",
        ),
    ],
)
async def test_unknown_identifier_is_returned_in_canonical_form(portal: Portal, language: str, message: str) -> None:
    """A valid identifier that nobody knows is returned in its canonical form."""
    await register(OTHER_SIRET)
    assert await portal.find_organisation(" 732.829.320-00074 ", language=language) == {
        "__typename": "OrganisationNotFound",
        "code": "ORGANISATION_NOT_FOUND",
        "message": message,
        "identifier": {"type": "SIRET", "value": SIRET, "formatted": FORMATTED_SIRET},
    }


async def test_declared_organisation_is_found_without_its_name(portal: Portal, clock: Clock) -> None:
    """The look-up says that a declared organisation is on the portal, and hides its declared name."""
    identifier = {"identifier": {"type": "UE_HORS_FRANCE", "value": VAT_NUMBER}, "name": "Beispiel GmbH"}
    await portal.account(organisation=identifier)
    clock.advance(days=1)
    found = await portal.find_organisation("de136695976", "UE_HORS_FRANCE", language="EN")
    assert found.pop("id")
    assert found == {
        "__typename": "Organisation",
        "identifier": {"type": "UE_HORS_FRANCE", "value": "DE136695976", "formatted": VAT_NUMBER},
        "name": None,
        "status": "UNKNOWN",
        "onPortal": True,
        "postalCode": None,
        "city": None,
        "source": "DECLARED",
        "asOf": "2026-11-23T09:30:00Z",
        "message": "This organisation is on the portal already: your request to join will go to its manager.",
    }


async def test_organisation_has_one_id_everywhere(portal: Portal) -> None:
    """An organisation has one id: in look-ups, registrations and memberships, on the portal or not."""
    await register()
    before = await portal.find_organisation(SIRET)
    registration = await portal.create_account()
    account = await portal.account()
    after = await portal.find_organisation(SIRET)
    assert (before["onPortal"], after["onPortal"]) == (False, True)
    assert after["source"] == "SIRENE"
    ids = {
        before["id"],
        registration["organisation"]["organisation"]["id"],
        account["memberships"][0]["organisation"]["id"],
        after["id"],
    }
    assert len(ids) == 1


async def test_message_says_closed_rather_than_on_the_portal(portal: Portal) -> None:
    """For a closed establishment that is on the portal, the message says that it is closed."""
    await portal.account()
    await register(status=OrganisationStatus.CLOSED)
    found = await portal.find_organisation(SIRET, language="EN")
    assert (found["onPortal"], found["status"]) == (True, "CLOSED")
    assert found["message"] == "This establishment is closed according to the national register."


@pytest.mark.parametrize("type_", ["AUTRE", "PARTICULIER"])
async def test_private_identifier_is_never_found(portal: Portal, type_: str) -> None:
    """A look-up never reveals that somebody signed up under a private identifier."""
    identifier = {"identifier": {"type": type_, "value": "PART-000123"}, "name": "Exemple"}
    await portal.account(organisation=identifier)
    assert (await portal.find_organisation("PART-000123", type_))["__typename"] == "OrganisationNotFound"
    listed = await find_all(portal, (type_, "PART-000123"))
    assert [item["__typename"] for item in listed["items"]] == ["OrganisationNotFound"]


async def test_same_value_under_another_type_is_another_organisation(portal: Portal) -> None:
    """The same characters under another type are another organisation."""
    await portal.account(organisation={"identifier": {"type": "TAHITI", "value": "123456789"}, "name": "Exemple"})
    assert (await portal.find_organisation("123456789", "TAHITI"))["onPortal"] is True
    assert (await portal.find_organisation("123456789", "RIDET"))["__typename"] == "OrganisationNotFound"
    listed = await find_all(portal, ("RIDET", "123456789"), ("TAHITI", "987654321"), ("TAHITI", "123456789"))
    assert [item["__typename"] for item in listed["items"]] == ["OrganisationNotFound"] * 2 + ["Organisation"]


async def test_siret_under_a_private_type_is_never_found(portal: Portal) -> None:
    """The value of a SIRET under a private type is not that SIRET, even in a list that has both."""
    await register()
    listed = await find_all(portal, ("AUTRE", SIRET), ("SIRET", SIRET), ("PARTICULIER", SIRET))
    names = [item["__typename"] for item in listed["items"]]
    assert names == ["OrganisationNotFound", "Organisation", "OrganisationNotFound"]


# --- Lists ---


async def test_list_is_answered_in_the_order_of_the_identifiers(portal: Portal) -> None:
    """Each identifier of a list, duplicates included, has its answer at its own position."""
    await register()
    await register(OTHER_SIRET, name="LA POSTE")
    listed = await find_all(
        portal,
        ("SIRET", OTHER_SIRET),
        ("SIRET", "nonsense"),
        ("UE_HORS_FRANCE", VAT_NUMBER),
        ("SIRET", SIRET),
        ("AUTRE", "X"),
        ("SIRET", FORMATTED_SIRET),
        ("SIRET", OTHER_SIRET),
    )
    assert listed["__typename"] == "OrganisationList"
    assert [item.get("name") or item["__typename"] for item in listed["items"]] == [
        "LA POSTE",
        "InvalidIdentifier",
        "OrganisationNotFound",
        "EXEMPLE SA",
        "OrganisationNotFound",
        "EXEMPLE SA",
        "LA POSTE",
    ]
    assert listed["items"][0] == listed["items"][6]
    assert listed["items"][3] == listed["items"][5] == await portal.find_organisation(SIRET)


@pytest.mark.parametrize("count", [0, 1, 100])
async def test_list_of_up_to_a_hundred_is_answered(portal: Portal, count: int) -> None:
    """A list of 0 to 100 identifiers is answered."""
    listed = await find_all(portal, *[("SIRET", SIRET)] * count)
    assert [item["__typename"] for item in listed["items"]] == ["OrganisationNotFound"] * count


@sqlite_only
@pytest.mark.parametrize(("language", "message"), [("FR", "100 éléments au plus."), ("EN", "At most 100 items.")])
async def test_list_of_more_than_a_hundred_is_refused(portal: Portal, language: str, message: str) -> None:
    """A list of 101 identifiers is refused as a whole, with the field and the code."""
    refused = await find_all(portal, *[("SIRET", SIRET)] * 101, language=language)
    assert refused["__typename"] == "InvalidInput"
    assert refused["code"] == "INVALID_INPUT"
    assert refused["fields"] == [{"path": ["identifiers"], "code": "TOO_MANY_ITEMS", "message": message}]


# --- Invalid identifiers ---

INVALID: list[tuple[str, str, FieldProblemCode]] = [
    ("SIRET", " . - ", FieldProblemCode.REQUIRED),
    ("SIRET", "732829320\u00000074", FieldProblemCode.INVALID_CHARACTERS),
    ("SIRET", "7328293200007", FieldProblemCode.IDENTIFIER_INVALID_LENGTH),
    ("SIRET", "73282932O00074", FieldProblemCode.IDENTIFIER_INVALID_FORMAT),
    ("SIRET", "73282932000075", FieldProblemCode.IDENTIFIER_INVALID_CHECKSUM),
    ("UE_HORS_FRANCE", "FR40303265045", FieldProblemCode.IDENTIFIER_INVALID_COUNTRY),
]


def test_every_problem_of_an_identifier_is_tested() -> None:
    """A new problem of identifiers fails here until it is tested."""
    assert {problem for _, _, problem in INVALID} == IDENTIFIER_PROBLEMS


@sqlite_only
@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize(("type_", "value", "problem"), INVALID)
async def test_invalid_identifier_gets_its_reason_in_the_callers_language(
    portal: Portal, *, type_: str, value: str, problem: FieldProblemCode, language: Language
) -> None:
    """An invalid identifier gets its reason, a message in the caller's language, and its unchanged value."""
    expected = {
        "__typename": "InvalidIdentifier",
        "code": "IDENTIFIER_INVALID",
        "reason": problem.value,
        "message": translate(language, f"field-{problem}"),
        "type": type_,
        "value": value,
    }
    assert await portal.find_organisation(value, type_, language=language.upper()) == expected
    listed = await find_all(portal, (type_, value), language=language.upper())
    assert listed["items"] == [expected]


def test_each_problem_has_its_own_words_in_each_language() -> None:
    """No two problems have the same words, in the same or in different languages."""
    words = [translate(language, f"field-{problem}") for language in Language for problem in IDENTIFIER_PROBLEMS]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize(
    ("entered", "echoed"),
    [
        ("x" * 50, "x" * 50),
        ("x" * 51, "x" * 50),
        ("x" * 30_000, "x" * 50),
        ("\0", "\0"),
        ("7328\u00009320 00074", "7328\u00009320 00074"),
        ("\ud800", "?"),
        ("73282932000074\udfff", "73282932000074?"),
        ("x" * 49 + "\ud83d\ude00", "x" * 49 + "😀"),
        ("x" * 50 + "\ud800", "x" * 50),
        ("😀" * 60, "😀" * 50),
        ("\u202e\u200b\ufeff", "\u202e\u200b\ufeff"),
        ("", ""),
    ],
    ids=lambda text: ascii(text)[:30],
)
async def test_invalid_value_is_returned_cut_to_fifty_characters(
    http: httpx.AsyncClient, entered: str, echoed: str
) -> None:
    """The first fifty characters of an invalid value are returned. No character makes the service fail."""
    identifiers = [{"type": type_, "value": entered} for type_ in ("SIRET", "HORS_UE")]
    for query, variables in (
        (FIND_ORGANISATION, {"identifier": identifiers[0]}),
        (FIND_ORGANISATIONS, {"identifiers": identifiers}),
    ):
        body = json.dumps({"query": query, "variables": variables})  # Lone surrogates as \\u escapes.
        answer = await http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
        (found,) = answer.json()["data"].values()
        for item in found.get("items", [found]):
            assert (item["__typename"], item["value"]) == ("InvalidIdentifier", echoed)


# --- Shared queries ---


@pytest.fixture
async def looked_up_batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of identifiers in each query of the database."""
    sizes: list[int] = []
    find_organisations = organisation.find_organisations

    async def counted(identifiers: Sequence[Identifier]) -> dict[Identifier, KnownOrganisation]:
        sizes.append(len(identifiers))
        return await find_organisations(identifiers)

    monkeypatch.setattr(api.app, "find_organisations", counted)
    return sizes


@pytest.fixture
async def counted_http(looked_up_batches: list[int], settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(build_cheap_app(settings)) as client:
        yield client


LOOK_UP = {"query": FIND_ORGANISATION, "variables": {"identifier": {"type": "SIRET", "value": SIRET}}}


async def test_list_is_looked_up_in_one_query(counted_http: httpx.AsyncClient, looked_up_batches: list[int]) -> None:
    """A list of a hundred identifiers takes one query."""
    variables = {"identifiers": [{"type": "RIDET", "value": f"{1_000_000_000 + number}"} for number in range(100)]}
    await counted_http.post("/graphql", json={"query": FIND_ORGANISATIONS, "variables": variables})
    assert looked_up_batches == [100]


async def test_aliases_are_looked_up_in_one_query(
    counted_http: httpx.AsyncClient, looked_up_batches: list[int]
) -> None:
    """All look-ups of one request take one query."""
    field = 'organisation(identifier: {{type: RIDET, value: "{}"}}) {{ __typename }}'
    query = "{" + " ".join(f"a{number}: {field.format(1_000_000_000 + number)}" for number in range(20)) + "}"
    answer = await counted_http.post("/graphql", json={"query": query})
    assert len(answer.json()["data"]) == 20
    assert looked_up_batches == [20]


async def test_simultaneous_requests_share_queries(
    counted_http: httpx.AsyncClient, looked_up_batches: list[int]
) -> None:
    """Fifty simultaneous callers take at most five queries, and each gets its own answer."""
    await asyncio.gather(
        *(
            counted_http.post("/graphql", json={"query": FIND_ORGANISATION, "variables": {"identifier": identifier}})
            for identifier in ({"type": "RIDET", "value": f"{1_000_000_000 + number}"} for number in range(50))
        )
    )
    assert sum(looked_up_batches) == 50
    assert len(looked_up_batches) <= 5


async def test_simultaneous_equal_look_ups_share_an_answer(
    counted_http: httpx.AsyncClient, looked_up_batches: list[int]
) -> None:
    """Simultaneous look-ups of one identifier share its answer."""
    answers = await asyncio.gather(*(counted_http.post("/graphql", json=LOOK_UP) for _ in range(50)))
    assert len({answer.text for answer in answers}) == 1
    assert sum(looked_up_batches) <= 5


@pytest.mark.usefixtures("stored")
async def test_look_up_finds_its_rows_by_indexes() -> None:
    """A look-up reads no table of organisations as a whole, on either database."""
    if connection().capabilities.dialect == "sqlite":
        rows = await connection().execute_query_dict(f"EXPLAIN QUERY PLAN {LOOK_UP_ON_SQLITE}", ["[]", "[]"])
        steps = [row["detail"] for row in rows]
        indexes = ["organisation USING INDEX organisation_is_there_once", "register_entry USING INDEX sqlite_autoindex"]
    else:
        async with in_transaction() as transaction:  # An empty table is read as a whole, unless that is forbidden.
            await transaction.execute_script("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
            await transaction.execute_script("SET LOCAL plan_cache_mode = force_generic_plan")
            await transaction.execute_script(f"PREPARE look_up AS {LOOK_UP_ON_POSTGRES}")
            rows = await transaction.execute_query_dict("EXPLAIN EXECUTE look_up('{SIRET}', '{73282932000074}')")
            await transaction.execute_script("DEALLOCATE look_up")
        steps = [row["QUERY PLAN"] for row in rows]
        indexes = ["Index Scan using organisation_is_there_once", "Index Scan using register_entry_pkey"]
    assert [index for index in indexes if not any(index in step for step in steps)] == [], steps


MANY_ROWS = """
INSERT INTO register_entry (siret, status) SELECT lpad(row::text, 14, '0'), 'ACTIVE' FROM generate_series(1, 20000) row;
INSERT INTO organisation (id, identifier_type, identifier_value, created_at)
SELECT gen_random_uuid(), 'RIDET', lpad(row::text, 10, '0'), now() FROM generate_series(1, 20000) row;
ANALYZE register_entry, organisation
"""


@postgres_only
@pytest.mark.usefixtures("stored")
async def test_postgres_keeps_one_plan_for_look_ups() -> None:
    """PostgreSQL plans the query of a connection five times at most, for any number of identifiers."""
    async with in_transaction() as transaction:
        await transaction.execute_script(MANY_ROWS)
        for number in range(20):
            await find_organisations([Identifier(IdentifierType.RIDET, f"{row:010}") for row in range(1 + number)])
        query = "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE statement = $1"
        (plans,) = await transaction.execute_query_dict(query, [LOOK_UP_ON_POSTGRES])
    assert plans == {"custom_plans": 5, "generic_plans": 15}


async def test_look_up_shows_changes_at_once(counted_http: httpx.AsyncClient, looked_up_batches: list[int]) -> None:
    """A look-up shows a change of the register at once: no answer is kept for later."""
    before = (await counted_http.post("/graphql", json=LOOK_UP)).json()
    await register()
    after = (await counted_http.post("/graphql", json=LOOK_UP)).json()
    assert before["data"]["organisation"]["__typename"] == "OrganisationNotFound"
    assert after["data"]["organisation"]["name"] == "EXEMPLE SA"
    assert looked_up_batches == [1, 1]


# --- Identifier types ---

IDENTIFIER_TYPES = """
query ($language: Language) {
  identifierTypes(language: $language) {
    type label fieldLabel formatHint ignoredCharacters pattern minLength maxLength example inputMode hasChecksum
    hasLookup
  }
}
"""


async def identifier_types(portal: Portal, language: str) -> list[Answer]:
    answer = await portal.execute(IDENTIFIER_TYPES, {"language": language})
    types: list[Answer] = answer["data"]["identifierTypes"]
    return types


@sqlite_only
@pytest.mark.parametrize("language", ["FR", "EN"])
async def test_every_type_is_described(portal: Portal, language: str) -> None:
    """Each type is listed, in the order for a form, with all fields that a form needs."""
    types = await identifier_types(portal, language)
    assert [info["type"] for info in types] == [type_.value for type_ in IdentifierType]
    for info in types:
        format_ = IDENTIFIER_FORMATS[IdentifierType(info["type"])]
        texts = [info[name] for name in ("label", "fieldLabel", "formatHint", "pattern", "example")]
        assert all(text.strip() == text != "" for text in texts), info
        assert info["pattern"] == format_.pattern
        assert info["ignoredCharacters"] == format_.ignored_characters
        assert 0 < info["minLength"] <= info["maxLength"]
        assert info["inputMode"] == ("NUMERIC" if format_.numeric else "TEXT")
        assert (info["hasChecksum"], info["hasLookup"]) == (format_.has_checksum, format_.has_lookup)


@sqlite_only
async def test_examples_of_types_are_valid(portal: Portal) -> None:
    """Each type's example passes its published pattern and the server."""
    for info in await identifier_types(portal, "FR"):
        left = info["example"].translate(dict.fromkeys(map(ord, info["ignoredCharacters"])))
        assert re.search(info["pattern"], left), info
        assert info["minLength"] <= len(left) <= info["maxLength"]
        found = await portal.find_organisation(info["example"], info["type"])
        assert found["__typename"] == "OrganisationNotFound"


@sqlite_only
async def test_types_are_described_in_the_callers_language(portal: Portal) -> None:
    """The descriptions are in the language of the argument, else of the header, else in French."""
    french, english = [await identifier_types(portal, language) for language in ("FR", "EN")]
    assert all(one["formatHint"] != other["formatHint"] for one, other in zip(french, english, strict=True)), (
        "each hint is translated"
    )
    query = "{ identifierTypes { label } }"
    for language, expected in ((None, french), ("fr", french), ("en-GB", english), ("de", french)):
        answer = await portal.execute(query, language=language)
        assert [info["label"] for info in answer["data"]["identifierTypes"]] == [info["label"] for info in expected]


@sqlite_only
async def test_language_argument_overrides_the_header(portal: Portal) -> None:
    """The language of the argument counts before that of the header."""
    variables = {"identifier": {"type": "SIRET", "value": SIRET}, "language": "EN"}
    found = await portal.call(FIND_ORGANISATION, variables, language="fr")
    assert found["message"].startswith("No organisation is known")
