"""From the link in the mail to the active account: inspectActivationLink, activateAccount."""

from __future__ import annotations

import asyncio
import random
import string
import unicodedata
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import VerifyMismatchError

from api.passwords.threads import Passwords
from models.account import Account, Membership
from models.activation import ActivationToken
from models.organisation import Organisation
from models.outbox import OutboxMessage
from models.registration import Registration
from tests.support.client import (
    ACTIVATE_ACCOUNT,
    INSPECT_ACTIVATION_LINK,
    OTHER_SIRET,
    PASSWORD,
    SIGN_IN,
    SIRET,
    Answer,
    Portal,
    text_of,
    token_in,
    with_link,
)
from tests.support.hashing import with_the_hasher_of_production
from tests.support.register import register

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.support.doubles import Clock

pytestmark = pytest.mark.anyio

EMAIL = "camille.durand@exemple.fr"
SOMEBODY_ELSE = {"email": "dominique.petit@exemple.fr", "firstName": "Dominique", "lastName": "Petit"}
NOT_TOKENS = ["", " ", "garbage", "é" * 43, "A" * 43, "A" * 20_000, "\0", "A\0B", "\ud800", "A\udfff"]
WHILE_USABLE = ("firstName", "lastName", "organisation", "expiresAt", "expiresInSeconds")


def organisation(type_: str, value: str, name: str | None = "Ateliers de l’Erdre") -> Answer:
    return {"organisation": {"identifier": {"type": type_, "value": value}, "name": name}}


async def usable(portal: Portal, clock: Clock) -> str:
    return await portal.activation_token()


async def unknown(portal: Portal, clock: Clock) -> str:
    return "A" * 43


async def expired(portal: Portal, clock: Clock) -> str:
    token = await portal.activation_token()
    clock.advance(minutes=60)
    return token


async def used(portal: Portal, clock: Clock) -> str:
    token = await portal.activation_token()
    await portal.activate_account(token)
    return token


async def used_another_link(portal: Portal, clock: Clock) -> str:
    token = await portal.activation_token()
    await portal.resend_activation_mail(EMAIL)
    (mail,) = await portal.deliver()
    await portal.activate_account(token_in(mail))
    return token


async def used_and_expired(portal: Portal, clock: Clock) -> str:
    token = await used(portal, clock)
    clock.advance(minutes=90)
    return token


async def superseded(portal: Portal, clock: Clock) -> str:
    token = await portal.activation_token()
    await portal.activate_account(await portal.activation_token())
    return token


async def superseded_and_expired(portal: Portal, clock: Clock) -> str:
    token = await superseded(portal, clock)
    clock.advance(minutes=90)
    return token


DEAD_LINKS = {
    "UNKNOWN": [unknown],
    "EXPIRED": [expired],
    "USED": [used, used_another_link, used_and_expired],
    "SUPERSEDED": [superseded, superseded_and_expired],
}
each_dead_link = pytest.mark.parametrize(
    ("state", "make_link"), [(state, make_link) for state, makers in DEAD_LINKS.items() for make_link in makers]
)
each_unknown_token = pytest.mark.parametrize("token", NOT_TOKENS, ids=lambda token: ascii(token)[:20])


async def all_rows() -> Answer:
    """Return every row that an activation may change."""
    tables = (Registration, ActivationToken, Account, Organisation, Membership, OutboxMessage)
    return {table.__name__: sorted(map(str, await table.all().values())) for table in tables}


async def run_together(*calls: Awaitable[Answer]) -> Counter[str]:
    """Run *calls* at once and count the answers by code, or by type where there is no code."""
    answers = await asyncio.gather(*calls)
    return Counter(str(answer.get("code", answer["__typename"])) for answer in answers)


async def tokens_of(portal: Portal, *forms: dict[str, Any]) -> list[str]:
    """Sign up each of *forms*, and return the tokens of all links, still unused."""
    return [await portal.activation_token(**form) for form in forms]


# ── inspectActivationLink ──


