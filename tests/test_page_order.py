"""The reference page in a real browser: in any order of actions, each takes effect exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from models.account import Account
from models.outbox import OutboxMessage
from models.registration import Registration
from tests.support.client import OTHER_SIRET, PASSWORD
from tests.support.databases import sqlite_only
from tests.support.visitor import CUT, DETAILS, lose, visitor

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route

    from tests.support.doubles import KnownCaptcha
    from tests.support.visitor import NewestLink

pytestmark = [pytest.mark.anyio, sqlite_only]


# --- Each action takes effect once ---


async def test_double_clicks_have_no_second_effect(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """Repeated presses of a button make one registration, two mails and one account."""
    async with visitor(browser, server) as person:
        await person.reach_organisation()
        await person.fill_organisation()
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
    """A request whose answer was lost takes effect once when it is repeated."""
    async with visitor(browser, server, tolerated=CUT) as person:
        await person.reach_organisation()
        await person.fill_organisation()

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
    """After going back and correcting the address, the mails come to the new one."""
    async with visitor(browser, server) as person:
        await person.sign_up(captcha)
        await person.step("sent").get_by_role("link", name="Corriger").click()
        await person.give_details(email="juste@exemple.fr", emailConfirmation="juste@exemple.fr")
        await person.press()
        await person.is_at("captcha")
        await person.answer(captcha.answer)
        await expect(person.step("sent")).to_contain_text("juste@exemple.fr")
    assert {registration.email for registration in await Registration.all()} == {DETAILS["email"], "juste@exemple.fr"}


# --- Any order of actions ---


async def test_late_answer_does_not_move_the_person(browser: Browser, server: str) -> None:
    """A person who goes back during sending can go on writing there; the sent form is not lost."""
    async with visitor(browser, server) as person:
        await person.reach_organisation()
        await person.fill_organisation()
        held = await person.hold("CreateAccount")
        await person.press()
        await held.arrived.wait()
        await person.page.go_back()
        await person.is_at("details")
        held.go_on.set()
        await person.page.wait_for_timeout(500)
        await person.is_at("details")
        await person.press()
        await person.is_at("organisation")
        await person.press()
        await person.is_at("captcha")
    assert await Registration.all().count() == 1


async def test_corrected_address_gets_the_mails_by_each_way_forward(
    browser: Browser, server: str, captcha: KnownCaptcha
) -> None:
    """An address corrected on the way back gets the mails, by each way forward."""
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


async def test_address_of_the_mails_is_shown_after_a_lost_answer(
    browser: Browser, server: str, captcha: KnownCaptcha
) -> None:
    """The page names the registered address, even if another one was entered since."""
    async with visitor(browser, server, tolerated=CUT) as person:
        await person.reach_captcha()
        await person.fill(answer=captcha.answer)

        await person.page.route("**/graphql", lose, times=1)
        await person.press()
        await expect(person.step("captcha").locator(".notice")).to_contain_text("ne répond pas")
        await person.page.reload()
        await expect(person.step("sent")).to_contain_text(DETAILS["email"])


async def test_second_person_finds_an_empty_form(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """After activation, nothing of the account is left in the page, and another sign-up can begin."""
    async with visitor(browser, server) as person:
        await person.sign_up(captcha)
        token = await newest_link()
        await person.paste_link(token)
        await person.choose_password(PASSWORD)
        await person.is_at("active")
        assert DETAILS["email"] not in await person.page.evaluate("JSON.stringify({...sessionStorage})")
        await person.page.go_back()
        await person.is_at("welcome")
        await person.begin()
        for name in DETAILS:
            await expect(person.field(name)).to_have_value("")
        await expect(person.field("acceptTerms")).not_to_be_checked()
        await person.give_details(email="b@exemple.fr", emailConfirmation="b@exemple.fr")


async def test_activation_for_somebody_else_leaves_the_form(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """Opening a colleague's link in the tab of a sign-up loses nothing of it."""
    async with visitor(browser, server) as person:
        await person.sign_up(captcha)
        token = await newest_link()
        await person.step("sent").get_by_role("link", name="Corriger").click()
        await person.fill(email="b@exemple.fr")
        await person.activate(token)
        await person.page.goto(f"{server}/?step=details")
        await expect(person.field("email")).to_have_value("b@exemple.fr")


async def test_fields_filled_by_a_password_manager_count(browser: Browser, server: str) -> None:
    """Values that a password manager sets without an event count."""
    async with visitor(browser, server) as person:
        await person.begin()
        for name, value in DETAILS.items():
            await person.field(name).evaluate("(field, value) => { field.value = value }", value)
        await person.field("acceptTerms").check()
        await person.press()
        await person.is_at("organisation")


