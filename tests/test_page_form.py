"""The reference page in a real browser: the two forms, their refusals, and where these are shown."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from models.organisation import OrganisationStatus
from models.registration import Registration
from tests.support.applications import build_cheap_app
from tests.support.browser import serving
from tests.support.client import OTHER_SIRET, PASSWORD, SIRET
from tests.support.databases import sqlite_only
from tests.support.register import register
from tests.support.visitor import CUT, DETAILS, visitor

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route

    from api.settings.environment import Settings
    from tests.support.doubles import Clock, KnownCaptcha
    from tests.support.visitor import NewestLink

pytestmark = [pytest.mark.anyio, sqlite_only]

LA_POSTE = "35600000000048"


# --- The form ---


async def test_all_empty_fields_are_reported_at_once(browser: Browser, server: str) -> None:
    """Every empty field has its problem, the first gets the focus, and the summary leads to each."""
    async with visitor(browser, server) as person:
        await person.begin()
        await person.press()
        for name in (*DETAILS, "acceptTerms"):
            await person.has_problem(name)
        await expect(person.field("email")).to_be_focused()
        await expect(person.field("phone")).not_to_have_attribute("aria-invalid", "true")
        summary = person.step("details").locator(".summary")
        await expect(summary.get_by_role("link")).to_have_count(5)
        await summary.get_by_role("link", name=re.compile("^Nom")).click()
        await expect(person.field("lastName")).to_be_focused()
        await person.is_at("details")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("email", "camille", "pas valable"),
        ("emailConfirmation", "autre@exemple.fr", "pas les mêmes"),
        ("contactEmail", "camille@", "pas valable"),
    ],
)
async def test_addresses_are_checked_before_the_next_step(
    browser: Browser, server: str, field: str, value: str, words: str
) -> None:
    """A mistake that the browser can see is shown before the next step."""
    async with visitor(browser, server) as person:
        await person.begin()
        await person.fill(**DETAILS | {field: value})
        await person.field("acceptTerms").check()
        await person.press()
        await person.has_problem(field, words)
        await person.is_at("details")


async def test_problem_of_a_previous_step_leads_back_to_it(browser: Browser, server: str) -> None:
    """A problem that only the service finds lands under its field, on any step; after a correction, the way goes on."""
    async with visitor(browser, server) as person:
        await person.reach_organisation(phone="123", lastName="voir exemple.fr")
        await person.fill_organisation()
        await person.press()
        await person.is_at("details")
        await person.has_problem("lastName")
        await person.has_problem("phone", "06 12 34 56 78")
        await expect(person.field("lastName")).to_be_focused()
        await person.give_details(phone="06 12 34 56 78")
        await person.press()
        await person.is_at("captcha")


async def test_changed_terms_are_shown_for_acceptance(browser: Browser, server: str) -> None:
    """A person who agreed to outdated terms is shown the new ones, and agrees or not."""
    async with visitor(browser, server) as person:

        async def older(route: Route) -> None:
            answer = await (await route.fetch()).text()
            await route.fulfill(body=answer.replace("2026-01", "2025-01"), content_type="application/json")

        await person.page.route("**/graphql", older, times=1)
        await person.reach_organisation()
        await person.fill_organisation()
        await person.press()
        await person.is_at("details")
        await person.has_problem("acceptTerms")
        await expect(person.field("acceptTerms")).not_to_be_checked()
        await person.field("acceptTerms").check()
        await person.press()
        await person.is_at("organisation")
        await person.press()
        await person.is_at("captcha")
    assert (await Registration.get()).terms_version == "2026-01"


# --- The organisation ---


@pytest.mark.parametrize(
    ("status", "name", "words"),
    [
        (OrganisationStatus.ACTIVE, "EXEMPLE SA", "EXEMPLE SA"),
        (OrganisationStatus.ACTIVE, None, "gestionnaire"),
        (OrganisationStatus.CLOSED, "EXEMPLE SA", "fermé"),
    ],
)
async def test_organisation_is_found_while_typing(
    browser: Browser, server: str, status: OrganisationStatus, name: str | None, words: str
) -> None:
    """The register's entry is shown under the field, and its name is not asked for."""
    await register(status=status, name=name)
    async with visitor(browser, server) as person:
        await person.reach_organisation()
        await person.field("organisation.identifier.value").press_sequentially("732 829 320 00074", delay=20)
        await expect(person.page.locator("#finding")).to_contain_text(words)
        await expect(person.field("organisation.name")).to_be_hidden()
        await person.press()
        if status is OrganisationStatus.CLOSED:
            await person.has_problem("organisation.identifier.value", "fermé")
            await person.is_at("organisation")
        else:
            await person.is_at("captcha")


