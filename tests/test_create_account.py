"""createAccount: input that is accepted and its stored form, input that is refused, and answers that tell nothing."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from models.field_problems import FieldProblemCode
from models.organisation import OrganisationStatus
from models.outbox import OutboxMessage
from models.registration import Registration
from tests.support.client import CREATE_ACCOUNT, OTHER_SIRET, SIRET, form, new_key, text_of, token_in, with_link
from tests.support.register import register
from tests.support.statements import Statements, statements

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.support.client import Answer, Portal

pytestmark = pytest.mark.anyio
__all__ = ["statements"]  # A fixture, for pytest to find here.

IDENTIFIER = "organisation.identifier.value"
LONG_DOMAIN = f"{'d' * 63}.{'e' * 63}.{'f' * 61}"
MAX_EMAIL_LENGTH = f"{'a' * 64}@{LONG_DOMAIN}"
UNDER_254_AS_ENTERED = f"{'a' * 64}@{'é' * 50}.{'è' * 50}.{'ê' * 50}.exemple.fr"
DECOMPOSED = "e\N{COMBINING ACUTE ACCENT}"
ZERO_WIDTH_NON_JOINER = "\N{ZERO WIDTH NON-JOINER}"
KNOWN, UNKNOWN = "known@exemple.fr", "nobody@exemple.fr"


async def create(portal: Portal, **changes: Any) -> Answer:
    """Call createAccount with any text that a program can send, lone surrogates too."""
    return await portal.call_in_ascii(CREATE_ACCOUNT, {"input": form(**changes)})


async def stored(answer: Answer) -> Registration:
    assert answer["__typename"] == "PendingRegistration", answer
    return await Registration.get(id=answer["id"])


def problems(answer: Answer) -> list[tuple[str, str]]:
    """Return the field and the code of each problem. The field is its path, joined by dots."""
    assert (answer["__typename"], answer["code"]) == ("InvalidInput", "INVALID_INPUT"), answer
    assert all(problem["message"] for problem in answer["fields"])
    return [(".".join(problem["path"]), problem["code"]) for problem in answer["fields"]]


def organisation(type_: str, value: str, name: str | None = "Exemple") -> Answer:
    return {"organisation": {"identifier": {"type": type_, "value": value}, "name": name}}


# --- Accepted input and its stored form ---


@pytest.mark.parametrize(
    ("field", "entered", "column", "expected"),
    [
        ("email", "  Camille.DURAND@Exemple.FR ", "email", "Camille.DURAND@exemple.fr"),
        ("email", "  Camille.DURAND@Exemple.FR ", "email_canonical", "camille.durand@exemple.fr"),
        ("email", "camille@exemple.fr\r\n", "email", "camille@exemple.fr"),
        ("email", "camille@Café.fr", "email", "camille@xn--caf-dma.fr"),
        ("email", "camille@XN--CAF-DMA.fr", "email", "camille@xn--caf-dma.fr"),
        ("email", "o'brien+portail@exemple.fr", "email", "o'brien+portail@exemple.fr"),
        ("email", MAX_EMAIL_LENGTH, "email", MAX_EMAIL_LENGTH),
        ("firstName", "  Anne   Marie\u00a0Lou ", "first_name", "Anne Marie Lou"),
        ("firstName", f"Zo{DECOMPOSED}", "first_name", "Zoé"),
        ("firstName", "x" * 100, "first_name", "x" * 100),
        ("firstName", DECOMPOSED * 100, "first_name", "é" * 100),
        ("firstName", "Zoé 😀", "first_name", "Zoé 😀"),
        ("lastName", "O’Brien-Durand, J.-P.", "last_name", "O’Brien-Durand, J.-P."),
        ("lastName", f"علی{ZERO_WIDTH_NON_JOINER}رضا", "last_name", f"علی{ZERO_WIDTH_NON_JOINER}رضا"),
        ("phone", "+33 6 12 34 56 78", "phone", "+33612345678"),
        ("phone", " 06 12 34 56 78 ", "phone", "+33612345678"),
        ("phone", "06.12.34.56.78", "phone", "+33612345678"),
        ("phone", "06\u00a012\u202f34\u201156\u201178", "phone", "+33612345678"),
        ("phone", "+33 (0)6 12 34 56 78", "phone", "+33612345678"),
        ("phone", "+1 (650) 253-0000", "phone", "+16502530000"),
        ("phone", "  ", "phone", None),
        ("phone", None, "phone", None),
        ("contactEmail", " Compta@Exemple.FR", "contact_email", "Compta@exemple.fr"),
        ("contactEmail", "", "contact_email", None),
        ("termsVersion", " 2026-01 ", "terms_version", "2026-01"),
        ("termsVersion", " ", "terms_version", "2026-01"),
        ("surveyConsent", True, "survey_consent", True),
        ("idempotencyKey", "", "idempotency_digest", None),
        ("idempotencyKey", " ", "idempotency_digest", None),
        ("siret", " 732 829 320 00074", "identifier_value", SIRET),
        ("siret", "732.829.320-00074", "identifier_value", SIRET),
        ("name", " Exemple   & Fils ", "organisation_name", "Exemple & Fils"),
        ("name", "x" * 200, "organisation_name", "x" * 200),
        ("name", DECOMPOSED * 200, "organisation_name", "é" * 200),
    ],
    ids=lambda value: ascii(value)[:30],
)
async def test_input_is_stored_in_one_normal_form(
    portal: Portal, field: str, entered: object, column: str, expected: object
) -> None:
    """Each spelling of a value is stored in one form. A blank optional field is stored as null."""
    registration = await stored(await create(portal, **{field: entered}))
    assert getattr(registration, column) == expected


@pytest.mark.parametrize(
    ("type_", "entered", "value"),
    [
        ("SIRET", "356 000 000 49837", "35600000049837"),
        ("UE_HORS_FRANCE", "de 136.695-976", "DE136695976"),
        ("HORS_UE", " usAcmé  & Fils ", "USACME & FILS"),
        ("RIDET", "123 456.001", "0123456001"),
        ("TAHITI", "a12345-001", "A12345001"),
        ("AUTRE", " dossier-2041 ", "DOSSIER-2041"),
        ("PARTICULIER", "part-000123", "PART-000123"),
    ],
)
async def test_identifier_of_every_type_is_stored_in_canonical_form(
    portal: Portal, type_: str, entered: str, value: str
) -> None:
    """An identifier of any type, in any spelling, is stored and shown in its canonical form."""
    answer = await portal.create_account(**organisation(type_, entered))
    shown = answer["organisation"]["identifier"]
    assert (shown["type"], shown["value"]) == (type_, value)
    assert (await stored(answer)).identifier_value == value


@pytest.mark.parametrize("confirmation", ["CAMILLE@CAFÉ.FR", " camille@xn--caf-dma.fr "])
async def test_confirmation_is_compared_as_an_address(portal: Portal, confirmation: str) -> None:
    """The confirmation may differ in letter case and in the form of the domain."""
    await stored(await portal.create_account(email="Camille@café.fr", emailConfirmation=confirmation))


async def test_omitted_fields_have_defaults(portal: Portal) -> None:
    """The contact address defaults to the sign-in address, consent to no, and the language to French."""
    account = await portal.account(email="Camille@Exemple.fr")
    assert account["contactEmail"] == account["email"] == "Camille@exemple.fr"
    assert (account["phone"], account["surveyConsent"], account["language"]) == (None, False, "FR")


async def test_domain_with_accents_is_mailed_in_ascii_and_shown_with_accents(portal: Portal) -> None:
    """Every answer and mail shows the domain as it was entered. Mails go to its A-labels."""
    email, contact = "Camille@métropole-été.fr", "contact@Métropole-ÉTÉ.fr"
    pending = await portal.create_account(email=email, contactEmail=contact)
    sent = await portal.verify_captcha(pending["id"], portal.captcha.answer)
    assert sent["email"] == email
    assert email in sent["message"]
    mails = await portal.deliver()
    assert {mail["To"] for mail in mails} == {"Camille@xn--mtropole-t-b7aib.fr"}
    (link,) = with_link(mails)
    assert "contact@métropole-été.fr" in text_of(link)
    token = token_in(link)
    assert (await portal.inspect_activation_link(token))["email"] == email
    account = (await portal.activate_account(token))["account"]
    assert (account["email"], account["contactEmail"]) == (email, "contact@métropole-été.fr")
    assert (await portal.resend_activation_mail(email))["email"] == email


async def test_input_reaches_the_summary_and_the_account(portal: Portal) -> None:
    """The summary and the account contain the input in its stored form."""
    await portal.sign_up(
        phone="06 12 34 56 78", contactEmail="Compta@EXEMPLE.fr", surveyConsent=True, language="EN", name="Exemple  SA"
    )
    (summary,) = [mail for mail in await portal.deliver() if mail["Subject"] == "Summary of your registration"]
    for line in ("Phone: +33612345678", "Contact e-mail: Compta@exemple.fr", "Name of the organisation: Exemple SA"):
        assert line in text_of(summary)
    registration = await Registration.get()
    assert (registration.survey_consent, registration.survey_consent_version) == (True, "s1")


# --- The answer ---


async def test_answer_has_a_captcha_with_its_attempts_and_deadline(portal: Portal) -> None:
    """The answer has a legible captcha, and the number of attempts and the deadline for it."""
    answer = await portal.create_account()
    captcha = answer.pop("captcha")
    assert (answer["state"], answer["attemptsLeft"]) == ("AWAITING_CAPTCHA", 5)
    assert (answer["expiresAt"], answer["expiresInSeconds"]) == ("2026-11-23T10:00:00Z", 1800)
    assert (captcha["expiresAt"], captcha["expiresInSeconds"]) == ("2026-11-23T09:40:00Z", 600)
    assert (captcha["length"], captcha["alphabet"]) == (6, "0123456789")
    assert captcha["image"].startswith("data:image/png;base64,iVBORw0KGgo")
    assert portal.captcha.answer not in json.dumps(answer | {"captcha": captcha["imageDescription"]})


async def test_unknown_organisation_is_announced_as_new(portal: Portal) -> None:
    """The answer announces an organisation that nobody knows as new."""
    answer = await portal.create_account(language="EN")
    assert answer["organisation"] == {
        "identifier": {"type": "SIRET", "value": SIRET, "formatted": "732 829 320 00074"},
        "organisation": None,
        "message": "This organisation will be created on the portal and you will be its manager.",
    }


async def test_organisation_on_the_portal_is_announced_without_its_declared_name(portal: Portal) -> None:
    """An organisation on the portal needs no name, and the answer does not reveal the declared one."""
    await portal.account(email=KNOWN, name="Exemple SA")
    answer = await portal.create_account(name=None, language="EN")
    known = answer["organisation"]["organisation"]
    assert (known["name"], known["onPortal"], known["source"]) == (None, True, "DECLARED")
    assert "your request to join will go to its manager" in answer["organisation"]["message"]
    assert (await stored(answer)).organisation_name is None


async def test_name_in_the_register_replaces_the_declared_name(portal: Portal) -> None:
    """The register's name is shown and stored in the place of the declared one."""
    await register(name="VILLE DE NANTES")
    answer = await portal.create_account(name="Nantes, ma ville", language="EN")
    known = answer["organisation"]["organisation"]
    assert (known["name"], known["city"], known["onPortal"]) == ("VILLE DE NANTES", "NANTES", False)
    assert (known["source"], known["status"], known["asOf"]) == ("SIRENE", "ACTIVE", "2026-11-01T00:00:00Z")
    assert "will be created on the portal" in answer["organisation"]["message"]
    assert (await stored(answer)).organisation_name == "VILLE DE NANTES"


