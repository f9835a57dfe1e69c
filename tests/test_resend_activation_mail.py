"""resendActivationMail: always the same answer, and a mail only if a registration or an account is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from models.outbox import MessageState, OutboxMessage
from tests.support.client import OTHER_SIRET, RESEND_ACTIVATION_MAIL, SIRET, text_of, token_in

if TYPE_CHECKING:
    from email.message import EmailMessage

    from tests.support.client import Answer, Portal
    from tests.support.doubles import Clock

pytestmark = pytest.mark.anyio

EMAIL = "camille.durand@exemple.fr"


async def resend(portal: Portal, email: str = EMAIL) -> list[EmailMessage]:
    """Ask for the mail again. Return the mails that arrive."""
    assert (await portal.resend_activation_mail(email))["__typename"] == "ActivationMailRequested"
    return await portal.deliver()


def tokens_in(mail: EmailMessage) -> list[str]:
    return re.findall(r"#token=(\S+)$", text_of(mail), re.MULTILINE)


# --- The answer ---


async def test_answer_does_not_reveal_registrations_or_accounts(portal: Portal) -> None:
    """The answer is the same for nothing, a form, a verified registration and an account."""
    addresses = {name: f"{name}@exemple.fr" for name in ("nobody", "started", "waiting", "member")}
    await portal.create_account(email=addresses["started"])
    await portal.activation_token(email=addresses["waiting"])
    await portal.account(email=addresses["member"])
    for address in addresses.values():
        assert await portal.resend_activation_mail(address, accept="en") == {
            "__typename": "ActivationMailRequested",
            "email": address,
            "message": f"If a registration is awaiting activation at {address},"
            " an e-mail has just left for that address.",
        }


@pytest.mark.parametrize(
    ("accept", "beginning"),
    [(None, "Si une inscription attend"), ("fr-FR, en", "Si une"), ("en, fr;q=0.9", "If a registration is awaiting")],
)
async def test_answer_is_in_the_language_of_the_header(portal: Portal, accept: str | None, beginning: str) -> None:
    """The answer is in the language of the header, or in French without one."""
    answer = await portal.resend_activation_mail(EMAIL, accept=accept)
    assert answer["message"].startswith(beginning)


@pytest.mark.parametrize(
    ("email", "code", "message"),
    [
        (" ", "REQUIRED", "This field is required."),
        (f"{'a' * 255}@exemple.fr", "TOO_LONG", "At most 254 characters."),
        ("camille", "EMAIL_INVALID", "This e-mail address is not valid. Example: first.last@example.com"),
        ("\N{KELVIN SIGN}amille@exemple.fr", "EMAIL_INVALID", "This e-mail address is not valid."),
        ("a@exemple.fr\nBcc: b@exemple.fr", "INVALID_CHARACTERS", "This field has characters that are not allowed."),
    ],
    ids=["blank", "too long", "no address", "Kelvin sign", "header"],
)
async def test_invalid_address_is_refused_as_in_the_form(portal: Portal, email: str, code: str, message: str) -> None:
    """An invalid address is refused with the form's code and words, and no message is stored."""
    answer = await portal.resend_activation_mail(email, accept="en")
    assert (answer["__typename"], answer["code"]) == ("InvalidInput", "INVALID_INPUT")
    (problem,) = answer["fields"]
    assert (problem["path"], problem["code"]) == (["email"], code)
    assert problem["message"].startswith(message)
    assert await OutboxMessage.all().count() == 0


async def test_lone_surrogate_is_refused(portal: Portal) -> None:
    """An address with a lone surrogate, which no database can store, is refused with a code."""
    answer = await portal.call_in_ascii(RESEND_ACTIVATION_MAIL, {"email": "camille\ud800@exemple.fr"})
    assert [problem["code"] for problem in answer["fields"]] == ["INVALID_CHARACTERS"]


# --- With a registration ---


async def test_new_link_leaves_the_first_link_usable(portal: Portal, clock: Clock) -> None:
    """A new link works for an hour of its own. The first link works until its own hour is over."""
    first = await portal.activation_token()
    clock.advance(minutes=30)
    (mail,) = await resend(portal)
    second = token_in(mail)
    links = [await portal.inspect_activation_link(token) for token in (first, second)]
    assert [(link["state"], link["expiresInSeconds"]) for link in links] == [("USABLE", 1800), ("USABLE", 3600)]
    clock.advance(minutes=30)
    states = [(await portal.inspect_activation_link(token))["state"] for token in (first, second)]
    assert states == ["EXPIRED", "USABLE"]
    assert (await portal.activate_account(second))["__typename"] == "AccountActivated"