async def test_usable_link_shows_whose_account_it_will_activate(portal: Portal, clock: Clock) -> None:
    """Before choosing a password, the person sees address, name, organisation, and how long the link works."""
    token = await portal.activation_token()
    clock.advance(minutes=15)
    assert await portal.inspect_activation_link(token, accept="en") == {
        "__typename": "ActivationLink",
        "state": "USABLE",
        "email": EMAIL,
        "firstName": "Camille",
        "lastName": "Durand",
        "organisation": {
            "identifier": {"type": "SIRET", "value": SIRET, "formatted": "732 829 320 00074"},
            "organisation": None,
            "message": "This organisation will be created on the portal and you will be its manager.",
        },
        "expiresAt": "2026-11-23T10:30:00Z",
        "expiresInSeconds": 45 * 60,
        "message": "This link activates the account of Camille Durand. Choose a password.",
    }


async def test_usable_link_says_that_the_person_will_join_an_existing_organisation(portal: Portal) -> None:
    """If somebody else founded the organisation first, the link says so, without its declared name."""
    token = await portal.activation_token()
    await portal.account(**SOMEBODY_ELSE)
    shown = (await portal.inspect_activation_link(token))["organisation"]
    assert shown["organisation"]["onPortal"] is True
    assert shown["organisation"]["name"] is None
    assert "demande de rattachement" in shown["message"]


@each_dead_link
async def test_dead_link_shows_its_state_and_address_only(
    portal: Portal, clock: Clock, state: str, make_link: Any
) -> None:
    """A link that can no longer activate anything shows neither a name nor an organisation."""
    link = await portal.inspect_activation_link(await make_link(portal, clock))
    assert link.pop("message")
    assert link == {
        "__typename": "ActivationLink",
        "state": state,
        "email": None if state == "UNKNOWN" else EMAIL,
        **dict.fromkeys(WHILE_USABLE),
    }


@each_unknown_token
async def test_malformed_token_is_an_unknown_link(portal: Portal, token: str) -> None:
    """Empty, long or mistyped tokens, NUL and lone surrogates are unknown links, and never an error."""
    link = await portal.call_in_ascii(INSPECT_ACTIVATION_LINK, {"token": token})
    assert link["state"] == "UNKNOWN"
    assert [link[field] for field in ("email", *WHILE_USABLE)] == [None] * 6


async def test_link_works_for_sixty_minutes(portal: Portal, clock: Clock) -> None:
    """The sixty minutes start when the mail is sent: the link works in the last second and not in the next."""
    token = await portal.activation_token()
    clock.advance(minutes=59, seconds=59)
    link = await portal.inspect_activation_link(token)
    assert (link["state"], link["expiresInSeconds"]) == ("USABLE", 1)
    clock.advance(seconds=1)
    assert (await portal.inspect_activation_link(token))["state"] == "EXPIRED"
    assert (await portal.activate_account(token))["code"] == "ACTIVATION_LINK_EXPIRED"


@pytest.mark.parametrize("make_link", [usable, expired, used, superseded])
async def test_inspecting_a_link_changes_nothing(portal: Portal, clock: Clock, make_link: Any) -> None:
    """Anybody can inspect a link any number of times, as a mail scanner does, without changing a row."""
    token = await make_link(portal, clock)
    before = await all_rows()
    answers = [await portal.inspect_activation_link(token) for _ in range(3)]
    assert answers[0] == answers[2]
    assert await all_rows() == before


# ── activateAccount: what it creates ──


