"""A real browser, and the application on a real socket, for tests of pages."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # It ships no types.
from playwright.async_api import async_playwright, expect

from api.app import build_app
from api.server.processes import UVICORN
from tests.support.hashing import CHEAP_HASHER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page
    from starlette.types import ASGIApp

    from api.captcha.challenge import CaptchaProvider
    from api.settings.environment import Settings
    from tests.support.doubles import Clock

CHROMIUM = [
    "--no-sandbox",  # Which root has none of.
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SHUTDOWN_SECONDS = 5
PHONE, DESKTOP = 320, 1280
# Axe can't look into a frame that runs no script, as the one that shows a mail.
AXE_OPTIONS: dict[str, Any] = {"resultTypes": ["violations"], "iframes": False}

expect.set_options(timeout=20_000)  # What is shown in a moment may take longer where many tests run.


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """Where *app* is served, as `guichet serve` does it, over a real socket: its URL, without a slash at the end."""
    config = uvicorn.Config(app, **{**UVICORN, "timeout_graceful_shutdown": SHUTDOWN_SECONDS})
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@pytest.fixture
async def server(settings: Settings, clock: Clock, captcha: CaptchaProvider) -> AsyncIterator[str]:
    """Where the application of a test is served: its URL, without a slash at the end."""
    async with serving(build_app(settings, clock=clock, captcha=captcha, hasher=CHEAP_HASHER)) as url:
        yield url


@pytest.fixture(scope="session")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    """Chromium, as the system has it: without a window, it takes a third of the time to open a page."""
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield launched
        await launched.close()


@asynccontextmanager
async def visiting(
    browser: Browser, url: str, *, width: int = DESKTOP, height: int = 800, bearing: str = "", **options: Any
) -> AsyncIterator[Page]:
    """A page at *url*, in a browser that knows nothing yet; *options* are those of Playwright's contexts.

    In the end, nothing was asked of another server, and the browser had nothing to complain about: no error in a
    script, no breach of a Content-Security-Policy. What has *bearing* in it is borne: a connection that a test cuts.
    """
    complaints: list[str] = []
    origin = "/".join(url.split("/")[:3]) + "/"
    context = await browser.new_context(viewport={"width": width, "height": height}, **options)
    try:
        context.on("request", lambda asked: None if _is_of(asked.url, origin) else complaints.append(asked.url))
        context.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        context.on("weberror", lambda thrown: complaints.append(str(thrown.error)))
        page = await context.new_page()
        await page.goto(url)
        yield page
    finally:
        for open_page in context.pages:
            await open_page.unroute_all(behavior="ignoreErrors")  # A test may end before the last answer has come.
        await context.close()
    not_borne = [complaint for complaint in complaints if not (bearing and bearing in complaint)]
    assert not_borne == [], not_borne


async def axe_violations(page: Page) -> list[str]:
    """What axe finds wrong with *page* as it stands: for each, the rule and where."""
    results = await Axe().run(page, options=AXE_OPTIONS)
    return [
        f"{violation['id']}: {json.dumps([node['target'] for node in violation['nodes']])}"
        for violation in results.response["violations"]
    ]


def _is_of(url: str, origin: str) -> bool:
    """Whether *url* asks nobody but the server at *origin*."""
    return url.startswith((origin, "data:", "blob:", "about:"))