async def test_first_link_activates_after_a_resend(portal: Portal) -> None:
    """The first link still activates the account after a resend, and then the new one is used up too."""
    first = await portal.activation_token()
    (mail,) = await resend(portal)
    assert (await portal.activate_account(first))["__typename"] == "AccountActivated"
    assert (await portal.activate_account(token_in(mail)))["code"] == "ACTIVATION_LINK_USED"


async def test_mail_uses_the_stored_address_and_language(portal: Portal) -> None:
    """The mail has the registration's spelling of the address and its language, not the request's."""
    await portal.activation_token(email="Camille.Durand@exemple.fr", language="EN")
    assert (await portal.resend_activation_mail("CAMILLE.DURAND@Exemple.FR", accept="fr"))["message"].startswith("Si")
    (mail,) = await portal.deliver()
    assert (mail["To"], mail["Subject"]) == ("Camille.Durand@exemple.fr", "Activate your account")


async def test_several_registrations_get_one_mail(portal: Portal) -> None:
    """One mail has a link for each verified registration, under the name of its organisation."""
    await portal.sign_up(siret=SIRET, name="Exemple SA")
    await portal.sign_up(siret=OTHER_SIRET, name="Autre SARL")
    await portal.create_account(siret="35600000049837", name="Sans captcha")
    await portal.deliver()
    (mail,) = await resend(portal)
    assert "== Exemple SA ==" in text_of(mail)
    assert "== Autre SARL ==" in text_of(mail)
    assert "Sans captcha" not in text_of(mail)
    sections = re.split(r"^== (.+) ==$", text_of(mail), flags=re.MULTILINE)[1:]
    expected = {"Exemple SA": SIRET, "Autre SARL": OTHER_SIRET}
    assert len(tokens_in(mail)) == len(sections) // 2 == 2
    for name, section in zip(sections[::2], sections[1::2], strict=True):
        (token,) = re.findall(r"#token=(\S+)$", section, re.MULTILINE)
        link = await portal.inspect_activation_link(token)
        assert link["state"] == "USABLE"
        assert link["organisation"]["identifier"]["value"] == expected[name]


async def test_link_can_be_asked_for_within_seven_days(portal: Portal, clock: Clock) -> None:
    """A registration gets a new link until its seven days are over."""
    await portal.sign_up()
    await portal.deliver()
    clock.advance(days=7, seconds=-1)
    (mail,) = await resend(portal)
    assert (await portal.activate_account(token_in(mail)))["__typename"] == "AccountActivated"


# --- Without a registration ---


async def test_no_mail_leaves_after_seven_days(portal: Portal, clock: Clock) -> None:
    """After seven days the registration has expired, and no mail leaves."""
    await portal.sign_up()
    await portal.deliver()
    clock.advance(days=7)
    assert await resend(portal) == []


async def test_unknown_address_gets_no_mail(portal: Portal) -> None:
    """An address that never signed up gets no mail. Its message is discarded."""
    assert await resend(portal) == []
    assert (await OutboxMessage.get()).state is MessageState.DISCARDED


async def test_form_without_captcha_gets_no_mail(portal: Portal) -> None:
    """A registration whose captcha was not passed gets no mail."""
    started = await portal.create_account()
    await portal.verify_captcha(started["id"], portal.captcha.wrong_answer)
    assert await resend(portal) == []


async def test_contact_address_gets_no_mail(portal: Portal) -> None:
    """A contact address gets no link: links go to the sign-in address only."""
    await portal.sign_up(contactEmail="compta@exemple.fr")
    await portal.deliver()
    assert await resend(portal, "compta@exemple.fr") == []


# --- With an account ---


async def test_account_holder_gets_a_mail_without_a_link(portal: Portal) -> None:
    """The mail says that the account exists, at its stored address and in its language, without a link."""
    await portal.account(email="Camille.Durand@exemple.fr", language="EN")
    answer: Answer = await portal.resend_activation_mail("cAMILLE.dURAND@EXEMPLE.fr", accept="fr")
    assert answer["email"] == "cAMILLE.dURAND@exemple.fr"
    (mail,) = await portal.deliver()
    assert (mail["To"], mail["Subject"]) == ("Camille.Durand@exemple.fr", "You already have an account")
    assert "https://portal.example.org/sign-in" in text_of(mail)
    assert tokens_in(mail) == []


async def test_registrations_beside_an_account_get_no_link(portal: Portal) -> None:
    """Once the address has an account, its other verified registrations get no link."""
    await portal.activation_token(siret=OTHER_SIRET)
    await portal.account()
    (mail,) = await resend(portal)
    assert mail["Subject"] == "Vous avez déjà un compte"
    assert tokens_in(mail) == []
