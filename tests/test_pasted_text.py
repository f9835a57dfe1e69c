"""Invisible characters from pasted text: they change nothing, in any field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from models.account import Account
from models.registration import Registration
from tests.support.client import SIRET, form, new_key
from tests.support.databases import sqlite_only

if TYPE_CHECKING:
    from tests.support.client import Portal

pytestmark = [pytest.mark.anyio, sqlite_only]

UNSEEN = (
    *map(chr, (0x00AD, 0x061C, 0x180E, 0x2060, 0x2061, 0x2064, 0x206A, 0x206F, 0xFEFF, 0xFFF9, 0xE0041)),
    *map(chr, range(0x200B, 0x2010)),
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
    *"\u034f\u2800\u3164\ufe0f",
)
PERSIAN = "علی\N{ZERO WIDTH NON-JOINER}رضا"
SINHALA = "ශ්\N{ZERO WIDTH JOINER}රී"


def pasted(text: str, char: str) -> str:
    """Return *text* with *char* around it and after its second character, and a tab at the end."""
    return f"{char}{text[:2]}{char}{text[2:]}{char}\t"


@pytest.mark.parametrize("char", UNSEEN, ids=lambda char: f"U+{ord(char):04X}")
async def test_pasted_form_is_stored_without_invisible_characters(portal: Portal, char: str) -> None:
    """Every field of the form is stored as it is seen, and confirmation and key are compared so."""
    key = new_key()
    seen = form(
        phone="0692 12 34 56",
        contactEmail="compta@exemple.fr",
        termsVersion="2026-01",
        idempotencyKey=key,
        email="camille@exemple.fr",
    )
    pasted_form = form(
        email=pasted("camille@exemple.fr", char),
        emailConfirmation="camille@exemple.fr",
        firstName=pasted("Camille", char),
        lastName=pasted("Durand", char),
        phone=pasted("0692 12 34 56", char),
        contactEmail=pasted("compta@exemple.fr", char),
        termsVersion=pasted("2026-01", char),
        siret=pasted(SIRET, char),
        name=pasted("Exemple SA", char),
        idempotencyKey=pasted(key, char),
    )
    answers = [await portal.create_account(**fields) for fields in (pasted_form, seen)]
    assert answers[0]["__typename"] == "PendingRegistration", answers[0]
    assert answers[0]["id"] == answers[1]["id"]  # Under one key, the same input.
    stored = await Registration.get()
    assert (stored.first_name, stored.last_name, stored.phone) == ("Camille", "Durand", "+262692123456")
    assert (stored.email, stored.contact_email) == ("camille@exemple.fr", "compta@exemple.fr")
    assert (stored.identifier_value, stored.organisation_name) == (SIRET, "Exemple SA")


@pytest.mark.parametrize("char", UNSEEN, ids=lambda char: f"U+{ord(char):04X}")
async def test_pasted_ids_answers_and_tokens_are_read_as_seen(portal: Portal, char: str) -> None:
    """The id of a registration, the answer to a captcha and the token of a link are read as they are seen."""
    registration = await portal.create_account()
    answered = await portal.verify_captcha(pasted(registration["id"], char), pasted(portal.captcha.answer, char))
    assert answered["__typename"] == "ActivationMailSent"
    await portal.deliver()
    resent = await portal.resend_activation_mail(pasted("camille.durand@exemple.fr", char))
    assert resent["email"] == "camille.durand@exemple.fr"


async def test_token_with_blanks_around_it_is_accepted(portal: Portal) -> None:
    """A token copied by hand is the same token with blanks and marks around it."""
    token = await portal.activation_token()
    copied = f"\ufeff {token}\u200b\r\n"
    assert (await portal.inspect_activation_link(copied))["state"] == "USABLE"
    assert (await portal.activate_account(copied))["__typename"] == "AccountActivated"
    assert await Account.all().count() == 1


@pytest.mark.parametrize("changed", ["{}A", "{}=", "%23token={}", "token={}"])
async def test_changed_token_is_unknown(portal: Portal, changed: str) -> None:
    """A token is taken literally: finding it in a damaged address is the page's work."""
    token = changed.format(await portal.activation_token())
    assert (await portal.inspect_activation_link(token))["state"] == "UNKNOWN"
    assert (await portal.inspect_activation_link(token[:-5]))["state"] == "UNKNOWN"


@pytest.mark.parametrize("confirmed", ["\u202acamille@exemple.fr\u202c", "CAMILLE@\u00adEXEMPLE.FR\t"])
async def test_confirmation_ignores_invisible_characters(portal: Portal, confirmed: str) -> None:
    """Two addresses that look the same are equal: invisible characters make no difference."""
    fields = form(email="camille@exemple.fr", emailConfirmation=confirmed)
    assert (await portal.create_account(**fields))["__typename"] == "PendingRegistration"


async def test_invalid_address_equals_its_identical_confirmation(portal: Portal) -> None:
    """An invalid address is not reported as different from its identical confirmation."""
    answer = await portal.create_account(email="camille", emailConfirmation="\u200bcamille")
    assert [problem["code"] for problem in answer["fields"]] == ["EMAIL_INVALID"]


@pytest.mark.parametrize("optional", ["phone", "contactEmail", "termsVersion", "idempotencyKey"])
async def test_invisible_optional_field_counts_as_empty(portal: Portal, optional: str) -> None:
    """An optional field in which nothing can be seen is left out."""
    answer = await portal.create_account(**{optional: "\u200b \u2066\t\ufeff"})
    assert answer["__typename"] == "PendingRegistration"


@pytest.mark.parametrize("name", [PERSIAN, SINHALA], ids=ascii)
async def test_joiners_that_change_letters_are_stored(portal: Portal, name: str) -> None:
    """A joiner in a Persian or Indic name, which changes how letters are drawn, is stored."""
    await portal.create_account(firstName=f"\u202b{name}\u202c", lastName=name)
    stored = await Registration.get()
    assert (stored.first_name, stored.last_name) == (name, name)


@pytest.mark.parametrize(
    "link", ["evil\u200b.com", "evil.\u2060com", "evil\u200d.com", "www\u00ad.evil.com"], ids=ascii
)
async def test_invisible_characters_do_not_hide_a_link(portal: Portal, link: str) -> None:
    """A name that would be a link in a mail is refused, even with invisible characters in it."""
    answer = await portal.create_account(firstName=link)
    assert [problem["code"] for problem in answer["fields"]] == ["INVALID_CHARACTERS"]