async def test_account_has_the_entries_of_the_form(portal: Portal, clock: Clock) -> None:
    """The account has the entries of the form in their stored form, and the answer says where to sign in."""
    token = await portal.activation_token(
        email="Camille.Durand@Exemple.FR",
        phone="06 12 34 56 78",
        contactEmail="compta@exemple.fr",
        surveyConsent=True,
        language="EN",
    )
    clock.advance(minutes=5)
    activated = await portal.activate_account(token, accept="en")
    account = activated["account"]
    (membership,) = account.pop("memberships")
    assert activated["message"] == "Your account is active. You can sign in."
    assert activated["nextUrl"] == SIGN_IN
    assert account.pop("id") == str((await Account.get()).id)
    assert account == {
        "email": "Camille.Durand@exemple.fr",
        "firstName": "Camille",
        "lastName": "Durand",
        "phone": "+33612345678",
        "contactEmail": "compta@exemple.fr",
        "language": "EN",
        "surveyConsent": True,
        "createdAt": "2026-11-23T09:35:00Z",
    }
    assert membership.pop("id") == str((await Membership.get()).id)
    assert membership["organisation"].pop("id") == str((await Organisation.get()).id)
    assert membership == {
        "role": "MANAGER",
        "status": "ACTIVE",
        "organisation": {
            "identifier": {"type": "SIRET", "value": SIRET, "formatted": "732 829 320 00074"},
            "name": "Exemple SA",
            "status": "UNKNOWN",
            "onPortal": True,
            "postalCode": None,
            "city": None,
            "source": "DECLARED",
            "asOf": "2026-11-23T09:35:00Z",
            "message": "You are the manager of this organisation.",
        },
    }


async def test_omitted_entries_have_their_defaults(portal: Portal) -> None:
    """Without entries, there is no phone, the contact address is the sign-in address, and consent is false."""
    account = await portal.account()
    assert (account["phone"], account["contactEmail"], account["surveyConsent"]) == (None, EMAIL, False)


async def test_no_account_or_organisation_exists_before_the_activation(portal: Portal) -> None:
    """Form, captcha, mails and an inspected link create neither an account nor an organisation."""
    await portal.inspect_activation_link(await portal.activation_token())
    assert (await Account.all().count(), await Organisation.all().count()) == (0, 0)
    assert (await portal.find_organisation(SIRET))["__typename"] == "OrganisationNotFound"


async def test_later_person_asks_to_join_the_organisation(portal: Portal) -> None:
    """The founder manages the organisation; a person who names it later becomes a member with a pending request."""
    founder = await portal.account()
    member = await portal.account(**SOMEBODY_ELSE)
    (founded,), (joined,) = founder["memberships"], member["memberships"]
    assert (founded["role"], founded["status"]) == ("MANAGER", "ACTIVE")
    assert (joined["role"], joined["status"]) == ("MEMBER", "PENDING")
    assert joined["organisation"]["id"] == founded["organisation"]["id"]
    assert joined["organisation"]["message"].startswith("Votre demande de rattachement")
    assert await Organisation.all().count() == 1


@pytest.mark.parametrize("type_", ["AUTRE", "PARTICULIER"])
async def test_each_account_founds_its_own_organisation_for_a_private_identifier(portal: Portal, type_: str) -> None:
    """Accounts with the same AUTRE or PARTICULIER value have separate organisations, which nobody can look up."""
    one = await portal.account(**organisation(type_, "EN-COURS-1"))
    other = await portal.account(**SOMEBODY_ELSE, **organisation(type_, "en-cours-1", name="Une autre"))
    (of_one,), (of_other,) = one["memberships"], other["memberships"]
    assert of_one["organisation"]["identifier"] == of_other["organisation"]["identifier"]
    assert of_one["organisation"]["id"] != of_other["organisation"]["id"]
    assert {of_one["role"], of_other["role"]} == {"MANAGER"}
    assert {of_one["status"], of_other["status"]} == {"ACTIVE"}
    assert (await portal.find_organisation("EN-COURS-1", type_))["__typename"] == "OrganisationNotFound"
    token = await portal.activation_token(email="third@exemple.fr", **organisation(type_, "EN-COURS-1"))
    assert (await portal.inspect_activation_link(token))["organisation"]["organisation"] is None


