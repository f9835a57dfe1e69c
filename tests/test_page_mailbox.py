"""The mailbox page of development, in a real browser: its contents, and its protection against mails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.async_api import expect

from api.delivery import build_relay
from api.settings.environment import Settings
from tests.support.applications import build_cheap_app
from tests.support.browser import DESKTOP, PHONE, axe_violations, serving, visiting
from tests.support.client import CREATE_ACCOUNT, VERIFY_CAPTCHA, form
from tests.support.databases import sqlite_only
from tests.support.letters import Deliver, letter, messages_of

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator, Page, Route

pytestmark = [pytest.mark.anyio, sqlite_only]

Test = Callable[..., Awaitable[None]]
HOSTILE = """<html><head><title>x</title><meta http-equiv="refresh" content="0;url={elsewhere}/gone">
<script>document.documentElement.textContent = "It ran."</script></head>
<body onload="document.body.textContent = 'It ran.'"><p>Bonjour</p><img src="{elsewhere}/seen.png">
<img src="x" onerror="document.body.textContent = 'It ran.'"></body></html>"""


def in_all_shapes(test: Test) -> Test:
    """Open the page on a phone and on a desktop, light and dark."""
    in_both_colours = pytest.mark.parametrize("color_scheme", ["light", "dark"])(test)
    marked: Test = pytest.mark.parametrize("width", [PHONE, DESKTOP])(in_both_colours)
    return marked


def rows(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Mails").get_by_role("link")


def subject(page: Page) -> Locator:
    return page.get_by_role("article").get_by_role("heading")


def content(page: Page) -> Locator:
    """Return the text in the frame for a mail without HTML."""
    return page.frame_locator("iframe").locator("pre")


@asynccontextmanager
async def no_polling(page: Page) -> AsyncIterator[None]:
    """Keep the page from polling during the block, so that changes show at once afterwards."""
    looking, go_on = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        looking.set()
        await go_on.wait()
        await route.continue_()

    await page.route("**/mailbox/messages", hold)
    await looking.wait()  # No previous request is under way.
    yield
    go_on.set()


async def assert_accessible(page: Page) -> None:
    """Check that axe finds nothing, and that nothing reaches beyond the window."""
    assert await axe_violations(page) == []
    edges = "[...document.querySelectorAll('body *')].map(element => element.getBoundingClientRect().right)"
    assert await page.evaluate(f"Math.max(...{edges}) <= innerWidth")


@in_all_shapes
async def test_an_empty_mailbox_leads_to_the_sign_up(
    server: str, browser: Browser, width: int, color_scheme: str
) -> None:
    """Without mails, the page leads to the sign-up."""
    async with visiting(browser, f"{server}/mailbox/", width=width, color_scheme=color_scheme) as page:
        await expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()
        await expect(page.get_by_role("link", name="Sign up", exact=True)).to_have_attribute("href", "/")
        await expect(page.get_by_role("article")).to_be_hidden()
        await assert_accessible(page)


@in_all_shapes
async def test_a_mail_is_shown_as_html_and_as_text(
    server: str, browser: Browser, deliver: Deliver, width: int, color_scheme: str
) -> None:
    """The newest mail is shown first, as HTML; a switch shows its text, with working links."""
    link = f"{server}/#token={'abc' * 14}"
    await deliver(letter("older"), letter(text=f"Open:\n{link}\n", html="<p>Bonjour</p>"))
    async with visiting(browser, f"{server}/mailbox/", width=width, color_scheme=color_scheme) as page:
        await expect(subject(page)).to_have_text("Activez votre compte")
        await expect(page.frame_locator("iframe").locator("p")).to_have_text("Bonjour")
        await assert_accessible(page)
        await page.get_by_role("button", name="Text").click()
        await expect(page.locator("iframe")).to_be_hidden()
        await expect(page.get_by_role("link", name=link)).to_have_attribute("href", link)
        await expect(page.get_by_role("button", name="Text")).to_have_attribute("aria-pressed", "true")
        await assert_accessible(page)
        await rows(page).last.click()
        await expect(subject(page)).to_have_text("older")
        await expect(page.get_by_text("Bonjour à tous")).to_be_visible()
        await page.get_by_role("button", name="HTML").click()
        await expect(content(page)).to_have_text("Bonjour à tous\n")


@in_all_shapes
async def test_new_mails_appear_without_a_reload(
    server: str, browser: Browser, deliver: Deliver, width: int, color_scheme: str
) -> None:
    """A new mail is announced and marked; the chosen one, and the keyboard, stay where they are."""
    await deliver(letter("first"), letter("second"))
    async with visiting(browser, f"{server}/mailbox/", width=width, color_scheme=color_scheme) as page:
        await rows(page).last.focus()
        await page.keyboard.press("Enter")
        await expect(subject(page)).to_have_text("first")
        async with no_polling(page):
            await deliver(letter("third"), letter("fourth"))
        await expect(rows(page)).to_have_count(4)
        await expect(page.get_by_role("status")).to_contain_text("2 new mails")
        await expect(page.get_by_role("status")).to_contain_text("fourth · third")
        await expect(page).to_have_title("(2) Mailbox · Guichet")
        await expect(rows(page).first.get_by_role("img", name="New")).to_be_visible()
        await expect(subject(page)).to_have_text("first")
        await expect(rows(page).last).to_be_focused()
        await expect(rows(page).last).to_have_attribute("aria-current", "true")
        await assert_accessible(page)
        await rows(page).first.click()
        await expect(page).to_have_title("(1) Mailbox · Guichet")
        await expect(rows(page).first.get_by_role("img", name="New")).to_be_hidden()


async def test_a_mail_has_its_own_address(server: str, browser: Browser, deliver: Deliver) -> None:
    """The address of a chosen mail leads to it, and Back to the one before."""
    await deliver(*(letter(name, text=name) for name in ("first", "second", "third")))
    async with visiting(browser, f"{server}/mailbox/") as page:
        await expect(content(page)).to_have_text("third\n")
        await rows(page).nth(1).click()
        await expect(content(page)).to_have_text("second\n")
        address = page.url
        await rows(page).nth(2).click()
        await expect(content(page)).to_have_text("first\n")
        await page.go_back()
        await expect(subject(page)).to_have_text("second")
    async with visiting(browser, address) as page:
        await expect(subject(page)).to_have_text("second")


async def test_deleted_mails_disappear(server: str, browser: Browser, deliver: Deliver, mail_folder: Path) -> None:
    """When mails are deleted, the newest remaining one is shown, and in the end none."""
    await deliver(letter("first", text="first"), letter("second", text="second"))
    first, second = sorted((mail_folder / "new").iterdir(), key=lambda file: b"second" in file.read_bytes())
    async with visiting(browser, f"{server}/mailbox/") as page:
        await expect(content(page)).to_have_text("second\n")
        second.unlink()
        await expect(content(page)).to_have_text("first\n")
        first.unlink()
        await expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()


async def test_links_of_a_mail_open_a_new_tab(server: str, browser: Browser, deliver: Deliver) -> None:
    """The page of a link, which refuses frames, opens in a tab of its own, with the token."""
    await deliver(letter(html=f'<p><a href="{server}/#token=abc">Activate</a></p>'))
    async with visiting(browser, f"{server}/mailbox/") as page:
        async with page.context.expect_page() as opening:
            await page.frame_locator("iframe").get_by_role("link", name="Activate").click()
        opened = await opening.value
        await opened.wait_for_load_state()
        assert opened.url.startswith(f"{server}/")
        assert await opened.evaluate("typeof fetch") == "function"
        assert await opened.evaluate("opener") is None


@pytest.mark.parametrize("framed", [True, False])
async def test_a_mail_can_neither_run_nor_load_anything(
    server: str, browser: Browser, deliver: Deliver, framed: bool
) -> None:
    """Scripts, remote pictures and redirections of a mail have no effect, in the page or at its own address."""
    elsewhere = server.replace("127.0.0.1", "localhost")
    await deliver(letter(html=HOSTILE.format(elsewhere=elsewhere)))
    async with httpx.AsyncClient(base_url=server) as client:
        (listed,) = await messages_of(client)
    page = await browser.new_page()
    answered: list[str] = []
    page.on("response", lambda response: answered.append(response.url))
    await page.goto(f"{server}/mailbox/" if framed else f"{server}/mailbox/messages/{listed['id']}")
    greeting = page.frame_locator("iframe").locator("p") if framed else page.locator("p")
    await expect(greeting).to_have_text("Bonjour")
    await page.wait_for_timeout(500)
    await expect(greeting).to_have_text("Bonjour")
    assert [url for url in answered if url.startswith(elsewhere)] == []
    await page.close()


async def test_a_hidden_page_does_not_poll(server: str, browser: Browser) -> None:
    """Polling stops while the page is hidden, and resumes at once when it is visible."""
    hide = "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
    hide += " document.dispatchEvent(new Event('visibilitychange')) }"
    async with visiting(browser, f"{server}/mailbox/") as page:
        await expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()
        await page.evaluate(hide, True)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.wait_for_timeout(2_000)
        assert asked == []
        async with page.expect_request("**/mailbox/messages"):
            await page.evaluate(hide, False)
        assert set(asked) == {f"{server}/mailbox/messages"}


async def test_an_unreachable_server_is_reported(settings: Settings, browser: Browser) -> None:
    """When the server doesn't answer, the page says so, and keeps asking."""
    page = await browser.new_page()
    async with serving(build_cheap_app(settings)) as url:
        await page.goto(f"{url}/mailbox/")
        await expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()
    await expect(page.get_by_role("status")).to_have_text("The server doesn’t answer. Still trying…")
    await page.close()


async def test_both_mails_of_a_sign_up_appear(settings: Settings, browser: Browser) -> None:
    """Both mails of a real sign-up appear on the open page, in any order."""
    settings = settings.replace(captcha="fixed:ABC123")
    async with (
        serving(build_cheap_app(settings)) as url,
        visiting(browser, f"{url}/mailbox/") as page,
        httpx.AsyncClient(base_url=url, headers={"Accept-Language": "en"}, timeout=30) as client,
    ):
        await expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()
        created = await client.post("/graphql", json={"query": CREATE_ACCOUNT, "variables": {"input": form()}})
        typed = {"registrationId": created.json()["data"]["createAccount"]["id"], "answer": "ABC123"}
        await client.post("/graphql", json={"query": VERIFY_CAPTCHA, "variables": {"input": typed}})
        await build_relay(settings).deliver_due()
        await expect(rows(page)).to_have_count(2)
        await rows(page).filter(has_text="Activate your account").click()
        await expect(subject(page)).to_have_text("Activate your account")
        await expect(page.frame_locator("iframe").get_by_role("link", name="Activate this account")).to_be_visible()
