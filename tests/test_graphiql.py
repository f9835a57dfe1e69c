"""GraphiQL: a page for developers, whose files are part of the package."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

import api
from api.settings.environment import Environment, Settings
from tests.support.applications import build_cheap_app
from tests.support.browser import DESKTOP, PHONE, visiting
from tests.support.client import client_of
from tests.support.databases import sqlite_only

if TYPE_CHECKING:
    import httpx
    from playwright.async_api import Browser

pytestmark = [pytest.mark.anyio, sqlite_only]

AS_A_BROWSER = {"Accept": "text/html,*/*;q=0.8"}
VENDOR = Path(api.__file__).parent / "pages/files/graphiql/vendor"
NODE_MODULES = Path(__file__).parent / "node/node_modules"
ORIGINALS = {
    "graphiql.min.js": "graphiql/graphiql.min.js",
    "graphiql.min.css": "graphiql/graphiql.min.css",
    "react.production.min.js": "react/umd/react.production.min.js",
    "react-dom.production.min.js": "react-dom/umd/react-dom.production.min.js",
    "graphiql.LICENSE": "graphiql/LICENSE",
    "react.LICENSE": "react/LICENSE",
    "react-dom.LICENSE": "react-dom/LICENSE",
}


async def test_all_files_of_the_page_come_from_this_server(http: httpx.AsyncClient) -> None:
    """Each file of the page is served here, under `/graphiql/`, with the media type that browsers require."""
    page = await http.get("/graphql", headers=AS_A_BROWSER)
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    answers = {file: await http.get(file) for file in files if not file.startswith("data:")}
    assert {answer.status_code for answer in answers.values()} == {200}
    assert {Path(file).suffix: answer.headers["content-type"] for file, answer in answers.items()} == {
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
    }


@pytest.mark.parametrize("path", ["/graphql", "/graphiql/"])
async def test_policy_of_the_page_allows_its_own_scripts_only(http: httpx.AsyncClient, path: str) -> None:
    """The Content-Security-Policy allows no foreign, inline or evaluated script."""
    response = await http.get(path, headers=AS_A_BROWSER)
    parts = response.headers["content-security-policy"].strip("; ").split(";")
    policy = dict(part.strip().split(" ", 1) for part in parts)
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_caches_do_not_store_the_page(http: httpx.AsyncClient) -> None:
    """No cache stores the page, because programs get other answers at its address."""
    response = await http.get("/graphql", headers=AS_A_BROWSER)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["vary"] == "Accept"


async def test_production_does_not_serve_graphiql(settings: Settings) -> None:
    """In production there is nothing under `/graphiql`."""
    production = settings.replace(environment=Environment.PRODUCTION)
    async with client_of(build_cheap_app(production)) as client:
        paths = ["/graphiql", "/graphiql/", "/graphiql/graphiql.js", "/graphiql/vendor/graphiql.min.js"]
        assert {(await client.get(path, headers=AS_A_BROWSER)).status_code for path in paths} == {404}


async def test_files_equal_those_of_the_npm_packages(http: httpx.AsyncClient) -> None:
    """Each file equals, byte for byte, that of the npm package pinned in `package-lock.json`."""
    assert {file.name for file in VENDOR.iterdir()} == {*ORIGINALS, "README.md"}
    if not NODE_MODULES.is_dir():
        pytest.skip("node_modules is missing: run npm ci --ignore-scripts --prefix tests/node")
    for ours, theirs in ORIGINALS.items():
        served = (await http.get(f"/graphiql/vendor/{ours}")).content
        assert (ours, sha256(served).hexdigest()) == (ours, sha256((NODE_MODULES / theirs).read_bytes()).hexdigest())


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
async def test_example_query_runs_without_the_internet(
    server: str, browser: Browser, width: int, color_scheme: str
) -> None:
    """The query on the page is answered, in the language of the headers below it."""
    async with visiting(browser, f"{server}/graphql", width=width, color_scheme=color_scheme, locale="fr") as page:
        await page.get_by_role("button", name="Execute query").click()
        answer = page.get_by_label("Result Window")
        await expect(answer).to_contain_text('"code": "ORGANISATION_NOT_FOUND"')
        await expect(answer).to_contain_text('"label": "European Union, outside France"')


async def test_headers_survive_a_reload(server: str, browser: Browser) -> None:
    """After a reload, the headers still request the chosen language."""
    async with visiting(browser, f"{server}/graphql", locale="fr") as page:
        await page.get_by_role("button", name="Execute query").click()
        await page.reload()
        await page.get_by_role("button", name="Execute query").click()
        await expect(page.get_by_label("Result Window")).to_contain_text("European Union, outside France")


async def test_explorer_and_dialogs_of_graphiql_work(server: str, browser: Browser) -> None:
    """The explorer can load the schema within the limits on documents, and dialogs open."""
    async with visiting(browser, f"{server}/graphql") as page:
        await page.get_by_role("button", name="Show Documentation Explorer").click()
        await page.get_by_role("link", name="Mutation").click()
        await expect(page.get_by_role("link", name="activateAccount", exact=True)).to_be_visible()
        await page.get_by_role("button", name="Open settings dialog").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
