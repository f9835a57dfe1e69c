"""The reference page in a real browser: what is refused, where it is said, and that nothing happens twice."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from api.app import build_app
from models.account import Account
from models.organisation import OrganisationStatus
from models.outbox import OutboxMessage
from models.registration import Registration
from tests.browser import serving
from tests.client import OTHER_SIRET, PASSWORD, SIRET
from tests.register import register
from tests.visitor import CUT, DETAILS, visitor

SIGN_IN = "https://portal.example.org/sign-in"

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route

    from api.settings import Settings
    from tests.conftest import Clock, KnownCaptcha
    from tests.visitor import NewestLink

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

OPEN, PARIS = "73282932000074", "35600000000048"


# --- The form ---


async def test_what_is_missing_is_said_at_once(browser: Browser, server: str) -> None:
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
async def test_addresses_are_looked_at_before_the_next_step(
    browser: Browser, server: str, field: str, value: str, words: str
) -> None:
    """A mistake that the browser can see is said before the person goes on."""
    async with visitor(browser, server) as person:
        await person.begin()
        await person.fill(**DETAILS | {field: value})
        await person.field("acceptTerms").check()
        await person.press()
        await person.has_problem(field, words)
        await person.is_at("details")


async def test_problems_of_an_earlier_step_lead_back_to_it(browser: Browser, server: str) -> None:
    """What only the service can judge lands under its field, whatever step it stands on; mended, the way goes on."""
    async with visitor(browser, server) as person:
        await person.begin()
        await person.give_details(phone="123", lastName="voir exemple.fr")
        await person.field("organisation.identifier.value").fill(SIRET)
        await person.field("organisation.name").fill("Exemple SA")
        await person.press()
        await person.is_at("details")
        await person.has_problem("lastName")
        await person.has_problem("phone", "06 12 34 56 78")
        await expect(person.field("lastName")).to_be_focused()
        await person.give_details(phone="06 12 34 56 78")
        await person.press()
        await person.is_at("captcha")


async def test_terms_that_have_changed_are_accepted_anew(browser: Browser, server: str) -> None:
    """A person who agreed to what is no longer asked is shown the new terms, and agrees or not."""
    async with visitor(browser, server) as person:

        async def older(route: Route) -> None:
            answer = await (await route.fetch()).text()
            await route.fulfill(body=answer.replace("2026-01", "2025-01"), content_type="application/json")

        await person.page.route("**/graphql", older, times=1)
        await person.begin()
        await person.give_details()
        await person.field("organisation.identifier.value").fill(SIRET)
        await person.field("organisation.name").fill("Exemple SA")
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
    """What the register knows is said under the field, and its name is not asked for."""
    await register(status=status, name=name)
    async with visitor(browser, server) as person:
        await person.begin()
        await person.give_details()
        await person.field("organisation.identifier.value").press_sequentially("732 829 320 00074", delay=20)
        await expect(person.page.locator("#finding")).to_contain_text(words)
        await expect(person.field("organisation.name")).to_be_hidden()
        await person.press()
        if status is OrganisationStatus.CLOSED:
            await person.has_problem("organisation.identifier.value", "fermé")
            await person.is_at("organisation")
        else:
            await person.is_at("captcha")


async def test_organisation_on_the_portal_is_said_to_be_there(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """Who comes second reads, while typing, that a manager will decide; and the account says the same."""
    async with visitor(browser, server) as first:
        await first.reach_captcha()
        await first.answer(captcha.answer)
        await first.is_at("sent")
        await first.open_link(await newest_link())
        await first.choose_password(PASSWORD)
        await expect(first.step("active")).to_contain_text("Vous êtes le gestionnaire")
    async with visitor(browser, server) as second:
        await second.begin()
        await second.give_details(email="b@exemple.fr", emailConfirmation="b@exemple.fr")
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


async def test_typing_does_not_hammer_the_service(browser: Browser, server: str) -> None:
    """What can't be an identifier yet is not asked; what can is asked once, however it is written."""
    async with visitor(browser, server) as person:
        await person.begin()
        await person.give_details()
        identifier = person.field("organisation.identifier.value")
        await identifier.press_sequentially("732 829 320 00075", delay=30)
        await person.has_problem("organisation.identifier.value", "clé de contrôle")
        assert person.asked("FindOrganisation") == 1
        await identifier.press("Backspace")
        await expect(identifier).not_to_have_attribute("aria-invalid", "true")
        await identifier.press("4")
        await expect(person.field("organisation.name")).to_be_visible()
        await identifier.fill("73282932000074")
        await person.page.wait_for_timeout(600)
        assert person.asked("FindOrganisation") == 2


