"""The reference page in a real browser: the link of the mail, and the password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.client import PASSWORD
from tests.conftest import sqlite_only
from tests.visitor import DETAILS, visitor

SIGN_IN = "https://portal.example.org/sign-in"

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.conftest import Clock, KnownCaptcha
    from tests.visitor import NewestLink

pytestmark = [pytest.mark.anyio, sqlite_only]


@pytest.mark.parametrize("width", [320, 1280])
async def test_rules_tick_off_while_typing(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink, width: int
) -> None:
    """Each rule is shown as kept or not, the meter follows, and both fields can be looked at."""
    async with visitor(browser, server, width=width) as person:
        await person.sign_up(captcha)
        await person.open_link(await newest_link())
        await person.is_at("password")
        rules, meter = person.page.locator("#password-rules li"), person.page.locator("#password-meter")
        await expect(rules).to_have_class(["open"] * 4)
        for password, kept in [
            ("durand", [False, False, False, False]),
            ("durand-durand-durand", [True, False, False, True]),
            ("Camille-Durand-1", [True, True, False, True]),
            ("Azerty123456", [True, True, True, False]),
            (PASSWORD, [True, True, True, True]),
        ]:
            await person.fill(password=password)
            await expect(rules, password).to_have_class(["kept" if one else "open" for one in kept])
        await expect(meter).to_have_js_property("value", 5)
        await expect(person.page.locator("#new-password-strength")).to_have_text("Très fort")
        await person.page.get_by_role("button", name="Afficher").click()
        await expect(person.field("passwordConfirmation")).to_have_attribute("type", "text")


async def test_refused_password_leaves_the_link_usable(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """What is wrong stands under its field; a better password opens the account."""
    async with visitor(browser, server) as person:
        await person.sign_up(captcha)
        await person.open_link(await newest_link())
        await person.press()
        await person.has_problem("password")
        await person.has_problem("passwordConfirmation")
        await person.choose_password(PASSWORD, "Soleil")
        await person.has_problem("passwordConfirmation", "pas les mêmes")
        await person.choose_password("Camille-Durand-1")
        await person.has_problem("password", "votre nom")
        await person.choose_password("durand")
        for words in ("12 caractères", "3 de ces types", "votre nom"):
            await person.has_problem("password", words)
        await person.choose_password(PASSWORD)
        await person.is_at("active")


async def test_link_that_is_of_no_use_says_why_and_leads_to_another(
    browser: Browser, server: str, clock: Clock, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """Expired, unknown, used, overtaken: each has its words, and where another link helps, it is one press away."""
    async with visitor(browser, server) as person:
        await person.sign_up(captcha)
        first = await newest_link()
        clock.advance(minutes=61)
        await person.open_link(first)
        await person.is_at("resend")
        await expect(person.step("resend")).to_contain_text("Ce lien a expiré")
        await expect(person.field("email")).to_have_value(DETAILS["email"])
        await person.press()
        await expect(person.step("resend").locator(".notice")).to_contain_text(DETAILS["email"])
        second = await newest_link()
        assert second != first
        await person.open_link("nonsense")
        await expect(person.step("resend")).to_contain_text("Ce lien n’est pas valable")
        await person.activate(second)
        await person.open_link(second)
        await expect(person.step("resend")).to_contain_text("Ce lien a déjà servi")
        await expect(person.step("resend").get_by_role("button")).to_have_count(0)
        await expect(person.step("resend").get_by_role("link").first).to_have_attribute("href", SIGN_IN)
        await person.page.get_by_role("button", name="English").click()
        await expect(person.step("resend")).to_contain_text("This link has been used")


async def test_link_of_another_attempt_is_overtaken(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """Who signed up twice and used one link is told what became of the other."""
    async with visitor(browser, server) as person:
        tokens = []
        for name in ("Exemple SA", "Exemple SARL"):
            await person.page.goto(server)
            await person.reach_organisation()
            await person.give_organisation(name=name)
            await person.answer(captcha.answer)
            await person.is_at("sent")
            tokens.append(await newest_link())
        await person.activate(tokens[0])
        await person.open_link(tokens[1])
        await expect(person.step("resend")).to_contain_text("Ce lien n’est plus utile")


async def test_second_link_in_the_same_page_is_taken(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """A link that is pasted into the address bar of this page is read, and leaves it, as any other."""
    async with visitor(browser, server) as person:
        await person.sign_up(captcha)
        token = await newest_link()
        await person.paste_link(token)
        await person.is_at("password")
        await expect(person.step("password")).to_contain_text("Camille Durand")
        assert token not in person.page.url