async def test_declared_name_is_shown_to_its_founder_only(portal: Portal) -> None:
    """The founder sees the declared name; pending members and look-ups don't."""
    founder = await portal.account(name="Nom confidentiel")
    member = await portal.account(**SOMEBODY_ELSE, name="Nom imaginé")
    found = await portal.find_organisation(SIRET)
    assert founder["memberships"][0]["organisation"]["name"] == "Nom confidentiel"
    assert member["memberships"][0]["organisation"]["name"] is None
    assert (found["onPortal"], found["name"]) == (True, None)
    assert (await Organisation.get()).name == "Nom confidentiel"


async def test_register_entry_replaces_the_declared_name(portal: Portal) -> None:
    """An account shows the register's facts instead of declared ones, the same before and after the sign-up."""
    await register(name="NOM OFFICIEL")
    before = await portal.find_organisation(SIRET)
    assert before["onPortal"] is False
    for form in ({}, SOMEBODY_ELSE):
        shown = (await portal.account(**form))["memberships"][0]["organisation"]
        changed = {"onPortal": True, "message": shown["message"]}
        assert shown == {key: before[key] for key in shown} | changed
        assert (shown["source"], shown["name"], shown["city"]) == ("SIRENE", "NOM OFFICIEL", "NANTES")


async def test_consents_are_stored_with_version_and_time(portal: Portal, clock: Clock) -> None:
    """The account records which text its owner agreed to, and the time of the form, not of the activation."""
    agreed_at = clock()
    tokens = await tokens_of(portal, {"surveyConsent": True}, SOMEBODY_ELSE)
    clock.advance(minutes=30)
    for token in tokens:
        await portal.activate_account(token)
    willing, unwilling = await Account.get(email=EMAIL), await Account.get(email=SOMEBODY_ELSE["email"])
    assert (willing.terms_version, willing.terms_accepted_at) == ("2026-01", agreed_at)
    assert (willing.survey_consent, willing.survey_consent_version, willing.survey_consent_at) == (
        True,
        "s1",
        agreed_at,
    )
    assert (unwilling.terms_version, unwilling.terms_accepted_at) == ("2026-01", agreed_at)
    assert (unwilling.survey_consent, unwilling.survey_consent_version, unwilling.survey_consent_at) == (
        False,
        None,
        None,
    )


# ── activateAccount: the password ──


@pytest.mark.parametrize(
    ("password", "codes"),
    [
        ("", ["PASSWORD_TOO_SHORT", "PASSWORD_TOO_FEW_CHARACTER_TYPES", "PASSWORD_TOO_GUESSABLE"]),
        ("Vif-Abri-42", ["PASSWORD_TOO_SHORT"]),
        ("Vif-Abri-42" * 24, ["PASSWORD_TOO_LONG"]),
        ("soleil brumeux du nord", ["PASSWORD_TOO_FEW_CHARACTER_TYPES"]),
        ("Motdepasse12", ["PASSWORD_TOO_GUESSABLE"]),
        ("Soleil-DURÀND-Brumeux", ["PASSWORD_CONTAINS_PERSONAL_DATA"]),
        ("Soleil\0Brumeux-42", ["INVALID_CHARACTERS"]),
        ("Soleil\ud800Brumeux-42", ["INVALID_CHARACTERS"]),
        ("camille", [
            "PASSWORD_TOO_SHORT",
            "PASSWORD_TOO_FEW_CHARACTER_TYPES",
            "PASSWORD_CONTAINS_PERSONAL_DATA",
            "PASSWORD_TOO_GUESSABLE",
        ]),
    ],
    ids=ascii,
)  # fmt: skip
async def test_refused_password_leaves_the_link_usable(portal: Portal, password: str, codes: list[str]) -> None:
    """The answer names every rule that a password breaks; no row changes, and the same link works afterwards."""
    token = await portal.activation_token()
    before = await all_rows()
    entered = {"token": token, "password": password, "passwordConfirmation": password}
    refused = await portal.call_in_ascii(ACTIVATE_ACCOUNT, {"input": entered})
    assert (refused["__typename"], refused["code"]) == ("InvalidInput", "INVALID_INPUT")
    assert [problem["code"] for problem in refused["fields"]] == codes
    assert {tuple(problem["path"]) for problem in refused["fields"]} == {("password",)}
    assert all(problem["message"] for problem in refused["fields"])
    assert await all_rows() == before
    assert (await portal.activate_account(token))["__typename"] == "AccountActivated"