async def test_number_that_may_go_on_is_no_mistake_yet(browser: Browser, server: str) -> None:
    """Where lengths differ, a check digit is wrong only once the person has left the field."""
    async with visitor(browser, server) as person:
        await person.begin()
        await person.give_details()
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


async def test_name_that_is_asked_for_does_not_blink(browser: Browser, server: str) -> None:
    """While an identifier stays unknown, letter by letter, the field for the name stays, and little is said aloud."""
    async with visitor(browser, server) as person:
        await person.begin()
        await person.give_details()
        await person.field("organisation.identifier.type").select_option("HORS_UE")
        identifier = person.field("organisation.identifier.value")
        await identifier.fill("CHNES")
        await expect(person.field("organisation.name")).to_be_visible()
        await person.page.evaluate(
            "window.changes = 0; new MutationObserver(all => changes += all.length)"
            ".observe(document.getElementById('organisation-name-field'), { attributes: true })"
        )
        await identifier.press_sequentially("TLE SA", delay=50)
        await person.page.wait_for_timeout(1_500)
        assert await person.page.evaluate("changes") <= 2
        assert person.asked("FindOrganisation") == 2


async def test_name_that_is_asked_for_no_more_hinders_nobody(browser: Browser, server: str) -> None:
    """A name that was typed for another organisation is not sent for one that is known, and comes back if needed."""
    await register(PARIS, name="LA POSTE")
    async with visitor(browser, server) as person:
        await person.begin()
        await person.give_details()
        identifier, name = person.field("organisation.identifier.value"), person.field("organisation.name")
        await identifier.fill(SIRET)
        await name.fill("Mon\u202enom")
        await identifier.fill(PARIS)
        await expect(person.page.locator("#finding")).to_contain_text("LA POSTE")
        await expect(name).to_be_hidden()
        await identifier.fill(SIRET)
        await expect(name).to_have_value("Mon\u202enom")
        await person.press()
        await person.has_problem("organisation.name")
        await identifier.fill(PARIS)
        await expect(name).to_be_hidden()
        await person.press()
        await person.is_at("captcha")


async def test_refused_field_is_seen_and_has_the_focus(browser: Browser, server: str) -> None:
    """Whatever the look-up does meanwhile, and however far down the field is, the person is taken to it."""
    async with visitor(browser, server, height=500) as person:
        await person.begin()
        await person.give_details()
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
    """An answer that comes late, to what stands there no more, changes nothing."""
    await register(PARIS, name="LA POSTE")
    async with visitor(browser, server, bearing=CUT) as person:
        await person.begin()
        await person.give_details()

        async def late_for_the_first(route: Route) -> None:
            if OPEN in (route.request.post_data or ""):
                await asyncio.sleep(1)
            await route.continue_()

        await person.page.route("**/graphql", late_for_the_first)
        identifier = person.field("organisation.identifier.value")
        await identifier.fill(OPEN)
        await expect(person.page.locator("#finding")).to_contain_text("Recherche")
        await identifier.fill(PARIS)
        await expect(person.page.locator("#finding")).to_contain_text("LA POSTE")
        await person.page.wait_for_timeout(1_000)
        await expect(person.page.locator("#finding")).to_contain_text("LA POSTE")