@pytest.mark.parametrize(("declared", "expected"), [(None, None), (" ", None), ("Chez  Camille", "Chez Camille")])
async def test_name_is_optional_if_the_register_has_none(
    portal: Portal, declared: str | None, expected: str | None
) -> None:
    """If the register has no name, the applicant may declare one but need not."""
    await register(name=None)
    answer = await portal.create_account(name=declared)
    assert answer["organisation"]["organisation"]["name"] is None
    assert (await stored(answer)).organisation_name == expected


async def test_closed_establishment_is_refused(portal: Portal) -> None:
    """An establishment that is closed according to the register is refused."""
    await register(name="VILLE DE NANTES", status=OrganisationStatus.CLOSED)
    assert problems(await portal.create_account()) == [(IDENTIFIER, "ORGANISATION_CLOSED")]


@pytest.mark.parametrize("type_", ["AUTRE", "PARTICULIER"])
async def test_private_identifier_is_always_announced_as_new(portal: Portal, type_: str) -> None:
    """An identifier that can't be looked up is announced as new, even if an account with it exists."""
    await portal.account(email=KNOWN, **organisation(type_, "X-1"))
    answer = await portal.create_account(language="EN", **organisation(type_, "X-1"))
    assert answer["organisation"]["organisation"] is None
    assert "will be created on the portal" in answer["organisation"]["message"]