@pytest.mark.parametrize("confirmation", ["", "soleil-brumeux-42", f"{PASSWORD} ", "\ud800"], ids=ascii)
async def test_different_confirmation_is_refused(portal: Portal, confirmation: str) -> None:
    """If the two passwords differ, the confirmation is refused, and the person can try again."""
    token = await portal.activation_token()
    entered = {"token": token, "password": PASSWORD, "passwordConfirmation": confirmation}
    refused = await portal.call_in_ascii(ACTIVATE_ACCOUNT, {"input": entered})
    (problem,) = refused["fields"]
    assert (problem["path"], problem["code"]) == (["passwordConfirmation"], "PASSWORD_MISMATCH")
    assert (await portal.activate_account(token))["__typename"] == "AccountActivated"


async def test_bad_password_and_confirmation_are_refused_together(portal: Portal) -> None:
    """One answer names both a bad password and a different confirmation."""
    refused = await portal.activate_account(await portal.activation_token(), "Vif-Abri-42", "else")
    assert [(problem["path"][0], problem["code"]) for problem in refused["fields"]] == [
        ("password", "PASSWORD_TOO_SHORT"),
        ("passwordConfirmation", "PASSWORD_MISMATCH"),
    ]


@with_the_hasher_of_production
@pytest.mark.parametrize(
    ("password", "confirmation"),
    [
        ("Soleil-Brumeux-42", "Soleil-Brumeux-42"),
        ("Caf\u00e9-Brumeux-42", "Cafe\u0301-Brumeux-42"),
        ("Re\ufb02et-Brumeux-42", "Reflet-Brumeux-42"),
        ("Ｓｏｌｅｉｌ-Brumeux-４２", "Soleil-Brumeux-42"),
        ("Brumeux\u00a0Soleil-42", "Brumeux Soleil-42"),
        ("Angström-\u212b-Brumeux-42", "Angström-\u00c5-Brumeux-42"),
        (" Soleil Brumeux 42 ", " Soleil Brumeux 42 "),
    ],
    ids=ascii,
)
async def test_stored_hash_is_of_the_normalised_password(portal: Portal, password: str, confirmation: str) -> None:
    """The stored hash is argon2id of the password's NFKC form, as strong as OWASP recommends."""
    activated = await portal.activate_account(await portal.activation_token(), password, confirmation)
    assert activated["__typename"] == "AccountActivated", activated
    password_hash = (await Account.get()).password_hash
    parameters = extract_parameters(password_hash)
    assert password_hash.startswith("$argon2id$v=19$")
    assert parameters.type is Type.ID
    assert (parameters.memory_cost >= 19_456, parameters.time_cost >= 2) == (True, True)
    assert (parameters.salt_len >= 16, parameters.hash_len >= 32) == (True, True)
    assert PasswordHasher().verify(password_hash, unicodedata.normalize("NFKC", password))


@pytest.mark.parametrize("length", [12, 64, 128, 256])
async def test_every_character_of_a_long_password_counts(portal: Portal, length: int) -> None:
    """Each of up to 256 characters counts, including those outside the Basic Multilingual Plane."""
    characters = f"{string.ascii_letters}{string.digits}-_ é\N{FOX FACE}"
    password = "".join(random.Random(length).choices(characters, k=length - 4)) + "aB1\N{FOX FACE}"  # noqa: S311
    activated = await portal.activate_account(await portal.activation_token(), password)
    assert activated["__typename"] == "AccountActivated", activated
    password_hash = (await Account.get()).password_hash
    assert PasswordHasher().verify(password_hash, password)
    for other in (password[:-1], f"{password[:-1]}\N{BEAR FACE}"):
        with pytest.raises(VerifyMismatchError):
            PasswordHasher().verify(password_hash, other)