async def test_look_up_that_is_refused_hinders_nobody(
    browser: Browser, settings: Settings, clock: Clock, captcha: KnownCaptcha
) -> None:
    """Out of look-ups, the page asks no more for a while, takes the name, and the sign-up goes on."""
    few = settings.model_copy(update={"rate_limits": "organisation=1/hour"})
    async with serving(build_app(few, clock=clock, captcha=captcha)) as base, visitor(browser, base) as person:
        await person.begin()
        await person.give_details()
        identifier = person.field("organisation.identifier.value")
        for siret in (SIRET, OTHER_SIRET, "55208131766522"):
            await identifier.fill(siret)
            await expect(person.field("organisation.name")).to_be_visible()
            await person.page.wait_for_timeout(500)
        assert person.asked("FindOrganisation") == 2
        await expect(person.page.locator("#finding")).to_contain_text("n’a pas pu être recherchée")
        await person.field("organisation.name").fill("Exemple SA")
        await person.press()
        await person.is_at("captcha")


@pytest.mark.parametrize(("type_", "named"), [("AUTRE", True), ("PARTICULIER", False)])
async def test_what_identifies_nobody_is_not_looked_up(
    browser: Browser, server: str, type_: str, *, named: bool
) -> None:
    """The hint follows the type; a private person is asked for no organisation's name."""
    async with visitor(browser, server) as person:
        await person.begin()
        await person.give_details()
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


# --- The captcha ---


async def test_wrong_answers_bring_new_pictures_until_none_is_left(
    browser: Browser, server: str, captcha: KnownCaptcha
) -> None:
    """Each says how many are left; after the last, all that was typed makes another registration at one press."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        for left in (4, 3, 2, 1):
            picture = await person.page.locator("#captcha-picture").get_attribute("src")
            await person.answer(captcha.wrong_answer)
            await person.has_problem("answer", str(left))
            await expect(person.page.locator("#captcha-picture")).not_to_have_attribute("src", picture or "")
            await expect(person.field("answer")).to_have_value("")
            await expect(person.field("answer")).to_be_focused()
        await person.answer(captcha.wrong_answer)
        await person.is_at("restart")
        await expect(person.step("restart")).to_contain_text("essais sont épuisés")
        await person.press()
        await person.is_at("captcha")
        await person.page.go_back()
        await person.is_at("captcha")
        await person.answer(captcha.answer)
        await person.is_at("sent")
    assert await Registration.all().count() == 2


async def test_captcha_can_be_heard(browser: Browser, server: str, captcha: KnownCaptcha) -> None:
    """The sound is of the picture that is then shown, and can be heard again; its answer opens the way."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        await expect(person.page.locator("#captcha-picture")).to_have_attribute("alt", re.compile(r"\w{5}"))
        await person.page.get_by_role("button", name="Écouter").click()
        sound = person.page.locator("#captcha-sound")
        await expect(sound).to_be_visible(timeout=20_000)
        await expect(sound).to_have_js_property("error", None)
        assert (
            await sound.evaluate(
                "e => new Promise(r => e.duration ? r(e.duration) : e.ondurationchange = () => r(e.duration))"
            )
            > 1
        )
        await person.answer(captcha.answer)
        await person.is_at("sent")


async def test_expired_registration_is_taken_up_again(
    browser: Browser, server: str, clock: Clock, captcha: KnownCaptcha
) -> None:
    """After half an hour, the page says so, keeps everything, and one press brings a new picture."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        clock.advance(minutes=31)
        await person.answer(captcha.answer)
        await person.is_at("restart")
        await expect(person.step("restart")).to_contain_text("expiré")
        await person.press()
        await person.is_at("captcha")
        await person.answer(captcha.answer)
        await person.is_at("sent")


async def test_expired_picture_costs_no_attempt(
    browser: Browser, server: str, clock: Clock, captcha: KnownCaptcha
) -> None:
    """The time that a picture has is announced; after it, another one is there at once."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        await expect(person.page.locator("#captcha-deadline")).to_contain_text(re.compile(r"\d\d:\d\d"))
        clock.advance(minutes=11)
        await person.answer(captcha.answer)
        await person.has_problem("answer", "plus valable")
        await person.answer(captcha.answer)
        await person.is_at("sent")