@pytest.mark.parametrize("name", [None, "", "Camille", "https://exemple.fr", "\ud800"])
async def test_natural_person_has_no_organisation_name(portal: Portal, name: str | None) -> None:
    """A natural person needs no organisation name. A name that is sent anyway is dropped."""
    answer = await create(portal, **organisation("PARTICULIER", "X-1", name))
    assert (await stored(answer)).organisation_name is None


async def test_replaced_name_is_not_validated(portal: Portal) -> None:
    """If the register's name replaces the declared one, even a lone surrogate in the latter does no harm."""
    await register(name="VILLE DE NANTES")
    assert (await stored(await create(portal, name="\ud800"))).organisation_name == "VILLE DE NANTES"


# --- Refused input ---

REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("address of 255", {"email": f"{MAX_EMAIL_LENGTH}f"}, "email", "TOO_LONG"),
    ("address of 254 as entered", {"email": UNDER_254_AS_ENTERED}, "email", "EMAIL_INVALID"),
    ("local part of 65", {"email": f"{'a' * 65}@exemple.fr"}, "email", "EMAIL_INVALID"),
    ("no at sign", {"email": "camille.exemple.fr"}, "email", "EMAIL_INVALID"),
    ("accent in the local part", {"email": "camillé@exemple.fr"}, "email", "EMAIL_INVALID"),
    ("Kelvin sign", {"email": "\N{KELVIN SIGN}amille@exemple.fr"}, "email", "EMAIL_INVALID"),
    ("full-width at sign", {"email": "camille\N{FULLWIDTH COMMERCIAL AT}exemple.fr"}, "email", "EMAIL_INVALID"),
    ("quoted local part", {"email": '"a b"@exemple.fr'}, "email", "EMAIL_INVALID"),
    ("display name", {"email": "Camille <camille@exemple.fr>"}, "email", "EMAIL_INVALID"),
    ("domain without a dot", {"email": "camille@localhost"}, "email", "EMAIL_INVALID"),
    ("IP address", {"email": "camille@127.0.0.1"}, "email", "EMAIL_INVALID"),
    ("IP literal", {"email": "camille@[127.0.0.1]"}, "email", "EMAIL_INVALID"),
    ("mail header", {"email": "camille@exemple.fr\r\nBcc: all@exemple.fr"}, "email", "INVALID_CHARACTERS"),
    ("surrogate in the address", {"email": "camille\ud800@exemple.fr"}, "email", "INVALID_CHARACTERS"),
    ("no confirmation", {"emailConfirmation": " "}, "emailConfirmation", "REQUIRED"),
    ("other confirmation", {"emailConfirmation": "kamille@exemple.fr"}, "emailConfirmation", "EMAIL_MISMATCH"),
    ("surrogate in the confirmation", {"emailConfirmation": "\ud800"}, "emailConfirmation", "EMAIL_MISMATCH"),
    ("no first name", {"firstName": ""}, "firstName", "REQUIRED"),
    ("blank last name", {"lastName": " \n"}, "lastName", "REQUIRED"),
    ("invisible name", {"firstName": f"{ZERO_WIDTH_NON_JOINER} {ZERO_WIDTH_NON_JOINER}"}, "firstName", "REQUIRED"),
    ("name of 101", {"firstName": "x" * 101}, "firstName", "TOO_LONG"),
    ("decomposed name of 101", {"lastName": DECOMPOSED * 101}, "lastName", "TOO_LONG"),
    ("URL", {"firstName": "https://exemple.fr"}, "firstName", "INVALID_CHARACTERS"),
    ("host", {"lastName": "Gagnez sur www.exemple.fr"}, "lastName", "INVALID_CHARACTERS"),
    ("at sign", {"lastName": "a@b"}, "lastName", "INVALID_CHARACTERS"),
    ("two slashes", {"lastName": "a//b"}, "lastName", "INVALID_CHARACTERS"),
    ("phone number", {"name": "appelez le 08 99 12 34 56"}, "organisation.name", "INVALID_CHARACTERS"),
    ("query before the at sign", {"contactEmail": "a?b=c@exemple.fr"}, "contactEmail", "EMAIL_INVALID"),
    ("line break", {"firstName": "Ca\nmille"}, "firstName", "INVALID_CHARACTERS"),
    ("line separator", {"firstName": "Ca\u2028mille"}, "firstName", "INVALID_CHARACTERS"),
    ("NUL", {"firstName": "Ca\0mille"}, "firstName", "INVALID_CHARACTERS"),
    ("lone surrogate", {"firstName": "\ud800"}, "firstName", "INVALID_CHARACTERS"),
    ("short phone", {"phone": "06 12 34 56"}, "phone", "PHONE_INVALID"),
    ("words for a phone", {"phone": "0 800 CHORUS"}, "phone", "PHONE_INVALID"),
    ("NUL in the phone", {"phone": "06 12\0 34 56 78"}, "phone", "INVALID_CHARACTERS"),
    ("contact address", {"contactEmail": "compta"}, "contactEmail", "EMAIL_INVALID"),
    ("surrogate in the contact address", {"contactEmail": "\udfff"}, "contactEmail", "INVALID_CHARACTERS"),
    ("terms not accepted", {"acceptTerms": False}, "acceptTerms", "TERMS_NOT_ACCEPTED"),
    ("earlier terms", {"termsVersion": "2025-01"}, "termsVersion", "TERMS_OUTDATED"),
    ("no identifier", {"siret": " "}, IDENTIFIER, "REQUIRED"),
    ("surrogate in the identifier", {"siret": "\ud800"}, IDENTIFIER, "INVALID_CHARACTERS"),
    ("identifier of 13", {"siret": SIRET[:-1]}, IDENTIFIER, "IDENTIFIER_INVALID_LENGTH"),
    ("letters for a SIRET", {"siret": "7328293200007A"}, IDENTIFIER, "IDENTIFIER_INVALID_FORMAT"),
    ("SIREN without a check digit", {"siret": "11122233344455"}, IDENTIFIER, "IDENTIFIER_INVALID_CHECKSUM"),
    ("French VAT", organisation("UE_HORS_FRANCE", "FR44732829320"), IDENTIFIER, "IDENTIFIER_INVALID_COUNTRY"),
    ("no name", {"name": None}, "organisation.name", "REQUIRED"),
    ("blank name", {"name": " "}, "organisation.name", "REQUIRED"),
    ("AUTRE without a name", organisation("AUTRE", "X-1", None), "organisation.name", "REQUIRED"),
    ("organisation name of 201", {"name": "x" * 201}, "organisation.name", "TOO_LONG"),
    ("link for a name", {"name": "exemple.com"}, "organisation.name", "INVALID_CHARACTERS"),
    ("surrogate in the name", {"name": "\ud800"}, "organisation.name", "INVALID_CHARACTERS"),
    ("key that is no UUID", {"idempotencyKey": "again"}, "idempotencyKey", "INVALID_FORMAT"),
    ("surrogate in the key", {"idempotencyKey": "\ud800"}, "idempotencyKey", "INVALID_FORMAT"),
]


