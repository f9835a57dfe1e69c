"""GraphiQL: a page for developers, whose files come with the package."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

import api
from api.app import build_app
from api.settings.environment import Environment, Settings
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


async def test_the_page_has_all_its_files_here(http: httpx.AsyncClient) -> None:
    """Whatever the page names is on this server, at `/graphiql/`, of the type that browsers insist on."""
    page = await http.get("/graphql", headers=AS_A_BROWSER)
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    answers = {file: await http.get(file) for file in files if not file.startswith("data:")}
    assert {answer.status_code for answer in answers.values()} == {200}
    assert {Path(file).suffix: answer.headers["content-type"] for file, answer in answers.items()} == {
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
    }


@pytest.mark.parametrize("path", ["/graphql", "/graphiql/"])
async def test_the_page_runs_nothing_but_its_files(http: httpx.AsyncClient, path: str) -> None:
    """Its Content-Security-Policy admits no script of others, none in the page, and none made of text."""
    response = await http.get(path, headers=AS_A_BROWSER)
    parts = response.headers["content-security-policy"].strip("; ").split(";")
    policy = dict(part.strip().split(" ", 1) for part in parts)
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_the_page_is_no_answer_for_programs(http: httpx.AsyncClient) -> None:
    """A cache keeps no page of an address that has other answers too."""
    response = await http.get("/graphql", headers=AS_A_BROWSER)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["vary"] == "Accept"


async def test_production_has_none_of_the_files(settings: Settings) -> None:
    """In production, there is nothing under `/graphiql`."""
    production = settings.replace(environment=Environment.PRODUCTION)
    async with client_of(build_app(production)) as client:
        paths = ["/graphiql", "/graphiql/", "/graphiql/graphiql.js", "/graphiql/vendor/graphiql.min.js"]
        assert {(await client.get(path, headers=AS_A_BROWSER)).status_code for path in paths} == {404}


async def test_the_files_are_those_of_the_packages(http: httpx.AsyncClient) -> None:
    """What is served is, byte for byte, what npm has under the versions and digests of `package-lock.json`."""
    assert {file.name for file in VENDOR.iterdir()} == {*ORIGINALS, "README.md"}
    if not NODE_MODULES.is_dir():
        pytest.skip("node_modules is missing: run npm ci --ignore-scripts --prefix tests/node")
    for ours, theirs in ORIGINALS.items():
        served = (await http.get(f"/graphiql/vendor/{ours}")).content
        assert (ours, sha256(served).hexdigest()) == (ours, sha256((NODE_MODULES / theirs).read_bytes()).hexdigest())


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
async def test_a_query_runs_without_the_internet(server: str, browser: Browser, width: int, color_scheme: str) -> None:
    """The query that stands there has an answer, in the language that the headers below it ask for."""
    async with visiting(browser, f"{server}/graphql", width=width, color_scheme=color_scheme, locale="fr") as page:
        await page.get_by_role("button", name="Execute query").click()
        answer = page.get_by_label("Result Window")
        await expect(answer).to_contain_text('"code": "ORGANISATION_NOT_FOUND"')
        await expect(answer).to_contain_text('"label": "European Union, outside France"')


async def test_the_headers_outlive_a_reload(server: str, browser: Browser) -> None:
    """Who comes back finds the language that was asked for."""
    async with visiting(browser, f"{server}/graphql", locale="fr") as page:
        await page.get_by_role("button", name="Execute query").click()
        await page.reload()
        await page.get_by_role("button", name="Execute query").click()
        await expect(page.get_by_label("Result Window")).to_contain_text("European Union, outside France")


async def test_the_rest_of_graphiql_works_too(server: str, browser: Browser) -> None:
    """The explorer knows the schema, since introspection passes the limits on documents; dialogs may be styled."""
    async with visiting(browser, f"{server}/graphql") as page:
        await page.get_by_role("button", name="Show Documentation Explorer").click()
        await page.get_by_role("link", name="Mutation").click()
        await expect(page.get_by_role("link", name="activateAccount", exact=True)).to_be_visible()
        await page.get_by_role("button", name="Open settings dialog").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