# --- The link, and the password ---


@pytest.mark.parametrize("width", [320, 1280])
async def test_rules_tick_off_while_typing(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink, width: int
) -> None:
    """Each rule is shown as kept or not, the meter follows, and both fields can be looked at."""
    async with visitor(browser, server, width=width) as person:
        await person.reach_captcha()
        await person.answer(captcha.answer)
        await person.is_at("sent")
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
        await person.reach_captcha()
        await person.answer(captcha.answer)
        await person.is_at("sent")
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
        await person.reach_captcha()
        await person.answer(captcha.answer)
        await person.is_at("sent")
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
        await person.open_link(second)
        await person.choose_password(PASSWORD)
        await person.is_at("active")
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
            await person.begin()
            await person.give_details()
            await person.give_organisation(name=name)
            await person.answer(captcha.answer)
            await person.is_at("sent")
            tokens.append(await newest_link())
        await person.open_link(tokens[0])
        await person.choose_password(PASSWORD)
        await person.is_at("active")
        await person.open_link(tokens[1])
        await expect(person.step("resend")).to_contain_text("Ce lien n’est plus utile")


async def test_second_link_in_the_same_page_is_taken(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """A link that is pasted into the address bar of this page is read, and leaves it, as any other."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        await person.answer(captcha.answer)
        await person.is_at("sent")
        token = await newest_link()
        await person.page.evaluate("token => { location.hash = `token=${token}` }", token)
        await person.is_at("password")
        await expect(person.step("password")).to_contain_text("Camille Durand")
        assert token not in person.page.url


# --- Once, whatever happens ---


async def test_double_clicks_have_no_second_effect(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """However often a button is pressed, there is one registration, two mails, and one account."""
    async with visitor(browser, server) as person:
        await person.begin()
        await person.give_details()
        await person.field("organisation.identifier.value").fill(SIRET)
        await person.field("organisation.name").fill("Exemple SA")
        await person.press(times=3)
        await person.is_at("captcha")
        await person.fill(answer=captcha.answer)
        await person.press(times=3)
        await person.is_at("sent")
        assert await Registration.all().count() == 1
        assert await OutboxMessage.all().count() == 2
        await person.open_link(await newest_link())
        await person.fill(password=PASSWORD, passwordConfirmation=PASSWORD)
        await person.press(times=3)
        await person.is_at("active")
    assert await Account.all().count() == 1


async def test_lost_answers_have_no_second_effect(browser: Browser, server: str, captcha: KnownCaptcha) -> None:
    """The service did what it was asked, and the connection broke: asked again, it does not do it again."""
    async with visitor(browser, server, bearing=CUT) as person:
        await person.begin()
        await person.give_details()
        await person.field("organisation.identifier.value").fill(SIRET)
        await person.field("organisation.name").fill("Exemple SA")

        async def lose(route: Route) -> None:
            await route.fetch()
            await route.abort()

        for step, following in (("organisation", "captcha"), ("captcha", "sent")):
            if step == "captcha":
                await person.fill(answer=captcha.answer)
            await person.page.route("**/graphql", lose, times=1)
            await person.press()
            await expect(person.step(step).locator(".notice")).to_contain_text("ne répond pas")
            await person.press()
            await person.is_at(following)
        assert await Registration.all().count() == 1
        assert await OutboxMessage.all().count() == 2


async def test_another_form_is_another_registration(browser: Browser, server: str, captcha: KnownCaptcha) -> None:
    """Who goes back and corrects the address gets the mails at the new one."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        await person.answer(captcha.answer)
        await person.is_at("sent")
        await person.step("sent").get_by_role("link", name="Corriger").click()
        await person.give_details(email="juste@exemple.fr", emailConfirmation="juste@exemple.fr")
        await person.press()
        await person.is_at("captcha")
        await person.answer(captcha.answer)
        await expect(person.step("sent")).to_contain_text("juste@exemple.fr")
    assert {registration.email for registration in await Registration.all()} == {DETAILS["email"], "juste@exemple.fr"}


# --- In whatever order things are done ---


async def test_late_answer_takes_nobody_elsewhere(browser: Browser, server: str) -> None:
    """Who has gone back while the form was being sent goes on typing there; what was sent is not lost."""
    async with visitor(browser, server) as person:
        await person.begin()
        await person.give_details()
        await person.field("organisation.identifier.value").fill(SIRET)
        await person.field("organisation.name").fill("Exemple SA")
        arrived, go_on = asyncio.Event(), asyncio.Event()

        async def hold(route: Route) -> None:
            answer = await route.fetch()
            arrived.set()
            await go_on.wait()
            await route.fulfill(response=answer)

        await person.page.route("**/graphql", hold, times=1)
        await person.press()
        await arrived.wait()
        await person.page.go_back()
        await person.is_at("details")
        go_on.set()
        await person.page.wait_for_timeout(500)
        await person.is_at("details")
        await person.press()
        await person.is_at("organisation")
        await person.press()
        await person.is_at("captcha")
    assert await Registration.all().count() == 1


async def test_captcha_of_another_form_does_not_go_on(browser: Browser, server: str, captcha: KnownCaptcha) -> None:
    """An address that was corrected on the way back is the one that the mails go to, however one goes forward."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        await person.page.go_back()
        await person.page.go_back()
        await person.is_at("details")
        await person.fill(email="juste@exemple.fr", emailConfirmation="juste@exemple.fr")
        await person.page.go_forward()
        await person.page.go_forward()
        await person.is_at("organisation")
        await person.press()
        await person.is_at("captcha")
        await person.answer(captcha.answer)
        await expect(person.step("sent")).to_contain_text("juste@exemple.fr")
    assert {message.recipient for message in await OutboxMessage.all()} == {"juste@exemple.fr"}


async def test_where_the_mails_went_is_said_after_a_lost_answer(
    browser: Browser, server: str, captcha: KnownCaptcha
) -> None:
    """The page names the address that was registered, not one that has been typed since."""
    async with visitor(browser, server, bearing=CUT) as person:
        await person.reach_captcha()
        await person.fill(answer=captcha.answer)

        async def lose(route: Route) -> None:
            await route.fetch()
            await route.abort()

        await person.page.route("**/graphql", lose, times=1)
        await person.press()
        await expect(person.step("captcha").locator(".notice")).to_contain_text("ne répond pas")
        await person.page.reload()
        await expect(person.step("sent")).to_contain_text(DETAILS["email"])


async def test_second_person_finds_an_empty_form(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """Once the account is active, nothing of it is left in the page, and another sign-up can begin."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        await person.answer(captcha.answer)
        await person.is_at("sent")
        token = await newest_link()
        await person.page.evaluate("token => { location.hash = `token=${token}` }", token)
        await person.choose_password(PASSWORD)
        await person.is_at("active")
        assert DETAILS["email"] not in await person.page.evaluate("JSON.stringify({...sessionStorage})")
        await person.page.locator(".brand").click()
        await person.begin()
        for name in DETAILS:
            await expect(person.field(name)).to_have_value("")
        await expect(person.field("acceptTerms")).not_to_be_checked()
        await person.give_details(email="b@exemple.fr", emailConfirmation="b@exemple.fr")


async def test_activation_for_somebody_else_leaves_the_form(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """Who opens a colleague's link in the tab of an own sign-up loses nothing of it."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        await person.answer(captcha.answer)
        await person.is_at("sent")
        token = await newest_link()
        await person.step("sent").get_by_role("link", name="Corriger").click()
        await person.fill(email="b@exemple.fr")
        await person.open_link(token)
        await person.choose_password(PASSWORD)
        await person.is_at("active")
        await person.page.goto(f"{server}/?step=details")
        await expect(person.field("email")).to_have_value("b@exemple.fr")


async def test_fields_that_were_filled_in_unnoticed_count(browser: Browser, server: str) -> None:
    """A password manager that sets values without any event is taken at its word."""
    async with visitor(browser, server) as person:
        await person.begin()
        for name, value in DETAILS.items():
            await person.field(name).evaluate("(field, value) => { field.value = value }", value)
        await person.field("acceptTerms").check()
        await person.press()
        await person.is_at("organisation")


async def test_way_to_another_link_is_open_after_a_used_one(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """What was said of one link does not stay when a person asks for another."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        await person.answer(captcha.answer)
        await person.is_at("sent")
        token = await newest_link()
        await person.open_link(token)
        await person.choose_password(PASSWORD)
        await person.is_at("active")
        await person.open_link(token)
        await expect(person.step("resend")).to_contain_text("a déjà servi")
        await person.step("resend").get_by_role("link", name="Revenir").click()
        await person.step("welcome").get_by_role("link", name="Recevoir").click()
        await person.is_at("resend")
        await expect(person.field("email")).to_be_visible()
        await person.fill(email="b@exemple.fr")
        await person.page.reload()
        await expect(person.field("email")).to_have_value("b@exemple.fr")


async def test_passwords_do_not_outlive_their_step(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """Cancelled, or overtaken by another link, what was typed is gone."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        await person.answer(captcha.answer)
        await person.is_at("sent")
        token = await newest_link()
        await person.open_link(token)
        await person.fill(password=PASSWORD)
        await person.step("password").get_by_role("link", name="Annuler").click()
        await person.is_at("welcome")
        assert await person.page.locator("#new-password").input_value() == ""
        await person.page.go_back()
        await person.is_at("password")
        await person.fill(password=PASSWORD)
        await person.page.evaluate("token => { location.hash = `token=${token}` }", token)
        await expect(person.field("password")).to_have_value("")


async def test_state_of_another_time_is_shown_by_its_message(browser: Browser, server: str) -> None:
    """Enums may gain members: a link whose state the page does not know is said in the service's words."""
    link = {"__typename": "ActivationLink", "state": "REVOKED", "email": "a@exemple.fr", "message": "Lien révoqué."}
    async with visitor(browser, server) as person:

        async def answer(route: Route) -> None:
            operation = route.request.post_data or ""
            await (
                route.fulfill(json={"data": {"link": link}})
                if "InspectActivationLink" in operation
                else route.continue_()
            )

        await person.page.route("**/graphql", answer)
        await person.open_link("revoked")
        await expect(person.step("resend")).to_contain_text("Lien révoqué.")
        await expect(person.field("email")).to_have_value("a@exemple.fr")


async def test_limit_on_pictures_does_not_hold_the_answer_back(
    browser: Browser, server: str, captcha: KnownCaptcha
) -> None:
    """Who has asked for too many pictures can still answer the one that is there."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        haste = {"__typename": "TooManyRequests", "code": "TOO_MANY_REQUESTS", "message": "", "retryAfterSeconds": 60}

        async def refuse(route: Route) -> None:
            await route.fulfill(json={"data": {"renewCaptcha": haste}})

        await person.page.route("**/graphql", refuse, times=1)
        await person.page.locator("#captcha-renew").click()
        await expect(person.page.locator("#captcha-renew")).to_have_attribute("aria-disabled", "true")
        await person.answer(captcha.answer)
        await person.is_at("sent")