@pytest.mark.parametrize(
    ("changes", "field", "code"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
async def test_wrong_field_is_refused_with_its_path_and_code(
    portal: Portal, changes: dict[str, Any], field: str, code: str
) -> None:
    """The refusal names the path and the code of a wrong field, and nothing is stored."""
    answer = await create(portal, **changes)
    assert problems(answer) == [(field, code)]
    assert answer["fields"][0]["path"] == field.split(".")
    assert await Registration.all().count() == 0


QUOTED = [
    ({"lastName": "X.COM"}, "X.COM"),
    ({"lastName": "T.CO"}, "T.CO"),
    ({"name": "Durand, exemple\N{IDEOGRAPHIC FULL STOP}com"}, "exemple.com"),
    ({"name": "\N{FULLWIDTH LATIN CAPITAL LETTER X}\N{FULLWIDTH FULL STOP}com"}, "X.com"),
    ({"name": "пример.рф"}, "пример.рф"),
    ({"name": "Les amis de xn--e1afmkfd.xn--p1ai"}, "xn--e1afmkfd.xn--p1ai"),
    ({"name": "Booking.com France"}, "Booking.com"),
    ({"name": "10.0.0.1"}, "10.0.0.1"),
    ({"name": "tel:3949"}, "tel:"),
    ({"name": r"\\serveur"}, "\\"),
    ({"lastName": "Durand@home"}, "@"),
    ({"lastName": "a//localhost"}, "//"),
    ({"name": "appelez le 08 99 12 34 56"}, "08 99 12 34 56"),
    ({"name": "+33 (0)8.99.12.34.56"}, "+33 (0)8.99.12.34.56"),
    ({"name": "0692-12/34-56"}, "0692-12/34-56"),
    ({"name": "tél. 00 33 899 123 456 !"}, "00 33 899 123 456"),
    ({"name": "\N{ARABIC-INDIC DIGIT ZERO}899123456"}, "0899123456"),
    ({"firstName": "Ca\0mille"}, "U+0000"),
    ({"lastName": "\ud800"}, "U+D800"),
    ({"contactEmail": "www.evil-site.com/login?id=1@evil-site.com"}, "www."),
    ({"contactEmail": "evil-site.com/login@evil-site.com"}, "/"),
    ({"contactEmail": "o'john.me@exemple.fr"}, "john.me"),
]
ORDINARY = [
    {"lastName": "J.DUPONT"},
    {"lastName": "J.-P. Durand"},
    {"lastName": "St.John"},
    {"lastName": "E.LECLERC"},
    {"name": "S.A. Exemple"},
    {"name": "Danfoss A/S"},
    {"name": "KBC Bank NV/SA"},
    {"name": "3/4 Presse"},
    {"name": "AC/DC Audio c/o Durand"},
    {"name": "Müller GmbH & Co. KG"},
    {"name": "Müller GmbH & Co.KG"},
    {"name": "Shenzhen Exemple Co.Ltd"},
    {"name": "3M"},
    {"name": "Groupe 1981"},
    {"name": "SCI 12 rue de la Paix 75002"},
    {"name": "SIRET 732 829 320 00074"},
    {"name": "Amicale 1914-1918 1939-1945"},
    {"name": "Presse 24/24 7/7"},
    {"name": "Art:Concept"},
    {"name": "Web 2.0"},
    {"contactEmail": "first.last+shop.com@exemple.fr"},
    {"contactEmail": "o'neil@exemple.fr"},
    {"contactEmail": "a_b-c!x%y&z@exemple.fr"},
]


@pytest.mark.parametrize(("changes", "quoted"), QUOTED, ids=[ascii(text)[:30] for _, text in QUOTED])
async def test_refusal_quotes_the_offending_part(portal: Portal, changes: dict[str, Any], quoted: str) -> None:
    """The message quotes the part that would be a link or a phone number in a mail, or can't be stored."""
    for language, (before, after) in {"EN": ("“", "”"), "FR": ("«\u202f", "\u202f»")}.items():
        (problem,) = (await create(portal, language=language, **changes))["fields"]
        assert f"{before}{quoted}{after}" in problem["message"]


@pytest.mark.parametrize("changes", ORDINARY, ids=lambda changes: ascii(next(iter(changes.values())))[:30])
async def test_ordinary_name_is_accepted(portal: Portal, changes: dict[str, Any]) -> None:
    """Slashes, initials, numbers and apostrophes that no mail program makes a link of are stored."""
    registration = await stored(await create(portal, **changes))
    names = {registration.last_name, registration.organisation_name, registration.contact_email}
    assert set(changes.values()) <= names


async def test_empty_required_fields_are_reported(portal: Portal) -> None:
    """Each required field of an empty form is reported, and no optional one."""
    answer = await portal.create_account(
        email="", firstName="", lastName="", phone="", contactEmail="", termsVersion="", siret="", name=""
    )
    fields = ["email", "emailConfirmation", "firstName", "lastName", IDENTIFIER]
    assert problems(answer) == [(field, "REQUIRED") for field in fields]


def test_every_field_code_is_tested() -> None:
    """Each code of a sign-up form has a test here. A new code fails this test until it has one."""
    elsewhere = {code.value for code in FieldProblemCode if code.value.startswith("PASSWORD_")} | {"TOO_MANY_ITEMS"}
    tested = {code for *_, code in REFUSED} | {"ORGANISATION_CLOSED"}
    assert tested == {code.value for code in FieldProblemCode} - elsewhere


async def test_all_problems_are_reported_at_once_in_field_order(portal: Portal) -> None:
    """One answer reports all problems of a form, in the order of its fields."""
    answer = await portal.create_account(
        email="camille",
        emailConfirmation="kamille",
        firstName="",
        lastName="a@b",
        phone="12",
        contactEmail="compta",
        acceptTerms=False,
        termsVersion="2025-01",
        siret="11122233344455",
        name="x" * 201,
        idempotencyKey="again",
    )
    assert problems(answer) == [
        ("email", "EMAIL_INVALID"),
        ("emailConfirmation", "EMAIL_MISMATCH"),
        ("firstName", "REQUIRED"),
        ("lastName", "INVALID_CHARACTERS"),
        ("phone", "PHONE_INVALID"),
        ("contactEmail", "EMAIL_INVALID"),
        ("acceptTerms", "TERMS_NOT_ACCEPTED"),
        ("termsVersion", "TERMS_OUTDATED"),
        (IDENTIFIER, "IDENTIFIER_INVALID_CHECKSUM"),
        ("organisation.name", "TOO_LONG"),
        ("idempotencyKey", "INVALID_FORMAT"),
    ]


# --- The language ---


@pytest.mark.parametrize(
    ("asked", "header", "speaks_english"),
    [
        (None, None, False),
        (None, "de", False),
        (None, "en-GB, fr;q=0.5", True),
        ("EN", None, True),
        ("EN", "fr", True),
        ("FR", "en", False),
    ],
)
async def test_messages_follow_the_input_language_then_the_header(
    portal: Portal, asked: str | None, header: str | None, speaks_english: bool
) -> None:
    """The input's language counts first, then the header's. The default is French."""
    refused = await portal.create_account(accept=header, language=asked, firstName="x" * 101)
    assert refused["message"] == (
        "Some fields need your attention." if speaks_english else "Certains champs sont à corriger."
    )
    assert refused["fields"][0]["message"] == (
        "At most 100 characters." if speaks_english else "100 caractères au plus."
    )
    accepted = await portal.create_account(accept=header, language=asked)
    assert accepted["captcha"]["imageDescription"].startswith("Picture" if speaks_english else "Image")
    assert accepted["organisation"]["message"].startswith("This" if speaks_english else "Cette")
    assert (await stored(accepted)).language == ("en" if speaks_english else "fr")


# --- Answers that don't tell whether an account exists ---


async def observed(sent: Statements, email: str, call: Awaitable[Answer]) -> tuple[str, list[str]]:
    """Return an answer without its random and personal parts, and the SQL statements that it took."""
    sent.take()
    answer = await call
    taken = sent.take()
    assert taken
    own = rf'{re.escape(email)}|(?<="id": ")[^"]+|(?<=base64,)[^"]+'
    return re.sub(own, "…", json.dumps(answer, ensure_ascii=False)), taken


async def observe_sign_up(portal: Portal, sent: Statements, email: str) -> list[tuple[str, list[str]]]:
    """Return the observed answer of each step that names an address, with wrong, right and repeated captcha answers."""
    key, verify, captcha = new_key(), portal.verify_captcha, portal.captcha
    seen = [await observed(sent, email, portal.create_account(email=email, idempotencyKey=key)) for _ in range(2)]
    id_ = str((await Registration.get(email=email, state="AWAITING_CAPTCHA")).id)
    seen.append(await observed(sent, email, verify(id_, captcha.wrong_answer)))
    seen += [await observed(sent, email, verify(id_, captcha.answer)) for _ in range(2)]
    seen.append(await observed(sent, email, portal.renew_captcha(id_)))
    seen.append(await observed(sent, email, portal.resend_activation_mail(email)))
    return seen


async def test_known_and_unknown_address_get_the_same_answers_by_the_same_statements(
    statements: Statements, portal: Portal
) -> None:
    """Each step gives the same answer by the same statements with and without an account."""
    await portal.account(email=KNOWN, siret=OTHER_SIRET)
    assert await observe_sign_up(portal, statements, KNOWN) == await observe_sign_up(portal, statements, UNKNOWN)


async def test_spellings_of_one_address_share_one_account(portal: Portal) -> None:
    """When an attempt under one spelling is activated, the attempt under the other is superseded."""
    first = await portal.activation_token(email="Camille@exemple.fr")
    second = await portal.activation_token(email="camille@EXEMPLE.fr", siret=OTHER_SIRET)
    assert (await portal.activate_account(first))["account"]["email"] == "Camille@exemple.fr"
    assert (await portal.inspect_activation_link(second))["state"] == "SUPERSEDED"
    assert (await portal.activate_account(second))["code"] == "ACTIVATION_LINK_SUPERSEDED"


async def test_nothing_is_mailed_before_the_captcha(portal: Portal) -> None:
    """A form without a solved captcha sends no mail to anybody."""
    await portal.create_account(contactEmail="compta@exemple.fr")
    assert await OutboxMessage.all().count() == 0
    assert await portal.deliver() == []
