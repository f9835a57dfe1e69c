"""The reference page in a real browser: the link of the mail, and the password."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.support.client import PASSWORD
from tests.support.databases import sqlite_only
from tests.support.visitor import CUT as CUT_OFF
from tests.support.visitor import DETAILS, visitor

SIGN_IN = "https://portal.example.org/sign-in"
# Links as mail gateways and mail programs change them; {} is the token, {0} and {1} are its halves if it is folded.
CHANGED = (
    "/#token={}",
    "/#TOKEN={}",
    "/#token%3D{}",
    "/#token%3d{}",
    "/#token%253D{}",
    "/#amp;token={}",
    "/#token={}&utm_source=courriel",
    "/#token={}&amp;data=05%7C02",
    "/?utm_source=courriel#token={}",
    "/?token={}",
    "/?step=welcome&token%3D{}",
    "/?data=05%7C02&TOKEN={}&reserved=0",
    "/?token=#token={}",
    "/%23token={}",
    "/%23token%3D{}",
    "/%23token%3d{}?utm_source=courriel",
    "/%2523token%253D{}",
    "/%25252523token={}",
    "/%23token%3D{}%26data%3D05%7C02?sdata=x",
    "/%23token={}/",
    "/x/y/%23token={}",
    "/token={}",
    "/#token={}.",
    "/#token={},",
    "/#token={})",
    "/#token={}>",
    "/#token={}%3E",
    "/%23token={}%22%3E",
    "/#token={}%20",
    "/#%20token%20=%20{}",
    "/%EF%BB%BF%23token%3D{}%E2%80%8B",
    "/#token={0}%20{1}",
    "/#token={0}%0D%0A%20{1}",
    "/#token={0}=%0A{1}",
    "/#token={0}%C2%AD{1}%FF",
    "/%23token={0}%20{1}",
    "/#token=3D{}",
    "/#token=3d{}",
    "/?token=3D{}",
    "/#token=3D{0}=%0D%0A{1}",
    "/#token=3D{}%20Bonjour",
    "/#token={}%20Bonjour",
    "/#token={}%20Bo",
    "/#token={}%0A%0ACordialement",
    "/%23token={0}%20{1}%20Bonjour",
    "/#token={}_",
)
CUT = (
    "/#",
    "/#to",
    "/#token",
    "/#token=",
    "/#token%3D",
    "/%23",
    "/%23token",
    "/%2523token%253D",
    "/?token=",
    "/#token=&utm_source=x",
)
EXPLAINED = [
    ("fr-FR", "Ce lien est incomplet", "copiez le lien en entier"),
    ("en-GB", "This link is incomplete", "copy the whole link"),
]

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.support.doubles import Clock, KnownCaptcha
    from tests.support.visitor import MailedLink, NewestLink

pytestmark = [pytest.mark.anyio, sqlite_only]


@pytest.mark.parametrize("width", [320, 1280])
async def test_rules_of_the_password_are_checked_while_typing(
    browser: Browser, server: str, mailed_link: MailedLink, width: int
) -> None:
    """Each rule is shown as kept or not, the meter follows, and both fields can be looked at."""
    async with visitor(browser, server, width=width, address=f"/#token={await mailed_link()}") as person:
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


async def test_refused_password_leaves_the_link_usable(browser: Browser, server: str, mailed_link: MailedLink) -> None:
    """A problem stands under its field; a better password opens the account."""
    async with visitor(browser, server, address=f"/#token={await mailed_link()}") as person:
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


async def test_unusable_link_says_why_and_offers_another(
    browser: Browser, server: str, clock: Clock, mailed_link: MailedLink, newest_link: NewestLink
) -> None:
    """Expired, unknown, used and overtaken links each have their words; another link is one press away if it helps."""
    first = await mailed_link()
    clock.advance(minutes=61)
    async with visitor(browser, server, address=f"/#token={first}") as person:
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


async def test_link_of_another_attempt_is_superseded(browser: Browser, server: str, mailed_link: MailedLink) -> None:
    """A person who signed up twice and used one link learns what became of the other."""
    one, other = [await mailed_link(name=name) for name in ("Exemple SA", "Exemple SARL")]
    async with visitor(browser, server) as person:
        await person.activate(one)
        await person.open_link(other)
        await expect(person.step("resend")).to_contain_text("Ce lien n’est plus utile")


async def test_second_link_in_the_same_page_is_read(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """A link pasted into the address bar of this page is read, and leaves it, like any other."""
    async with visitor(browser, server) as person:
        await person.sign_up(captcha)
        token = await newest_link()
        await person.paste_link(token)
        await person.is_at("password")
        await expect(person.step("password")).to_contain_text("Camille Durand")
        assert token not in person.page.url


def changed(form: str, token: str) -> str:
    """Return the link with *token* in the form in which it arrives."""
    return form.format(token[:20], token[20:]) if "{1}" in form else form.format(token)


async def test_token_is_found_in_each_changed_link(
    browser: Browser,
    server: str,
    mailed_link: MailedLink,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A token is found in each place where a mail gateway puts it, and appears in no request and no log."""
    caplog.set_level(logging.INFO)
    token = await mailed_link()
    async with visitor(browser, server, address="/?step=resend") as person:
        asked: list[str] = []
        person.page.on(
            "request", lambda request: None if request.is_navigation_request() else asked.append(request.url)
        )
        for form in CHANGED:
            await person.page.goto(server + changed(form, token))  # More than the fragment differs: it loads.
            await expect(person.step("password"), form).to_be_visible()
            await expect(person.step("password"), form).to_contain_text("Camille Durand")
            assert person.page.url == f"{server}/?step=password", form
        assert not [url for url in asked if token[:20] in url]
        await person.choose_password(PASSWORD)
        await person.is_at("active")
    logged = [record.getMessage() for record in caplog.records if record.name != "uvicorn.access"]  # Which is off.
    assert any(line.startswith("GET '/' 200") for line in logged)
    assert not [line for line in logged if token[:20] in line]