async def test_another_link_can_be_requested_after_a_used_one(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """The message about one link disappears when a person asks for another."""
    async with visitor(browser, server) as person:
        await person.sign_up(captcha)
        token = await newest_link()
        await person.activate(token)
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
    """Passwords disappear after a cancellation, or when another link overtakes."""
    async with visitor(browser, server) as person:
        await person.sign_up(captcha)
        token = await newest_link()
        await person.open_link(token)
        await person.fill(password=PASSWORD)
        await person.step("password").get_by_role("link", name="Annuler").click()
        await person.is_at("welcome")
        assert await person.page.locator("#new-password").input_value() == ""
        await person.page.go_back()
        await person.is_at("password")
        await person.fill(password=PASSWORD)
        await person.paste_link(token)
        await expect(person.field("password")).to_have_value("")


async def test_unknown_link_state_is_shown_by_its_message(browser: Browser, server: str) -> None:
    """The state of a link that the page does not know is shown in the service's words."""
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


async def test_picture_can_be_answered_after_too_many_renewals(
    browser: Browser, server: str, captcha: KnownCaptcha
) -> None:
    """After too many pictures, the current one can still be answered."""
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


async def test_captcha_of_another_form_does_not_come_back(browser: Browser, server: str, captcha: KnownCaptcha) -> None:
    """After another form is sent, the captcha of the first is gone, even if the answer was lost."""
    async with visitor(browser, server, tolerated=CUT) as person:
        await person.reach_captcha()
        await person.page.go_back()
        await person.page.go_back()
        await person.give_details(email="juste@exemple.fr", emailConfirmation="juste@exemple.fr")

        await person.page.route("**/graphql", lose, times=1)
        await person.press()
        await expect(person.step("organisation").locator(".notice")).to_contain_text("ne répond pas")
        await person.page.goto(f"{server}/?step=captcha")
        await person.is_at("organisation")
        await person.press()
        await person.is_at("captcha")
        await person.answer(captcha.answer)
        await expect(person.step("sent")).to_contain_text("juste@exemple.fr")


async def test_late_answer_to_another_captcha_changes_nothing(
    browser: Browser, server: str, captcha: KnownCaptcha
) -> None:
    """A late answer to an earlier form neither ends nor replaces the newer one."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        held = await person.hold("VerifyCaptcha")
        await person.answer(captcha.wrong_answer)
        await held.arrived.wait()
        await person.page.go_back()
        await person.field("organisation.name").fill("Exemple SARL")
        await person.press()
        await person.is_at("captcha")
        picture = await person.page.locator("#captcha-picture").get_attribute("src")
        held.go_on.set()
        await person.page.wait_for_timeout(500)
        await expect(person.page.locator("#captcha-picture")).to_have_attribute("src", picture or "")
        await expect(person.field("answer")).not_to_have_attribute("aria-invalid", "true")
        await person.answer(captcha.answer)
        await person.is_at("sent")


async def test_late_activation_does_not_replace_another_link(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """A second link opened during the use of the first stays, with its own token."""
    async with visitor(browser, server) as person:
        tokens = []
        for email in ("a@exemple.fr", "b@exemple.fr"):
            await person.page.goto(server)
            await person.sign_up(captcha, email=email, emailConfirmation=email)
            tokens.append(await newest_link())
        await person.open_link(tokens[0])
        await person.is_at("password")
        held = await person.hold("ActivateAccount")
        await person.choose_password(PASSWORD)
        await held.arrived.wait()
        await person.paste_link(tokens[1])
        await expect(person.step("password")).to_contain_text("b@exemple.fr")
        held.go_on.set()
        await person.page.wait_for_timeout(500)
        await person.is_at("password")
        await person.choose_password("Autre-Nuage-Clair-7")
        await person.is_at("active")
    assert await Account.all().count() == 2


async def test_late_answer_is_labelled_with_its_own_language(
    browser: Browser, server: str, captcha: KnownCaptcha
) -> None:
    """Words requested in French are read out as French, even after a switch to English."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        held = await person.hold("VerifyCaptcha")
        await person.answer(captcha.wrong_answer)
        await held.arrived.wait()
        await person.page.get_by_role("button", name="English").click()
        await expect(person.page.locator("html")).to_have_attribute("lang", "en")
        held.go_on.set()
        await person.has_problem("answer", "caractères")
        await expect(person.page.locator("#answer-problem")).to_have_attribute("lang", "fr")
        await expect(person.page.locator("#captcha-picture")).to_have_attribute("lang", "fr")
        await person.answer(captcha.wrong_answer)
        await person.has_problem("answer", "characters")
        await expect(person.page.locator("#answer-problem")).to_have_attribute("lang", "en")


async def test_name_is_sent_before_the_look_up_is_answered(browser: Browser, server: str) -> None:
    """After a reload, the name is there and is sent, before the page knows whether it is needed."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        await person.page.reload()
        await person.is_at("captcha")
        await person.page.go_back()
        await person.is_at("organisation")
        await person.page.evaluate("document.querySelector('#organisation-form button[type=submit]').click()")
        await person.is_at("captcha")
    assert await Registration.all().count() == 1


async def test_next_person_sees_nothing_of_the_previous_one(
    browser: Browser, server: str, captcha: KnownCaptcha, newest_link: NewestLink
) -> None:
    """Neither the address for another link nor the activated account is shown to the next person."""
    async with visitor(browser, server) as person:
        await person.sign_up(captcha)
        await person.page.goto(f"{server}/?step=resend")
        await person.fill(email=DETAILS["email"])
        await person.activate(await newest_link())
        await person.page.goto(f"{server}/?step=resend")
        await expect(person.field("email")).to_have_value("")
        await person.page.goto(server)
        await person.reach_organisation(email="b@exemple.fr", emailConfirmation="b@exemple.fr")
        await person.give_organisation(siret=OTHER_SIRET)
        await person.page.goto(f"{server}/?step=active")
        await person.is_at("welcome")
