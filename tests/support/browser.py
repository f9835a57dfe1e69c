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
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]  # It ships no types.
from playwright.async_api import async_playwright, expect

from api.http.connections import BoundedProtocol, Bounds
from api.server.processes import UVICORN
from tests.support.applications import build_cheap_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page
    from starlette.types import ASGIApp

    from api.captcha.challenge import CaptchaProvider
    from api.settings.environment import Settings
    from tests.support.doubles import Clock

CHROMIUM = [
    "--no-sandbox",  # Chromium has no sandbox for root.
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--renderer-process-limit=1",  # The pages of one profile share one: a start is dear.
]
SHUTDOWN_SECONDS = 5
PHONE, DESKTOP = 320, 1280
# Axe can't inspect a frame that runs no scripts, such as the one that shows a mail.
AXE_OPTIONS: dict[str, Any] = {"resultTypes": ["violations"], "iframes": False}
# What passed would take longer to hand over than to find.
AXE_RUN = """
async options => {
  const { violations } = await axe.run(options);
  return violations.map(({ id, nodes }) => [id, nodes.map(node => node.target)]);
}
"""

expect.set_options(timeout=20_000)  # A busy machine shows pages more slowly.


@asynccontextmanager
async def serving(app: ASGIApp, bounds: Bounds = BoundedProtocol.bounds) -> AsyncIterator[str]:
    """Serve *app* over a real socket, as `guichet serve` does, and yield its URL without a slash at the end."""
    protocol = type("Protocol", (UVICORN["http"],), {"bounds": bounds})
    options = {**UVICORN, "http": protocol, "timeout_graceful_shutdown": SHUTDOWN_SECONDS}
    config = uvicorn.Config(app, **options)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@pytest.fixture
def bounds() -> Bounds:
    """Return the bounds of production. A test that parametrizes *bounds* is served with its own."""
    return BoundedProtocol.bounds


@pytest.fixture
async def server(settings: Settings, clock: Clock, captcha: CaptchaProvider, bounds: Bounds) -> AsyncIterator[str]:
    """Serve the application of a test and yield its URL without a slash at the end."""
    async with serving(build_cheap_app(settings, clock=clock, captcha=captcha), bounds) as url:
        yield url


@pytest.fixture(scope="session")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    """Start the system's Chromium without a window, which opens a page in a third of the time."""
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield launched
        await launched.close()


@asynccontextmanager
async def visiting(
    browser: Browser, url: str, *, width: int = DESKTOP, height: int = 800, tolerated: str = "", **options: Any
) -> AsyncIterator[Page]:
    """Open a page at *url* in a fresh browser profile; *options* are those of Playwright's contexts.

    After the block, fail if the page asked another server for anything, or if the browser reported a problem, such as
    a script error or a breach of the Content-Security-Policy. Reports that contain *tolerated* don't count.
    """
    complaints: list[str] = []
    origin = "/".join(url.split("/")[:3]) + "/"
    context = await browser.new_context(viewport={"width": width, "height": height}, **options)
    try:
        context.on("request", lambda sent: None if _is_local(sent.url, origin) else complaints.append(sent.url))
        context.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        context.on("weberror", lambda thrown: complaints.append(str(thrown.error)))
        page = await context.new_page()
        await page.goto(url)
        yield page
    finally:
        for open_page in context.pages:
            await open_page.unroute_all(behavior="ignoreErrors")  # A test may end before the last answer arrives.
        await context.close()
    unexpected = [complaint for complaint in complaints if not (tolerated and tolerated in complaint)]
    assert unexpected == [], unexpected


async def axe_violations(page: Page) -> list[str]:
    """Return the accessibility rules that *page* breaks now, each with the elements that break it."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    broken: list[list[Any]] = await page.evaluate(AXE_RUN, AXE_OPTIONS)
    return [f"{rule}: {json.dumps(targets)}" for rule, targets in broken]


def _is_local(url: str, origin: str) -> bool:
    """Return True if fetching *url* asks no server but the one at *origin*."""
    return url.startswith((origin, "data:", "blob:", "about:"))
