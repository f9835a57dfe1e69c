"""createAccount with an idempotency key: a repeated request leads to the same registration."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr

from models.outbox import OutboxMessage
from models.registration import Registration
from tests.support.applications import build_cheap_app
from tests.support.client import CREATE_ACCOUNT, OTHER_SIRET, form, new_key
from tests.support.doubles import KnownCaptcha
from tests.support.register import register

if TYPE_CHECKING:
    from api.settings.environment import Settings
    from tests.support.client import Answer, Portal
    from tests.support.doubles import Clock

pytestmark = pytest.mark.anyio

KEY = "9b2f7a0e-63c4-4d0e-8c5e-1f0a7d3b2c41"
EMAIL = "camille.durand@exemple.fr"
FILLED_IN: dict[str, Any] = {
    "phone": "06 12 34 56 78",
    "contactEmail": "compta@exemple.fr",
    "language": "FR",
    "termsVersion": "2026-01",
}


async def request(portal: Portal, **changes: Any) -> Answer:
    """Send a complete form under KEY, with *changes*."""
    return await portal.create_account(**{"idempotencyKey": KEY} | FILLED_IN | changes)


# --- The same request repeated ---


async def test_repeated_request_returns_the_same_registration(portal: Portal, clock: Clock) -> None:
    """A repeated request returns the registration that the first one started, with the same expiry."""
    first = await request(portal)
    clock.advance(minutes=10)
    again = await request(portal)
    assert again["id"] == first["id"]
    assert again["expiresAt"] == first["expiresAt"]
    assert (first["expiresInSeconds"], again["expiresInSeconds"]) == (1800, 1200)
    assert await Registration.all().count() == 1


async def test_repeated_request_brings_a_fresh_captcha(portal: Portal, clock: Clock) -> None:
    """A repeated request brings a new challenge with ten minutes of its own, which can be answered."""
    first, previous = await request(portal), portal.captcha.answer
    clock.advance(minutes=5)
    again, newest = await request(portal), portal.captcha.answer
    assert again["captcha"]["image"] != first["captcha"]["image"]
    assert again["captcha"]["expiresAt"] == "2026-11-23T09:45:00Z"
    assert previous != newest
    assert (await portal.verify_captcha(first["id"], newest))["__typename"] == "ActivationMailSent"


async def test_repeated_request_voids_the_previous_captcha(portal: Portal) -> None:
    """After a repeated request, the right answer to the previous challenge is wrong."""
    first, previous = await request(portal), portal.captcha.answer
    await request(portal)
    assert (await portal.verify_captcha(first["id"], previous))["code"] == "CAPTCHA_REJECTED"


async def test_repeated_request_changes_no_count_of_attempts(portal: Portal) -> None:
    """A repeated request neither uses up an attempt nor gives one back."""
    first = await request(portal)
    await portal.verify_captcha(first["id"], portal.captcha.wrong_answer)
    assert [(await request(portal))["attemptsLeft"] for _ in range(2)] == [4, 4]


async def test_repeated_request_without_attempts_brings_no_captcha(portal: Portal) -> None:
    """A repeated request says that no attempts are left, and brings no captcha."""
    first = await request(portal)
    for _ in range(5):
        await portal.verify_captcha(first["id"], portal.captcha.wrong_answer)
    again = await request(portal)
    assert (again["id"], again["state"]) == (first["id"], "CAPTCHA_ATTEMPTS_EXHAUSTED")
    assert (again["attemptsLeft"], again["captcha"]) == (0, None)


@pytest.mark.parametrize(
    "respelled",
    [
        {"email": f" {EMAIL}", "emailConfirmation": f"{EMAIL}\n"},
        {"emailConfirmation": EMAIL.upper()},
        {"email": "camille.durand@EXEMPLE.fr"},
        {"firstName": "  Camille "},
        {"phone": "+33612345678"},
        {"contactEmail": " compta@EXEMPLE.fr"},
        {"termsVersion": ""},
        {"surveyConsent": False},
        {"siret": "732 829 320.00074"},
        {"name": " Exemple   SA"},
        {"idempotencyKey": f" {KEY.upper()} "},
    ],
)
async def test_input_spelled_differently_is_the_same_request(portal: Portal, respelled: dict[str, Any]) -> None:
    """Requests are compared in their normal form: blanks, letter case and notation don't matter."""
    first = await request(portal)
    assert (await request(portal, **respelled)).get("id") == first["id"]


async def test_change_of_the_register_causes_no_conflict(portal: Portal) -> None:
    """A request stays the same when the register learns the organisation's name."""
    first = await request(portal)
    await register(name="EXEMPLE")
    assert (await request(portal)).get("id") == first["id"]


# --- Another request ---


@pytest.mark.parametrize(
    "changes",
    [
        {"email": "camille.durand@exemple.org"},
        {"firstName": "Camilla"},
        {"lastName": "Durant"},
        {"phone": "06 12 34 56 79"},
        {"phone": None},
        {"contactEmail": "direction@exemple.fr"},
        {"contactEmail": None},
        {"surveyConsent": True},
        {"language": "EN"},
        {"siret": OTHER_SIRET},
        {"name": "Exemple SARL"},
        {"organisation": {"identifier": {"type": "AUTRE", "value": "73282932000074"}, "name": "Exemple SA"}},
    ],
)
async def test_other_input_under_the_same_key_is_a_conflict(portal: Portal, changes: dict[str, Any]) -> None:
    """Other input under a used key is refused. The registration under that key continues undisturbed."""
    first = await request(portal)
    refused = await request(portal, **changes)
    assert (refused["__typename"], refused["code"]) == ("IdempotencyConflict", "IDEMPOTENCY_CONFLICT")
    assert await Registration.all().count() == 1
    assert (await portal.verify_captcha(first["id"], portal.captcha.answer))["email"] == EMAIL


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("FR", "Cette demande a déjà été envoyée avec d’autres données."),
        ("EN", "This request was sent before, with other data."),
    ],
)
async def test_conflict_message_is_in_the_callers_language(portal: Portal, language: str, message: str) -> None:
    """The refusal has a message in the caller's language."""
    await request(portal)
    assert (await request(portal, language=language, firstName="Camilla"))["message"] == message