async def test_token_leaves_the_address_before_any_other_script_runs(
    browser: Browser, server: str, mailed_link: MailedLink
) -> None:
    """If the page's other scripts fail to load, the token still leaves the address bar."""
    token = await mailed_link()
    async with visitor(browser, server, address="/?step=resend", tolerated=CUT_OFF) as person:
        await person.page.route("**/main.js", lambda route: route.abort())
        for form in ("/#token={}", "/#token%3D{}", "/%23token={}", "/?token={}"):
            await person.page.goto(server + form.format(token), wait_until="load")
            assert person.page.url == f"{server}/?step=password"


@pytest.mark.parametrize(("locale", "title", "advice"), EXPLAINED, ids=["fr", "en"])
async def test_link_without_its_token_offers_advice(
    browser: Browser, server: str, locale: str, title: str, advice: str
) -> None:
    """A link without its token leads to the advice to copy all of it, or to ask for another, right there."""
    async with visitor(browser, server, locale=locale) as person:
        await person.page.goto("about:blank")  # The first link differs from the first page by its fragment alone.
        for form in CUT:
            await person.page.goto(server + form)
            await person.is_at("resend")
            await expect(person.step("resend"), form).to_contain_text(title)
            await expect(person.step("resend"), form).to_contain_text(advice)
            assert person.page.url == f"{server}/?step=resend"
        await person.fill(email=DETAILS["email"])
        await person.press()
        await expect(person.step("resend").locator(".notice")).to_contain_text(DETAILS["email"])
        await person.looks_right(f"link-cut-{locale}")


async def test_truncated_token_is_called_invalid(browser: Browser, server: str, mailed_link: MailedLink) -> None:
    """A link without its end is called invalid, and the page offers a whole one."""
    truncated = (await mailed_link())[:-6]
    async with visitor(browser, server, address=f"/#token={truncated}") as person:
        await person.is_at("resend")
        await expect(person.step("resend")).to_contain_text("Ce lien n’est pas valable")
        await expect(person.step("resend")).to_contain_text("copiez le lien en entier")


@pytest.mark.parametrize(("locale", "words"), [("fr-FR", "arrivé incomplet"), ("en-GB", "arrived incomplete")])
async def test_link_without_a_fragment_offers_another(browser: Browser, server: str, locale: str, words: str) -> None:
    """A link without its fragment leads to the first page, which says how to get a new link."""
    async with visitor(browser, server, locale=locale) as person:
        await expect(person.step("welcome")).to_contain_text(words)
        await person.step("welcome").get_by_role("link").last.click()
        await person.is_at("resend")


async def test_skip_link_is_no_activation_link(browser: Browser, server: str) -> None:
    """The page's own fragment changes nothing."""
    async with visitor(browser, server, address="/#content") as person:
        await person.is_at("welcome")
