"""The reference page in a real browser: the whole sign-up, in both languages, on phone and desktop, by keyboard."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from models.account import Account
from models.registration import Registration
from tests.support.browser import DESKTOP, PHONE
from tests.support.client import PASSWORD, SIRET
from tests.support.databases import sqlite_only
from tests.support.visitor import DETAILS, visitor

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.support.doubles import KnownCaptcha
    from tests.support.visitor import NewestLink

pytestmark = [pytest.mark.anyio, sqlite_only]

LABELS = {
    "fr-FR": ("Créer un compte", "Adresse électronique de connexion", "Identifiant Siret", "Votre compte est actif"),
    "en-GB": ("Create an account", "Sign-in e-mail address", "SIRET number", "Your account is active"),
}


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
async def test_sign_up_takes_five_steps_and_a_mailbox(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink, *, locale: str, width: int
) -> None:
    """Five steps and a mailbox are all that it takes; the language of the page is that of the account."""
    start, email, siret, active = LABELS[locale]
    async with visitor(browser, server, width=width, locale=locale) as person:
        await expect(person.page.locator("html")).to_have_attribute("lang", locale[:2])
        await person.page.get_by_role("link", name=start).click()
        await person.page.get_by_label(email).first.fill(DETAILS["email"])
        await person.give_details()
        await expect(person.page.get_by_label(siret)).to_be_visible()
        await person.give_organisation()
        await person.answer(captcha.answer)
        await person.is_at("sent")
        await expect(person.step("sent")).to_contain_text(DETAILS["email"])
        token = await newest_link()
        await person.open_link(token)
        await person.is_at("password")
        await person.choose_password(PASSWORD)
        await person.is_at("active")
        await expect(person.page.get_by_role("heading", name=active)).to_be_visible()
        await expect(person.page.locator("#active-next")).to_have_attribute("href", re.compile("/sign-in$"))
    account = await Account.get()
    assert account.email == DETAILS["email"]
    assert account.language == locale[:2]


async def test_sign_up_works_by_keyboard_alone(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """Tab, space, enter and letters lead the whole way; the focus is always seen, and starts each step at its title."""
    async with visitor(browser, server) as person:
        keyboard = person.page.keyboard

        async def go_to(name: str) -> None:
            """Press Tab until the field or button *name* has the focus."""
            for _ in range(25):
                await keyboard.press("Tab")
                focused = person.page.locator(":focus")
                assert await focused.evaluate("e => getComputedStyle(e).outlineStyle") != "none"
                if name in await focused.evaluate("e => [e.id, e.name, e.type, e.dataset.go].map(String)"):
                    return
            raise AssertionError(name)

        async def type_into(name: str, text: str) -> None:
            await go_to(name)
            await keyboard.type(text)

        await go_to("details")
        await keyboard.press("Enter")
        await expect(person.page.locator("#details-title")).to_be_focused()
        for name, value in DETAILS.items():
            await type_into(name, value)
        await go_to("acceptTerms")
        await keyboard.press("Space")
        await go_to("submit")
        await keyboard.press("Enter")
        await expect(person.page.locator("#organisation-title")).to_be_focused()
        await go_to("organisation.identifier.type")
        await type_into("organisation.identifier.value", SIRET)
        await expect(person.field("organisation.name")).to_be_visible()
        await type_into("organisation.name", "Exemple SA")
        await keyboard.press("Enter")
        await expect(person.page.locator("#captcha-title")).to_be_focused()
        await go_to("captcha-renew")
        await keyboard.press("Enter")
        await expect(person.page.locator("#announcement")).to_contain_text("autre image")
        await type_into("answer", captcha.answer)
        await keyboard.press("Enter")
        await expect(person.page.locator("#sent-title")).to_be_focused()
        await person.open_link(await newest_link())
        await person.is_at("password")
        await type_into("password", PASSWORD)
        await go_to("password-reveal")
        await keyboard.press("Space")
        await expect(person.field("password")).to_have_attribute("type", "text")
        await type_into("passwordConfirmation", PASSWORD)
        await keyboard.press("Enter")
        await expect(person.page.locator("#active-title")).to_be_focused()
    assert await Account.all().count() == 1


async def test_going_back_keeps_the_input(browser: Browser, server: str) -> None:
    """The browser's button and the page's own both lead back to full fields, and forward again."""
    async with visitor(browser, server) as person:
        await person.reach_captcha(phone="06 12 34 56 78")
        await person.page.go_back()
        await person.is_at("organisation")
        await expect(person.field("organisation.identifier.value")).to_have_value(SIRET)
        await expect(person.field("organisation.name")).to_have_value("Exemple SA")
        await person.step("organisation").get_by_role("link", name="Retour").click()
        await person.is_at("details")
        await expect(person.field("phone")).to_have_value("06 12 34 56 78")
        await expect(person.field("acceptTerms")).to_be_checked()
        await person.page.go_back()
        await person.is_at("organisation")
        await person.press()
        await person.is_at("captcha")
    assert await Registration.all().count() == 1


async def test_reload_loses_nothing_but_secrets(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """After a reload, each step and its input is back; the link and the password are not, and the page says so."""
    async with visitor(browser, server) as person:
        await person.begin()
        await person.fill(**DETAILS)
        await person.page.reload()
        await person.is_at("details")
        await expect(person.field("lastName")).to_have_value("Durand")
        await person.give_details()
        await person.field("organisation.identifier.value").fill(SIRET)
        await person.page.reload()
        await expect(person.field("organisation.identifier.value")).to_have_value(SIRET)
        await person.give_organisation()
        await person.page.reload()
        await person.is_at("captcha")
        await person.answer(captcha.answer)
        await person.is_at("sent")
        await person.page.reload()
        await expect(person.step("sent")).to_contain_text(DETAILS["email"])
        await person.open_link(await newest_link())
        await person.is_at("password")
        await person.fill(password=PASSWORD, passwordConfirmation=PASSWORD)
        await person.page.reload()
        await person.is_at("resend")
        await expect(person.step("resend")).to_contain_text("ne conserve ni le lien ni le mot de passe")
        await expect(person.field("email")).to_have_value(DETAILS["email"])


async def test_secrets_are_not_stored_by_the_browser(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """Neither token, password nor captcha answer is in the address, the history or a storage of the browser."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        answer = captcha.answer
        await person.answer(answer)
        await person.is_at("sent")
        token = await newest_link()
        await person.open_link(token)
        await person.is_at("password")
        await person.fill(password=PASSWORD, passwordConfirmation=PASSWORD)
        assert token not in person.page.url
        kept = await person.page.evaluate(
            "JSON.stringify([{...sessionStorage}, {...localStorage}, history.state, document.cookie])"
        )
        assert await person.page.context.cookies() == []
        await person.press()
        await person.is_at("active")
        kept += await person.page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
    assert [secret for secret in (token, PASSWORD, f'"{answer}"') if secret in kept] == []


