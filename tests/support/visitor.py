"""A person who uses the reference page in a browser."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.async_api import expect

from tests.support.browser import DESKTOP, axe_violations, visiting
from tests.support.client import PASSWORD, SIRET, Portal, token_in, with_link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from playwright.async_api import Browser, Locator, Page, Request, Route

    from api.mail.relay import Relay
    from tests.support.doubles import KnownCaptcha, Letterbox

    NewestLink = Callable[[], Awaitable[str]]
    MailedLink = Callable[..., Awaitable[str]]

SCREENSHOTS = Path(".ci/artefacts/screens")
DETAILS = {
    "email": "camille.durand@exemple.fr",
    "emailConfirmation": "camille.durand@exemple.fr",
    "firstName": "Camille",
    "lastName": "Durand",
}
CUT = "net::ERR"  # The browser's report of a connection that a test cuts.


async def lose(route: Route) -> None:
    """Let the service do what it is asked, but lose its answer."""
    await route.fetch()
    await route.abort()


class Held:
    """A route that holds back the answers to *operation* until a test releases them."""

    def __init__(self, operation: str) -> None:
        self.arrived, self.go_on = asyncio.Event(), asyncio.Event()
        self._operation = operation

    async def __call__(self, route: Route) -> None:
        answer = await route.fetch()
        if self._operation in (route.request.post_data or ""):
            self.arrived.set()
            await self.go_on.wait()
        await route.fulfill(response=answer)


class Visitor:
    """One person at the page, and each step that they can take."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.operations: list[str] = []
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        name = re.match(r"\s*(?:query|mutation) (\w+)", (request.post_data_json or {}).get("query", ""))
        if name is not None:
            self.operations.append(name[1])

    def asked(self, operation: str) -> int:
        """Return how often the page has sent *operation*."""
        return self.operations.count(operation)

    def step(self, name: str) -> Locator:
        return self.page.locator(f"#{name}")

    async def is_at(self, name: str) -> None:
        """Check that the step *name* is shown, and no other."""
        await expect(self.step(name)).to_be_visible()
        await expect(self.page.locator("main > section:visible")).to_have_count(1)

    def field(self, name: str) -> Locator:
        """Return the field *name* of the current step."""
        return self.page.locator(f'main > section:not([hidden]) [name="{name}"]')

    async def has_problem(self, name: str, text: str | re.Pattern[str] = "") -> None:
        """Check that the field *name* shows a problem and names it to assistive technology."""
        field = self.field(name)
        await expect(field).to_have_attribute("aria-invalid", "true")
        problem = self.page.locator(f"#{await field.get_attribute('id')}-problem")
        await expect(problem).to_be_visible()
        await expect(problem).to_contain_text(text or re.compile(r"\S"))
        described_by = await field.get_attribute("aria-describedby") or ""
        assert await problem.get_attribute("id") in described_by.split()

    async def fill(self, **values: str) -> None:
        for name, value in values.items():
            await self.field(name).fill(value)

    async def press(self, *, times: int = 1) -> None:
        """Press the button of the current form."""
        await self.page.locator("main > section:not([hidden]) button[type=submit]").click(click_count=times)

    async def begin(self) -> None:
        """Go from the first page to the form."""
        await self.step("welcome").get_by_role("link").first.click()
        await self.is_at("details")

    async def give_details(self, **changes: str) -> None:
        await self.fill(**DETAILS | changes)
        await self.field("acceptTerms").check()
        await self.press()
        await self.is_at("organisation")

    async def reach_organisation(self, **details: str) -> None:
        await self.begin()
        await self.give_details(**details)

    async def fill_organisation(self, siret: str = SIRET, name: str = "Exemple SA") -> None:
        """Name an organisation that nobody knows."""
        await self.field("organisation.identifier.value").fill(siret)
        await self.field("organisation.name").fill(name)

    async def give_organisation(self, siret: str = SIRET, name: str = "Exemple SA") -> None:
        await self.fill_organisation(siret, name)
        await self.press()
        await self.is_at("captcha")

    async def reach_captcha(self, **details: str) -> None:
        await self.reach_organisation(**details)
        await self.give_organisation()

    async def answer(self, answer: str) -> None:
        await self.fill(answer=answer)
        await self.press()

    async def sign_up(self, captcha: KnownCaptcha, **details: str) -> None:
        """Sign up until two mails are promised."""
        await self.reach_captcha(**details)
        await self.answer(captcha.answer)
        await self.is_at("sent")

    async def open_link(self, token: str) -> None:
        """Open the activation link of a mail in the same tab."""
        if self.page.url.partition("#")[0] == f"{self.base}/":
            await self.page.goto("about:blank")  # Else only the fragment would change, and nothing would load.
        await self.page.goto(f"{self.base}/#token={token}")

    async def paste_link(self, token: str) -> None:
        """Open the activation link in the current page, of whose address only the fragment changes."""
        await self.page.evaluate("token => { location.hash = `token=${token}` }", token)

    async def choose_password(self, password: str, confirmation: str | None = None) -> None:
        await self.fill(password=password, passwordConfirmation=password if confirmation is None else confirmation)
        await self.press()

    async def activate(self, token: str, password: str = PASSWORD) -> None:
        """Go from the link to the active account."""
        await self.open_link(token)
        await self.choose_password(password)
        await self.is_at("active")

    async def stop_time(self) -> None:
        """Stop the page's time until a test moves it."""
        await self.page.clock.install()
        now = await self.page.evaluate("Date.now()")
        await self.page.clock.pause_at(now / 1_000 + 30)  # Playwright can stop it only at a future time.

    async def hold(self, operation: str) -> Held:
        """Hold back the answers to *operation* from now on."""
        held = Held(operation)
        await self.page.route("**/graphql", held)
        return held

    async def looks_right(self, name: str, *, axe: bool = True) -> None:
        """Take a screenshot, and check that the page is accessible and needs no sideways scrolling."""
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
        assert not axe or await axe_violations(self.page) == [], name
        assert await self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        empty = "[...document.querySelectorAll('.notice:empty')].every(notice => notice.offsetHeight === 0)"
        assert await self.page.evaluate(empty), name


@asynccontextmanager
async def visitor(
    browser: Browser, base: str, *, width: int = DESKTOP, tolerated: str = "", address: str = "/", **options: Any
) -> AsyncIterator[Visitor]:
    """Open the page as a visitor, in French unless *options* say otherwise."""
    look: dict[str, Any] = {"locale": "fr-FR"} | options
    async with visiting(browser, f"{base}{address}", width=width, tolerated=tolerated, **look) as page:
        yield Visitor(page, base)


@pytest.fixture
def newest_link(relay: Relay, letterbox: Letterbox) -> NewestLink:
    """Return a function that delivers the mails and returns the token in the newest link."""

    async def token() -> str:
        await relay.deliver_due()
        return token_in(with_link(letterbox.messages)[-1])

    return token


@pytest.fixture
def mailed_link(server: str, captcha: KnownCaptcha, relay: Relay, letterbox: Letterbox) -> MailedLink:
    """Return a function that signs up without the page, with changes of the form, and returns the token of the link."""

    async def token(**changes: str) -> str:
        async with httpx.AsyncClient(base_url=server, verify=False) as http:  # noqa: S501  # Nothing is encrypted.
            portal = Portal(http, captcha=captcha, relay=relay, letterbox=letterbox)
            return await portal.activation_token(**changes)

    return token
