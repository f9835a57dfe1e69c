"""The reference page in a real browser: waiting, failing and refused, accessible to all."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.async_api import expect

from models.organisation import OrganisationStatus
from models.registration import Registration
from tests.support.applications import build_cheap_app
from tests.support.browser import serving, visiting
from tests.support.client import OTHER_SIRET, PASSWORD, SIRET
from tests.support.databases import sqlite_only
from tests.support.register import register
from tests.support.visitor import CUT, DETAILS, Visitor, visitor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Route

    from api.settings.environment import Settings
    from tests.support.doubles import Clock, KnownCaptcha
    from tests.support.visitor import NewestLink

pytestmark = [pytest.mark.anyio, sqlite_only]

CLOSED_SIRET = "55208131766522"


# --- Every state ---


@dataclass(frozen=True)
class Look:
    """A screen, a colour scheme and a language. 320 pixels are also a desktop at a zoom of 400 %."""

    name: str
    width: int
    color_scheme: Literal["light", "dark"]
    locale: str

    @property
    def options(self) -> dict[str, Any]:
        return {"width": self.width, "color_scheme": self.color_scheme, "locale": self.locale}


LOOKS = (
    Look("small-light-fr", 320, "light", "fr-FR"),
    Look("phone-dark-en", 390, "dark", "en-GB"),
    Look("desktop-light-en", 1280, "light", "en-GB"),
    Look("desktop-dark-fr", 1280, "dark", "fr-FR"),
)
every_look = pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)


@every_look
async def test_each_state_of_the_form_is_accessible(browser: Browser, server: str, look: Look) -> None:
    """Axe finds nothing on any state of the form, and nothing is cut off."""
    await register(OTHER_SIRET, name="LA POSTE", city="PARIS")
    await register(CLOSED_SIRET, status=OrganisationStatus.CLOSED)
    async with visitor(browser, server, **look.options) as person:
        await person.looks_right(f"welcome-{look.name}")
        await person.begin()
        await person.looks_right(f"details-{look.name}")
        await person.press()
        await person.looks_right(f"details-problems-{look.name}")
        await person.give_details()
        await person.looks_right(f"organisation-{look.name}")
        for name, siret, shown in (
            ("known", OTHER_SIRET, "#finding .name"),
            ("closed", CLOSED_SIRET, "#finding.bad"),
            ("mistyped", "73282932000075", "#identifier-problem"),
            ("unknown", SIRET, "#organisation-name"),
        ):
            await person.field("organisation.identifier.value").fill(siret)
            await expect(person.page.locator(shown)).to_be_visible()
            await person.looks_right(f"organisation-{name}-{look.name}")
        await person.press()
        await person.looks_right(f"organisation-problem-{look.name}")


@every_look
async def test_each_state_of_the_captcha_is_accessible(
    browser: Browser, server: str, clock: Clock, captcha: KnownCaptcha, look: Look
) -> None:
    """Axe finds nothing on any state of the captcha, and nothing is cut off."""
    async with visitor(browser, server, **look.options) as person:
        await person.reach_captcha()
        await person.looks_right(f"captcha-{look.name}")
        await person.answer(captcha.wrong_answer)
        await person.has_problem("answer")
        await person.looks_right(f"captcha-problem-{look.name}")
        await person.page.locator("#captcha-listen").click()
        await expect(person.page.locator("#captcha-sound")).to_be_visible()
        await person.looks_right(f"captcha-sound-{look.name}")
        clock.advance(minutes=31)
        await person.answer(captcha.answer)
        await person.is_at("restart")
        await person.looks_right(f"restart-{look.name}")
        await person.press()
        await person.is_at("captcha")
        await person.answer(captcha.answer)
        await person.is_at("sent")
        await person.looks_right(f"sent-{look.name}")
        await person.press()
        await expect(person.step("sent").locator(".notice")).to_contain_text(DETAILS["email"])
        await person.looks_right(f"sent-again-{look.name}")


@every_look
async def test_each_state_of_the_activation_is_accessible(
    browser: Browser, server: str, clock: Clock, captcha: KnownCaptcha, newest_link: NewestLink, *, look: Look
) -> None:
    """Axe finds nothing on any state of the activation, and nothing is cut off."""
    async with visitor(browser, server, **look.options) as person:
        await person.sign_up(captcha)
        token = await newest_link()
        await person.open_link(token)
        await person.is_at("password")
        await person.looks_right(f"password-{look.name}")
        await person.fill(password="durand")
        await expect(person.page.locator("#password-suggestions")).to_be_visible()
        await person.looks_right(f"password-weak-{look.name}")
        await person.choose_password(PASSWORD, "Soleil")
        await person.page.locator("#password-reveal").click()
        await expect(person.page.locator("#password-rules .kept")).to_have_count(4)
        await person.looks_right(f"password-problem-{look.name}")
        await person.page.reload()
        await person.is_at("resend")
        await person.looks_right(f"link-lost-{look.name}")
        await person.open_link("nonsense")
        await person.is_at("resend")
        await person.looks_right(f"link-unknown-{look.name}")
        await person.activate(token)
        await person.looks_right(f"active-{look.name}")
        await person.open_link(token)
        await person.is_at("resend")
        await person.looks_right(f"link-used-{look.name}")
        await person.page.goto(f"{server}/?step=resend")
        await person.is_at("resend")
        await person.looks_right(f"resend-{look.name}")


@every_look
async def test_each_failure_is_accessible(browser: Browser, server: str, look: Look) -> None:
    """Axe finds nothing on any failure, and nothing is cut off."""
    async with visitor(browser, server, tolerated=CUT, **look.options) as person:
        await person.page.context.set_offline(True)
        await person.step("welcome").get_by_role("link").first.click()
        await expect(person.page.locator("#waiting-retry")).to_be_visible()
        await expect(person.step("waiting")).to_have_css("opacity", "1")
        await person.looks_right(f"waiting-offline-{look.name}")
        await person.page.context.set_offline(False)
        await person.give_details()
        for name, answering, siret in (("haste", hasty, SIRET), ("failure", failing, OTHER_SIRET)):
            await person.page.route("**/graphql", answering)
            await person.field("organisation.identifier.value").fill(siret)
            await expect(person.page.locator("#finding .quiet")).to_be_visible()
            await person.field("organisation.name").fill("Exemple SA")
            await person.press()
            await expect(person.step("organisation").locator(".notice.bad")).to_be_visible()
            await person.looks_right(f"organisation-{name}-{look.name}")
            await person.page.unroute("**/graphql")
            await person.page.reload()
            await person.is_at("organisation")
        await person.page.route("**/graphql", failing)
        await person.page.reload()
        await expect(person.page.locator("#waiting-retry")).to_be_visible()
        await person.looks_right(f"waiting-failure-{look.name}")
        await person.page.route("**/graphql", lambda _: None)
        await person.page.reload()
        await expect(person.page.locator("#waiting-mark")).to_be_visible()
        await expect(person.step("waiting")).to_have_css("opacity", "1")
        await person.looks_right(f"waiting-{look.name}")


@every_look
async def test_page_without_javascript_says_what_it_needs(browser: Browser, server: str, look: Look) -> None:
    """Without scripts, the page says so in both languages, and shows nothing that does not work."""
    async with visiting(
        browser, server, width=look.width, color_scheme=look.color_scheme, java_script_enabled=False
    ) as page:
        await Visitor(page, server).looks_right(f"no-javascript-{look.name}", axe=False)
        for words in ("Activez JavaScript", "Turn on JavaScript"):
            await expect(page.locator("noscript p, noscript h1", has_text=words)).to_be_visible()
        await expect(page.locator("button:visible, section:visible")).to_have_count(0)


# --- Slow, offline, failing or rate-limited ---


async def hasty(route: Route) -> None:
    """Answer as the service does after too many requests."""
    refusal = {
        "__typename": "TooManyRequests",
        "code": "TOO_MANY_REQUESTS",
        "message": "Trop de demandes.",
        "retryAfterSeconds": 75,
    }
    await route.fulfill(json={"data": {"field": refusal}})


async def failing(route: Route) -> None:
    """Answer as the service does after a failure."""
    error = {"message": "Internal error.", "extensions": {"reference": "5f0c"}}
    await route.fulfill(json={"errors": [error], "data": None})


@pytest.fixture
async def filled(browser: Browser, server: str) -> AsyncIterator[Visitor]:
    """Fill in the form, up to sending it."""
    async with visitor(browser, server, tolerated=CUT) as person:
        await person.reach_organisation()
        await person.stop_time()
        await person.field("organisation.identifier.value").fill(SIRET)
        await person.page.clock.run_for(1_000)
        await person.field("organisation.name").fill("Exemple SA")
        yield person


async def test_countdown_pauses_the_page_and_resumes(filled: Visitor) -> None:
    """After too many requests, the page counts down, sends nothing meanwhile, and then goes on."""
    notice = filled.step("organisation").locator(".notice")
    await filled.page.route("**/graphql", hasty, times=1)
    await filled.press()
    await expect(notice).to_contain_text("75 secondes")
    await expect(notice.locator(".countdown")).to_have_text("1:15")
    asked = filled.asked("CreateAccount")
    await filled.field("organisation.name").press("Enter")
    await filled.page.clock.run_for(10_000)
    await expect(notice.locator(".countdown")).to_have_text("1:05")
    assert filled.asked("CreateAccount") == asked
    await filled.page.evaluate("document.querySelector('#organisation-form .notice').replaceChildren()")
    await filled.field("organisation.name").press("Enter")
    await expect(notice.locator(".countdown")).to_have_text("1:05")
    await filled.page.clock.run_for(66_000)
    await expect(notice).to_contain_text("Vous pouvez réessayer")
    await filled.press()
    await filled.is_at("captcha")


async def test_slow_answer_is_announced_as_slow(filled: Visitor) -> None:
    """The button turns, assistive technology hears that the form is busy, and words follow after a while."""
    go_on = asyncio.Event()

    async def slow(route: Route) -> None:
        await go_on.wait()
        await route.continue_()

    await filled.page.route("**/graphql", slow)
    await filled.press()
    form = filled.page.locator("#organisation-form")
    await expect(form).to_have_attribute("aria-busy", "true")
    await filled.page.clock.run_for(8_500)
    await expect(form.locator(".notice")).to_contain_text("plus de temps que d’habitude")
    go_on.set()
    await filled.is_at("captcha")
    await expect(form).to_have_attribute("aria-busy", "false")


async def test_offline_form_keeps_its_input_and_continues(filled: Visitor) -> None:
    """Without a connection nothing is lost; with one, the same press takes effect once."""
    await filled.page.context.set_offline(True)
    await filled.press()
    await expect(filled.step("organisation").locator(".notice")).to_contain_text("hors connexion")
    await filled.page.context.set_offline(False)
    await filled.press()
    await filled.is_at("captcha")
    assert await Registration.all().count() == 1


async def test_step_appears_once_the_connection_is_back(browser: Browser, server: str) -> None:
    """A page that could not be shown offers another try, and tries itself when the connection is back."""
    async with visitor(browser, server, tolerated=CUT) as person:
        await person.page.context.set_offline(True)
        await person.step("welcome").get_by_role("link").first.click()
        await person.is_at("waiting")
        await expect(person.page.locator("#waiting-title")).to_be_focused()
        await expect(person.page).to_have_title("La page n’a pas pu s’afficher – Guichet")
        await person.page.locator("#waiting-retry").click()
        await person.is_at("waiting")
        await person.page.context.set_offline(False)
        await person.is_at("details")


async def test_lost_request_is_repeated_when_the_connection_is_back(browser: Browser, server: str) -> None:
    """A lost request is tried again when the connection is back, even if its loss is noticed only then."""

    async def come_back_first(route: Route) -> None:
        await person.page.context.set_offline(True)
        await person.page.context.set_offline(False)
        await person.page.wait_for_function("window.cameBack")
        await route.abort()

    async with visitor(browser, server, tolerated=CUT) as person:
        await person.page.evaluate("addEventListener('online', () => { window.cameBack = true })")
        await person.page.route("**/graphql", come_back_first, times=1)
        await person.begin()


async def test_internal_error_shows_its_reference(filled: Visitor) -> None:
    """A person can quote the reference, under which the log has the rest."""
    await filled.page.route("**/graphql", failing, times=1)
    await filled.press()
    await expect(filled.step("organisation").locator(".notice")).to_contain_text("5f0c")
    await filled.press()
    await filled.is_at("captcha")


@pytest.mark.parametrize("body", ["<html>Bad gateway</html>", "null", "[]", "{}"])
async def test_answers_of_proxies_are_shown_as_failures(filled: Visitor, body: str) -> None:
    """A proxy's page, or any answer that is not GraphQL, breaks nothing."""

    async def interfere(route: Route) -> None:
        await route.fulfill(body=body)

    await filled.page.route("**/graphql", interfere, times=1)
    await filled.press()
    await expect(filled.step("organisation").locator(".notice")).to_contain_text("rencontré une erreur")