@pytest.mark.parametrize("keys", [(KEY, new_key()), (None, None), ("", " ")])
async def test_other_key_or_none_starts_another_registration(
    portal: Portal, keys: tuple[str | None, str | None]
) -> None:
    """The same input without a key, or under another one, starts another registration."""
    first, second = [await request(portal, idempotencyKey=key) for key in keys]
    assert first["id"] != second["id"]
    assert await Registration.all().count() == 2


@pytest.mark.parametrize("key", ["again", "1", KEY[:-1], f"{KEY}0", f"{KEY[:-1]}g", f"{KEY[:8]}\0{KEY[9:]}"])
async def test_key_must_be_a_uuid(portal: Portal, key: str) -> None:
    """A key that is no UUID is refused, because other callers could choose the same."""
    refused = await request(portal, idempotencyKey=key)
    assert [(problem["path"], problem["code"]) for problem in refused["fields"]] == [
        (["idempotencyKey"], "INVALID_FORMAT")
    ]


# --- After verification, activation and expiry ---


async def test_repeated_request_after_verification_sends_no_further_mail(portal: Portal) -> None:
    """After verification, a repeated request says so, and brings neither a captcha nor further mails."""
    first = await request(portal)
    await portal.verify_captcha(first["id"], portal.captcha.answer)
    assert len(await portal.deliver()) == 2
    again = await request(portal)
    assert (again["id"], again["state"], again["captcha"]) == (first["id"], "VERIFIED", None)
    assert await portal.deliver() == []
    assert await OutboxMessage.all().count() == 2


async def test_repeated_request_does_not_reveal_the_activation(portal: Portal) -> None:
    """A repeated request gives the same answer before and after the activation."""
    token = await portal.activation_token(idempotencyKey=KEY, name="Exemple SA", **FILLED_IN)
    before = await request(portal)
    await portal.activate_account(token)
    after = await request(portal)
    assert after["state"] == "VERIFIED"
    assert {**after, "organisation": None} == {**before, "organisation": None}  # The organisation is on the portal now.
    assert await portal.deliver() == []


@pytest.mark.parametrize(("verified", "life"), [(False, {"minutes": 30}), (True, {"days": 7})])
async def test_key_is_free_once_its_registration_has_expired(
    portal: Portal, clock: Clock, verified: bool, life: dict[str, float]
) -> None:
    """A key becomes free at the second in which its registration expires."""
    first = await request(portal)
    if verified:
        await portal.verify_captcha(first["id"], portal.captcha.answer)
    clock.advance(**life)
    clock.advance(seconds=-1)
    assert (await request(portal))["id"] == first["id"]
    clock.advance(seconds=1)
    anew = await request(portal, firstName="Camilla")
    assert anew["id"] != first["id"]
    assert (anew["state"], anew["attemptsLeft"], anew["expiresInSeconds"]) == ("AWAITING_CAPTCHA", 5, 1800)


# --- At once ---


async def test_simultaneous_equal_requests_start_one_registration(portal: Portal) -> None:
    """Five equal requests at once start one registration, and all return its id."""
    answers = await asyncio.gather(*(request(portal) for _ in range(5)))
    assert {answer["__typename"] for answer in answers} == {"PendingRegistration"}
    (registration,) = await Registration.all()
    assert {answer["id"] for answer in answers} == {str(registration.id)}


async def test_simultaneous_different_requests_start_one_registration(portal: Portal) -> None:
    """Of five different requests at once under one key, one starts a registration. The others get a conflict."""
    names = ("Anne", "Brice", "Chloé", "David", "Emma")
    answers = await asyncio.gather(*(request(portal, firstName=name) for name in names))
    assert sorted(answer["__typename"] for answer in answers) == ["IdempotencyConflict"] * 4 + ["PendingRegistration"]
    assert await Registration.all().count() == 1


# --- Storage ---


async def test_key_and_input_are_stored_as_keyed_digests(
    portal: Portal, settings: Settings, clock: Clock, captcha: KnownCaptcha
) -> None:
    """Only digests of the key and of the input are stored, and they depend on the secret key."""
    await request(portal)
    other = build_cheap_app(settings.replace(secret_key=SecretStr("f" * 32)), clock=clock, captcha=captcha)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(other), base_url="http://localhost") as http:
        variables = {"input": form(idempotencyKey=KEY, **FILLED_IN)}
        await http.post("/graphql", json={"query": CREATE_ACCOUNT, "variables": variables})
    rows = await Registration.all().values_list("idempotency_digest", "input_digest")
    digests = {digest for row in rows for digest in row}
    assert len(digests) == 4
    for digest in digests:
        assert len(bytes.fromhex(digest)) == 32
        assert KEY.replace("-", "") not in digest