# ── activateAccount: the link ──


@each_dead_link
@pytest.mark.parametrize("password", [PASSWORD, "bad"])
async def test_dead_link_activates_nothing(
    portal: Portal, clock: Clock, state: str, make_link: Any, password: str
) -> None:
    """The link is checked before the password: each state has its own code and message, and no row changes."""
    token = await make_link(portal, clock)
    before = await all_rows()
    refused = await portal.activate_account(token, password, "another")
    assert (refused["__typename"], refused["code"]) == ("ActivationLinkRefused", f"ACTIVATION_LINK_{state}")
    assert await all_rows() == before
    assert refused["message"] == (await portal.inspect_activation_link(token))["message"]


@pytest.mark.parametrize(
    ("make_link", "language", "words"),
    [
        (unknown, "fr", "Ce lien d’activation n’est pas valable."),
        (unknown, "en", "This activation link is not valid."),
        (expired, "fr", "Ce lien d’activation a expiré."),
        (expired, "en", "This activation link has expired."),
        (
            used,
            "fr",
            f"Ce lien a déjà servi\N{NARROW NO-BREAK SPACE}: le compte est actif. Connectez-vous sur {SIGN_IN}",
        ),
        (used, "en", f"This link has been used: the account is active. Sign in at {SIGN_IN}"),
        (superseded, "fr", "Un compte a déjà été activé pour cette adresse par une autre demande."),
        (superseded, "en", "An account has been activated for this address by another request."),
    ],
)
async def test_dead_link_says_what_to_do(
    portal: Portal, clock: Clock, make_link: Any, language: str, words: str
) -> None:
    """The refusal is in the caller's language, and for a used link it says where to sign in."""
    refused = await portal.activate_account(await make_link(portal, clock), accept=language)
    assert refused["message"].startswith(words)


@each_unknown_token
async def test_malformed_token_activates_nothing(portal: Portal, token: str) -> None:
    """Empty, long or mistyped tokens, NUL and lone surrogates are unknown links, and never an error."""
    entered = {"token": token, "password": PASSWORD, "passwordConfirmation": PASSWORD}
    refused = await portal.call_in_ascii(ACTIVATE_ACCOUNT, {"input": entered})
    assert refused["code"] == "ACTIVATION_LINK_UNKNOWN"