async def test_unknown_refusal_is_shown_by_its_message(filled: Visitor) -> None:
    """A member of a union that the page does not know is shown in the service's words."""
    refusal = {"__typename": "PortalClosed", "code": "PORTAL_CLOSED", "message": "Le portail est fermé."}

    async def refuse(route: Route) -> None:
        await route.fulfill(json={"data": {"createAccount": refusal}})

    await filled.page.route("**/graphql", refuse, times=1)
    await filled.press()
    await expect(filled.step("organisation").locator(".notice")).to_contain_text("Le portail est fermé.")


async def test_rate_limited_step_appears_after_its_countdown(
    browser: Browser, settings: Settings, clock: Clock, captcha: KnownCaptcha
) -> None:
    """If a link can't be judged yet, the page counts down and asks again by itself."""
    few = settings.replace(rate_limits="inspectActivationLink=1/minute")
    async with serving(build_cheap_app(few, clock=clock, captcha=captcha)) as base, visitor(browser, base) as person:
        await person.open_link("nonsense")
        await person.is_at("resend")
        await person.page.clock.install()
        await person.open_link("nonsense")
        await person.is_at("waiting")
        await expect(person.page.locator("#waiting-text")).to_contain_text(re.compile(r"\d:\d\d"))
        asked = person.asked("InspectActivationLink")
        async with person.page.expect_request("**/graphql"):
            await person.page.clock.run_for(61_000)
        await person.page.wait_for_timeout(200)
        assert person.asked("InspectActivationLink") == asked + 1


