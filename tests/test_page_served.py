"""`guichet serve` and a browser, as a developer uses them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.client import PASSWORD
from tests.support.program import Guichet
from tests.support.visitor import Visitor, visitor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser

pytestmark = pytest.mark.anyio


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[str]:
    """The URL of `guichet serve`, with its own mailbox and a known captcha."""
    guichet = Guichet(tmp_path, CAPTCHA="fixed:ABC123")
    assert (await asyncio.to_thread(guichet.run, "migrate")).code == 0
    with guichet.serving() as process:
        yield process.url


async def test_sign_up_needs_only_guichet_serve_and_a_browser(browser: Browser, service: str) -> None:
    """`guichet serve` alone is enough: the mails come to its mailbox page, and their link leads to the password."""
    async with visitor(browser, service) as person:
        await person.reach_captcha()
        await person.answer("abc 123")
        await person.is_at("sent")
        await person.page.get_by_role("link", name="boîte aux lettres").click()
        mails = person.page.get_by_role("navigation", name="Mails")  # The first mail may be alone for a while.
        await mails.get_by_role("link", name="Activez votre compte").click()
        async with person.page.expect_popup() as opened:
            await person.page.frame_locator("iframe").get_by_role("link", name="Activer ce compte").click()
        activating = Visitor(await opened.value, service)
        await activating.is_at("password")
        assert "token" not in activating.page.url
        await activating.choose_password(PASSWORD)
        await activating.is_at("active")