async def test_passwords_are_hashed_for_a_usable_link_only(
    portal: Portal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Argon2, which is slow on purpose, runs once: for a usable link with a good password."""
    hashed: list[str] = []
    real = Passwords.hash

    async def spy(self: Passwords, password: str) -> str:
        hashed.append(password)
        return await real(self, password)

    token = await portal.activation_token()
    monkeypatch.setattr(Passwords, "hash", spy)
    await portal.activate_account("garbage")
    await portal.activate_account(token, "bad")
    await portal.activate_account(token, PASSWORD, "another")
    await portal.check_password(PASSWORD, activationToken=token)
    assert hashed == []
    await portal.activate_account(token)
    await portal.activate_account(token)
    clock.advance(hours=2)
    await portal.activate_account(token)
    assert hashed == [PASSWORD]


# ── Races ──


async def test_link_works_once(portal: Portal) -> None:
    """Of five activations with one link at once, one makes the account; the others learn that the link is used."""
    token = await portal.activation_token()
    outcomes = await run_together(*(portal.activate_account(token) for _ in range(5)))
    assert outcomes == {"AccountActivated": 1, "ACTIVATION_LINK_USED": 4}
    assert (await Account.all().count(), await Membership.all().count()) == (1, 1)


async def test_link_is_stored_as_a_digest_only(portal: Portal) -> None:
    """The database contains no working link: neither a token nor the text of its mail."""
    token = await portal.activation_token()
    tables = (ActivationToken, Registration, OutboxMessage, Account)
    before = [row for table in tables for row in await table.all().values()]
    await portal.activate_account(token)
    after = [row for table in tables for row in await table.all().values()]
    assert token not in f"{before} {after}"
    (stored,) = await ActivationToken.all()
    assert stored.digest == sha256(token.encode()).hexdigest()


async def test_token_is_redeemed_once_and_in_time(portal: Portal, clock: Clock) -> None:
    """Redeeming a token, even one found earlier, succeeds only while it is unused and unexpired."""
    redeemed, late = [await ActivationToken.find(token) for token in await tokens_of(portal, {}, SOMEBODY_ELSE)]
    assert redeemed is not None
    assert late is not None
    assert [await redeemed.redeem(now=clock()) for _ in range(2)] == [True, False]
    clock.advance(minutes=60)
    assert not await late.redeem(now=clock())


async def test_links_of_one_registration_make_one_account(portal: Portal) -> None:
    """If the first link and later ones of a registration are used at once, one of them makes the account."""
    tokens = [await portal.activation_token()]
    for _ in range(2):
        await portal.resend_activation_mail(EMAIL)
        tokens += [token_in(mail) for mail in await portal.deliver()]
    outcomes = await run_together(*map(portal.activate_account, tokens))
    assert outcomes == {"AccountActivated": 1, "ACTIVATION_LINK_USED": 2}
    assert await Account.all().count() == 1


async def test_registrations_of_one_address_make_one_account(portal: Portal) -> None:
    """Of five attempts of one address, in any letter case, activated at once, one makes the account."""
    spellings = (EMAIL, EMAIL.upper(), EMAIL.title(), "Camille.durand@exemple.fr", "camille.Durand@EXEMPLE.fr")
    tokens = await tokens_of(portal, *({"email": email, "siret": OTHER_SIRET} for email in spellings))
    outcomes = await run_together(*map(portal.activate_account, tokens))
    assert outcomes == {"AccountActivated": 1, "ACTIVATION_LINK_SUPERSEDED": 4}
    assert (await Account.all().count(), await Membership.all().count()) == (1, 1)
    states = Counter([(await portal.inspect_activation_link(token))["state"] for token in tokens])
    assert states == {"USED": 1, "SUPERSEDED": 4}


async def test_simultaneous_founders_found_one_organisation(portal: Portal) -> None:
    """Of five people who found one organisation at once, one manages it, and the others ask to join."""
    emails = [f"person{number}@exemple.fr" for number in range(5)]
    tokens = await tokens_of(portal, *({"email": email} for email in emails))
    outcomes = await run_together(*map(portal.activate_account, tokens))
    assert outcomes == {"AccountActivated": 5}
    roles = Counter(f"{membership.role} {membership.status}" for membership in await Membership.all())
    assert roles == {"MANAGER ACTIVE": 1, "MEMBER PENDING": 4}
    assert await Organisation.all().count() == 1


async def test_failed_activation_leaves_nothing_behind(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure in the last step, no row has changed, and the same link works afterwards."""

    async def fail(*_: object, **__: object) -> Membership:
        raise RuntimeError("boom")

    token = await portal.activation_token()
    before = await all_rows()
    with monkeypatch.context() as broken:
        broken.setattr(Membership, "begin", fail)
        entered = {"token": token, "password": PASSWORD, "passwordConfirmation": PASSWORD}
        answer = await portal.execute(ACTIVATE_ACCOUNT, {"input": entered})
    (error,) = answer["errors"]
    assert answer["data"] is None
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert "boom" not in str(answer)
    assert await all_rows() == before
    assert (await portal.activate_account(token))["__typename"] == "AccountActivated"


async def test_mail_and_link_show_the_same_person_and_organisation(portal: Portal) -> None:
    """The mail shows what its link activates, so that people recognise a stranger's attempt."""
    await portal.sign_up()
    (mail,) = with_link(await portal.deliver())
    link = await portal.inspect_activation_link(token_in(mail))
    identifier = link["organisation"]["identifier"]["formatted"]
    for shown in (link["firstName"], link["lastName"], identifier):
        assert shown in text_of(mail)
    assert mail["To"] == link["email"]
