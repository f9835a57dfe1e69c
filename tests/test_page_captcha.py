"""The reference page in a real browser: the captcha, seen, heard, missed and expired."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from models.registration import Registration
from tests.support.databases import sqlite_only
from tests.support.visitor import visitor

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.support.doubles import Clock, KnownCaptcha

pytestmark = [pytest.mark.anyio, sqlite_only]


async def test_wrong_answers_bring_new_pictures_until_none_is_left(
    browser: Browser, server: str, captcha: KnownCaptcha
) -> None:
    """Each wrong answer shows the attempts left; after the last, one press registers the same input again."""
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
        picture = await person.page.locator("#captcha-picture").get_attribute("src")
        await person.page.go_back()
        await expect(person.page.locator("#captcha-picture")).not_to_have_attribute("src", picture or "")
        await person.is_at("captcha")
        await person.answer(captcha.answer)
        await person.is_at("sent")
    assert await Registration.all().count() == 2


async def test_captcha_can_be_heard(browser: Browser, server: str, captcha: KnownCaptcha) -> None:
    """The sound belongs to the picture on the page, and can be repeated; its answer opens the way."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        await expect(person.page.locator("#captcha-picture")).to_have_attribute("alt", re.compile(r"\w{5}"))
        await person.page.get_by_role("button", name="Écouter").click()
        sound = person.page.locator("#captcha-sound")
        await expect(sound).to_be_visible()
        await expect(sound).to_have_js_property("error", None)
        assert (
            await sound.evaluate(
                "e => new Promise(r => e.duration ? r(e.duration) : e.ondurationchange = () => r(e.duration))"
            )
            > 1
        )
        await person.answer(captcha.answer)
        await person.is_at("sent")


async def test_expired_registration_is_restarted_by_one_press(
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
    """The page announces the end of a picture's time, and shows another at once."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        await expect(person.page.locator("#captcha-deadline")).to_contain_text(re.compile(r"\d\d:\d\d"))
        clock.advance(minutes=11)
        await person.answer(captcha.answer)
        await person.has_problem("answer", "plus valable")
        await person.answer(captcha.answer)
        await person.is_at("sent")


async def test_problem_of_an_old_captcha_is_not_shown_for_a_new_one(
    browser: Browser, server: str, captcha: KnownCaptcha
) -> None:
    """The problem of an answer to one registration is not shown for the next."""
    async with visitor(browser, server) as person:
        await person.reach_captcha()
        await person.answer(captcha.wrong_answer)
        await person.has_problem("answer")
        await person.page.go_back()
        await person.field("organisation.name").fill("Exemple SARL")
        await person.press()
        await person.is_at("captcha")
        await expect(person.field("answer")).not_to_have_attribute("aria-invalid", "true")
        await expect(person.page.locator("#captcha-title")).to_be_focused()