async def test_steps_can_not_be_skipped(browser: Browser, server: str) -> None:
    """An address opened too early leads to the first step that is not done."""
    async with visitor(browser, server) as person:
        for step, shown in {
            "organisation": "details",
            "captcha": "details",
            "sent": "welcome",
            "password": "resend",
            "active": "welcome",
            "nowhere": "welcome",
        }.items():
            await person.page.goto(f"{server}/?step={step}")
            await person.is_at(shown)
        await person.page.goto(f"{server}/?step=details")
        await person.fill(**DETAILS)
        await person.page.goto(f"{server}/?step=captcha")
        await person.is_at("details")


RUBBISH = ("null", "[]", '"text"', "{", '{"fields": null}', '{"fields": {"email": 3}}', '{"__proto__": {"fields": 1}}')


@pytest.mark.parametrize("kept", RUBBISH)
async def test_foreign_data_in_the_storage_does_no_harm(browser: Browser, server: str, kept: str) -> None:
    """The sign-up works with any foreign data in the storage."""
    async with visitor(browser, server) as person:
        await person.page.evaluate(
            "kept => { sessionStorage['guichet.draft'] = kept; localStorage['guichet.language'] = kept }", kept
        )
        await person.page.reload()
        await person.reach_captcha()


async def test_page_works_without_storage(browser: Browser, server: str, captcha: KnownCaptcha) -> None:
    """Without storage, the page forgets more, and works."""
    async with visitor(browser, server) as person:
        await person.page.add_init_script(
            "for (const kind of ['sessionStorage', 'localStorage'])"
            " Object.defineProperty(window, kind, { get() { throw new DOMException('forbidden') } })"
        )
        await person.page.reload()
        await person.sign_up(captcha)


async def test_title_shows_the_step_and_problems(browser: Browser, server: str) -> None:
    """The title shows the step, for people with many windows or without sight."""
    async with visitor(browser, server) as person:
        await expect(person.page).to_have_title("Créez votre compte – Guichet")
        await person.begin()
        await expect(person.page).to_have_title("Informations personnelles – étape 1 sur 4 – Guichet")
        await person.press()
        await expect(person.page).to_have_title("Erreur – Informations personnelles – étape 1 sur 4 – Guichet")
        await expect(person.page.locator("#announcement")).to_have_text("5 champs sont à corriger")
        await person.give_details()
        await expect(person.page).to_have_title("Informations sur l’organisation – étape 2 sur 4 – Guichet")