async def test_second_person_reads_that_a_manager_decides(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """The second person of an organisation reads, while entering it, that a manager will decide. The account agrees."""
    async with visitor(browser, server) as first:
        await first.sign_up(captcha)
        await first.open_link(await newest_link())
        await first.choose_password(PASSWORD)
        await expect(first.step("active")).to_contain_text("Vous êtes le gestionnaire")
    async with visitor(browser, server) as second:
        await second.reach_organisation(email="b@exemple.fr", emailConfirmation="b@exemple.fr")
        await second.field("organisation.identifier.value").fill(SIRET)
        await expect(second.page.locator("#finding")).to_contain_text("déjà sur le portail")
        await expect(second.field("organisation.name")).to_be_hidden()
        await second.press()
        await expect(second.step("captcha")).to_contain_text("déjà sur le portail")
        await second.answer(captcha.answer)
        await second.is_at("sent")
        await second.open_link(await newest_link())
        await second.choose_password("Autre-Nuage-Clair-7")
        await expect(second.step("active")).to_contain_text("soumise au gestionnaire")


async def test_only_complete_identifiers_are_looked_up_once(browser: Browser, server: str) -> None:
    """Incomplete identifiers are not looked up; complete ones are once, in any spelling."""
    async with visitor(browser, server) as person:
        await person.reach_organisation()
        identifier = person.field("organisation.identifier.value")
        await identifier.fill("732 829 320")
        await person.page.wait_for_timeout(600)
        assert person.asked("FindOrganisation") == 0
        await identifier.press("End")
        await identifier.press_sequentially(" 00075", delay=30)
        await person.has_problem("organisation.identifier.value", "clé de contrôle")
        assert person.asked("FindOrganisation") == 1
        await identifier.press("Backspace")
        await expect(identifier).not_to_have_attribute("aria-invalid", "true")
        await identifier.press("4")
        await expect(person.field("organisation.name")).to_be_visible()
        await identifier.fill("73282932000074")
        await person.page.wait_for_timeout(600)
        assert person.asked("FindOrganisation") == 2


async def test_identifier_of_variable_length_is_checked_on_leaving_the_field(browser: Browser, server: str) -> None:
    """If lengths vary, a wrong check digit is shown only after the person has left the field."""
    async with visitor(browser, server) as person:
        await person.reach_organisation()
        await person.field("organisation.identifier.type").select_option("UE_HORS_FRANCE")
        identifier = person.field("organisation.identifier.value")
        await identifier.press_sequentially("BE042875949")
        await person.page.wait_for_timeout(1_500)
        await expect(identifier).not_to_have_attribute("aria-invalid", "true")
        await identifier.press("Tab")
        await person.has_problem("organisation.identifier.value", "clé de contrôle")
        await identifier.press("End")
        await identifier.press_sequentially("7")
        await expect(person.field("organisation.name")).to_be_visible()
        await expect(identifier).not_to_have_attribute("aria-invalid", "true")


async def test_name_field_stays_while_the_identifier_is_unknown(browser: Browser, server: str) -> None:
    """While an identifier stays unknown, letter by letter, the name field stays, and little is announced."""
    async with visitor(browser, server) as person:
        await person.reach_organisation()
        await person.field("organisation.identifier.type").select_option("HORS_UE")
        identifier = person.field("organisation.identifier.value")
        await identifier.fill("CHNES")
        await expect(person.field("organisation.name")).to_be_visible()
        await person.page.evaluate(
            "window.changes = 0; new MutationObserver(all => changes += all.length)"
            ".observe(document.getElementById('organisation-name-field'), { attributes: true })"
        )
        await person.stop_time()
        for letter in "TLE SA":
            await identifier.press_sequentially(letter)
            await person.page.clock.run_for(50)
        async with person.page.expect_response("**/graphql"):
            await person.page.clock.run_for(1_500)
        await person.page.wait_for_timeout(500)
        assert await person.page.evaluate("changes") <= 2
        assert person.asked("FindOrganisation") == 2


async def test_name_of_another_organisation_is_not_sent(browser: Browser, server: str) -> None:
    """A name entered for another organisation is not sent for a known one, and comes back if needed."""
    await register(LA_POSTE, name=None)
    async with visitor(browser, server) as person:
        await person.reach_organisation()
        identifier, name = person.field("organisation.identifier.value"), person.field("organisation.name")
        await identifier.fill(SIRET)
        await name.fill("nom@exemple")
        await identifier.fill(LA_POSTE)
        await expect(name).to_be_hidden()
        await identifier.fill(SIRET)
        await expect(name).to_have_value("nom@exemple")
        await person.press()
        await person.has_problem("organisation.name")
        await identifier.fill(LA_POSTE)
        await expect(name).to_be_hidden()
        await person.press()
        await person.is_at("captcha")


async def test_refused_field_is_visible_and_has_the_focus(browser: Browser, server: str) -> None:
    """A problem far down the form gets the focus, also during a look-up."""
    async with visitor(browser, server, height=500) as person:
        await person.reach_organisation()
        identifier, name = person.field("organisation.identifier.value"), person.field("organisation.name")
        await identifier.fill(SIRET)
        await identifier.press("Enter")
        await person.has_problem("organisation.name")
        await expect(name).to_be_focused()
        await name.fill("a" * 300)
        await person.press()
        await person.has_problem("organisation.name", "200")
        await expect(name).to_be_in_viewport(ratio=1)


async def test_only_the_newest_look_up_counts(browser: Browser, server: str) -> None:
    """A late answer about a previous input changes nothing."""
    await register(LA_POSTE, name="LA POSTE")
    async with visitor(browser, server, tolerated=CUT) as person:
        await person.reach_organisation()

        go_on = asyncio.Event()

        async def late_for_the_first(route: Route) -> None:
            if SIRET in (route.request.post_data or ""):
                await go_on.wait()
            await route.continue_()

        await person.page.route("**/graphql", late_for_the_first)
        identifier = person.field("organisation.identifier.value")
        await identifier.fill(SIRET)
        await expect(person.page.locator("#finding")).to_contain_text("Recherche")
        await identifier.fill(LA_POSTE)
        await expect(person.page.locator("#finding")).to_contain_text("LA POSTE")
        go_on.set()
        await person.page.wait_for_timeout(1_000)
        await expect(person.page.locator("#finding")).to_contain_text("LA POSTE")


async def test_refused_look_up_does_not_block_the_sign_up(
    browser: Browser, settings: Settings, clock: Clock, captcha: KnownCaptcha
) -> None:
    """When look-ups run out, the page pauses them, takes the name, and the sign-up continues."""
    few = settings.replace(rate_limits="organisation=1/hour")
    async with serving(build_cheap_app(few, clock=clock, captcha=captcha)) as base, visitor(browser, base) as person:
        await person.reach_organisation()
        identifier = person.field("organisation.identifier.value")
        for siret in (SIRET, OTHER_SIRET):
            async with person.page.expect_response("**/graphql"):
                await identifier.fill(siret)
        refused = person.page.locator("#finding").get_by_text("n’a pas pu être recherchée")
        await expect(refused).to_be_visible()
        await identifier.fill("55208131766522")
        await person.page.wait_for_timeout(1_000)
        await expect(refused).to_be_visible()
        assert person.asked("FindOrganisation") == 2
        await person.field("organisation.name").fill("Exemple SA")
        await person.press()
        await person.is_at("captcha")


@pytest.mark.parametrize(("type_", "named"), [("AUTRE", True), ("PARTICULIER", False)])
async def test_private_identifier_is_not_looked_up(browser: Browser, server: str, type_: str, *, named: bool) -> None:
    """The hint follows the type; a private person is asked for no organisation's name."""
    async with visitor(browser, server) as person:
        await person.reach_organisation()
        hint = await person.page.locator("#identifier-hint").text_content()
        await person.field("organisation.identifier.type").select_option(type_)
        await expect(person.page.locator("#identifier-hint")).not_to_have_text(hint or "")
        await person.field("organisation.identifier.value").fill("EN-COURS-2026")
        if named:
            await person.field("organisation.name").fill("Exemple en création")
        else:
            await expect(person.field("organisation.name")).to_be_hidden()
        await person.press()
        await person.is_at("captcha")
        assert person.asked("FindOrganisation") == 0