async def test_opening_a_link_submits_nothing(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """The token leaves the address bar and is in no requested URL; the page only asks for the link's state."""
    async with visitor(browser, server) as person:
        await person.sign_up(captcha)
        token = await newest_link()
        person.operations.clear()
        addresses: list[str] = []
        person.page.on("request", lambda request: addresses.append(request.url))
        await person.open_link(token)
        await person.is_at("password")
        await expect(person.step("password")).to_contain_text("Camille Durand")
        await expect(person.step("password")).to_contain_text("732 829 320 00074")
        await person.page.wait_for_timeout(500)
        assert set(person.operations) <= {"InspectActivationLink", "Setup"}
        assert token not in json.dumps([*addresses, person.page.url])
    assert await Account.all().count() == 0


async def test_language_can_be_switched_during_the_sign_up(browser: Browser, server: str) -> None:
    """The page, the hints of the service and the mails change their language; input stays."""
    async with visitor(browser, server) as person:
        await person.reach_organisation()
        await person.page.get_by_role("button", name="English").click()
        await expect(person.page.get_by_label("SIRET number")).to_be_visible()
        await expect(person.page.locator("html")).to_have_attribute("lang", "en")
        await expect(person.page).to_have_title("Your organisation – step 2 of 4 – Guichet")
        await expect(person.page.get_by_role("button", name="English")).to_be_focused()
        await person.give_organisation()
        await expect(person.step("captcha")).to_contain_text("Show another picture")
        await person.fill(answer="12")
        picture = await person.page.locator("#captcha-picture").get_attribute("src")
        await person.page.get_by_role("button", name="Français").click()
        await expect(person.step("captcha")).to_contain_text("Afficher une autre image")
        await expect(person.page.locator("#captcha-picture")).to_have_attribute("src", picture or "")
        await expect(person.field("answer")).to_have_value("12")
        await person.page.get_by_role("button", name="English").click()
        await person.page.goto(server)
        await expect(person.page.get_by_role("heading", name="Create your account")).to_be_visible()
    assert (await Registration.get()).language == "en"
