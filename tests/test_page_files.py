"""The reference page as files: how it is served, and all that is visible without a browser."""

from __future__ import annotations

import json
import logging
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from api.settings.environment import Environment
from tests.support.applications import build_cheap_app
from tests.support.client import client_of
from tests.support.databases import sqlite_only

if TYPE_CHECKING:
    import httpx

    from api.settings.environment import Settings

pytestmark = pytest.mark.anyio

FOLDER = Path("api/pages/files/sign-up")
FILES = [file for file in FOLDER.rglob("*") if file.is_file()]
STRICT = {
    "trusted-types 'none'",
    "default-src 'none'",
    "script-src 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "form-action 'none'",
}


class Elements(HTMLParser):
    """Return every element of a page, with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def named(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture
def page() -> Elements:
    return Elements((FOLDER / "index.html").read_text())


def words(language: str) -> dict[str, str]:
    """Return the words of the page in *language*."""
    lines = re.findall(r'^  ("[^"]+":\s+".*"),$', (FOLDER / f"words/{language}.js").read_text(), re.MULTILINE)
    found: dict[str, str] = json.loads(f"{{{','.join(lines)}}}")
    return found


@sqlite_only
@pytest.mark.parametrize("environment", list(Environment))
async def test_page_is_served_under_a_strict_policy(settings: Settings, environment: Environment) -> None:
    """The page loads nothing from elsewhere and nothing inline, fits in no frame, and leaks no address."""
    async with client_of(build_cheap_app(settings.replace(environment=environment))) as client:
        response = await client.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = {directive.strip() for directive in response.headers["content-security-policy"].split(";")}
    assert policy >= STRICT
    assert "unsafe" not in response.headers["content-security-policy"]
    assert "require-trusted-types-for 'script'" in policy
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in response.headers


@sqlite_only
async def test_every_file_is_served_with_its_type_and_policy(http: httpx.AsyncClient) -> None:
    """Modules are JavaScript and styles CSS; files that the browser has are not sent again."""
    types = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
    for file in FILES:
        response = await http.get(f"/{file.relative_to(FOLDER)}")
        assert response.status_code == 200, file
        assert response.headers["content-type"].partition(";")[0] == types[file.suffix]
        assert response.headers["cache-control"] == "no-cache"
        again = await http.get(f"/{file.relative_to(FOLDER)}", headers={"If-None-Match": response.headers["etag"]})
        assert again.status_code == 304
        assert again.headers["content-security-policy"] == response.headers["content-security-policy"]


@sqlite_only
@pytest.mark.parametrize(
    "path",
    ["/words", "/words/", "/../pages.py", "/%2e%2e/pages.py", "/journey/../../../pages.py", "/%00", f"/{'a' * 5000}"],
)
async def test_nothing_else_is_served(http: httpx.AsyncClient, path: str) -> None:
    """No folder is listed, and no path leads out of the page's folder."""
    assert (await http.get(path)).status_code == 404


@sqlite_only
async def test_page_only_reads(http: httpx.AsyncClient) -> None:
    """Scanners that fetch a link, twice and by other methods, get a file and change nothing."""
    assert (await http.head("/")).status_code == 200
    assert (await http.post("/")).status_code == 405


def test_both_languages_have_the_same_words(page: Elements) -> None:
    """Each word that the page or its scripts name exists in both languages, with the same placeholders."""
    french, english = words("fr"), words("en")
    assert french.keys() == english.keys()
    for name, text in french.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", english[name])), name
    named = {value for _, attributes in page.found for key, value in attributes.items() if key.startswith("data-word")}
    scripts = "".join(file.read_text() for file in FOLDER.rglob("*.js") if file.parent.name != "words")
    named |= set(re.findall(r'say\("([^"]+)"', scripts))
    assert named <= french.keys()


def test_every_word_is_used(page: Elements) -> None:
    """The page shows each of its words somewhere."""
    html = (FOLDER / "index.html").read_text()
    scripts = "".join(file.read_text() for file in FOLDER.rglob("*.js") if file.parent.name != "words")
    made = re.compile(r"^(resend\.title|resend\.lead|restart)\.")
    unused = [name for name in words("fr") if f'"{name}"' not in html + scripts and not made.match(name)]
    assert unused == []


def test_french_punctuation_has_no_break_spaces(page: Elements) -> None:
    """A narrow no-break space precedes : ; ? and !, as in the service's own words."""
    for name, text in words("fr").items():
        assert re.search(r"[ \u00a0][:;?!]|'", text) is None, name


def test_every_module_is_fetched_at_once(page: Elements) -> None:
    """Browsers can load all modules at once instead of following imports."""
    preloaded = {link["href"] for link in page.named("link") if link.get("rel") == "modulepreload"}
    started = {script["src"] for script in page.named("script")}
    assert preloaded | started == {str(file.relative_to(FOLDER)) for file in FOLDER.rglob("*.js")}


def test_every_field_can_be_filled_in_by_the_browser(page: Elements) -> None:
    """Each has a label and the purpose that autofill and people with cognitive disabilities rely on (WCAG 1.3.5)."""
    labelled = {label.get("for") for label in page.named("label")}
    purposes = {}
    for field in page.named("input", "select"):
        if "unseen" in field.get("class", ""):
            continue
        assert field["id"] in labelled
        assert not {"onpaste", "readonly", "maxlength"} & field.keys()
        purposes[field["id"]] = field.get("autocomplete")
    assert purposes["email"] == purposes["contact-email"] == purposes["resend-email"] == "email"
    assert (purposes["first-name"], purposes["last-name"], purposes["phone"]) == ("given-name", "family-name", "tel")
    assert purposes["organisation-name"] == "organization"
    assert purposes["new-password"] == purposes["password-confirmation"] == "new-password"


# --- Changed links ---

TOKEN = "q7-Zt_" + "x" * 37
CHANGED = (
    f"/%23token={TOKEN}",
    f"/%23token%3D{TOKEN}",
    f"/%2523TOKEN%253d{TOKEN}",
    f"/%23token={TOKEN}?utm_source=courriel",
    f"/token={TOKEN}",
    f"/?token={TOKEN}",
    f"/?token%3D{TOKEN}",
    f"/index.html?x=1&token={TOKEN}",
    "/%23",
    "/%23token",
)


@sqlite_only
@pytest.mark.parametrize("environment", list(Environment))
async def test_changed_link_gets_the_page(
    settings: Settings, environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    """A changed link gets the page at once. No cache keeps it, no other site learns it, and the log shows no link."""
    caplog.set_level(logging.INFO)
    async with client_of(build_cheap_app(settings.replace(environment=environment))) as client:
        home = await client.get("/")
        for path in CHANGED:
            response = await client.get(path)
            assert response.status_code == 200, path
            assert response.text == home.text, path
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["referrer-policy"] == "no-referrer"
            assert response.headers["content-security-policy"] == home.headers["content-security-policy"]
            assert (await client.head(path)).status_code == 200
            assert (await client.post(path)).status_code == 405
    assert TOKEN not in caplog.text


@sqlite_only
@pytest.mark.parametrize(
    ("path", "up"), [("/%23token=x/", "../"), ("/a/b/%23token=x/?y=/", "../../../"), ("/%23/", "../")]
)
async def test_page_finds_its_files_from_any_depth(http: httpx.AsyncClient, path: str, up: str) -> None:
    """With slashes in a changed link, the page loads its own files, and their addresses hold no token."""
    page, home = Elements((await http.get(path)).text), Elements((await http.get("/")).text)
    for kind, attribute in (("link", "href"), ("script", "src")):
        assert [found[attribute] for found in page.named(kind)] == [up + found[attribute] for found in home.named(kind)]


@sqlite_only
async def test_no_link_makes_a_page_large(http: httpx.AsyncClient) -> None:
    """A link of a thousand slashes is an unknown path."""
    deep = await http.get(f"/{'a/' * 1000}%23token={TOKEN}")
    assert deep.status_code == 404


@sqlite_only
@pytest.mark.parametrize(
    ("method", "path", "logged"),
    [
        ("GET", f"/{TOKEN}", "GET (unknown path) 404"),
        ("GET", f"/activate/{TOKEN}?{TOKEN}", "GET (unknown path) 404"),
        ("GET", f"/graphiql/{TOKEN}", "GET (unknown path) 404"),
        ("GET", f"/words/{TOKEN}", "GET (unknown path) 404"),
        ("POST", f"/{TOKEN}", "POST (unknown path) 405"),
        ("GET", f"/{TOKEN}/%2e%2e/style.css", "GET '/style.css' 200"),
        ("GET", f"/%23token={TOKEN}", "GET '/' 200"),
        ("GET", "/", "GET '/' 200"),
        ("GET", "/words/fr.js", "GET '/words/fr.js' 200"),
        ("GET", "/health/live", "GET '/health/live' 200"),
        ("GET", "/schema.graphql", "GET '/schema.graphql' 200"),
        ("GET", "/graphiql/", "GET '/graphiql/' 200"),
        ("POST", "/graphql", "POST '/graphql' 415"),
    ],
)
async def test_log_has_known_paths_only(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, method: str, path: str, logged: str
) -> None:
    """The log calls an unknown path unknown, because somebody may have pasted it."""
    caplog.set_level(logging.INFO)
    await http.request(method, path)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "api.http.middleware"]
    assert line.startswith(f"{logged} ")
    assert TOKEN not in caplog.text


@sqlite_only
async def test_mail_in_the_mailbox_is_logged_without_its_id(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """For a route with parameters, the log has the route."""
    caplog.set_level(logging.INFO, "api.http.middleware")
    async with client_of(build_cheap_app(settings.replace(mail_url=f"maildir://{tmp_path}"))) as client:
        await client.get(f"/mailbox/messages/{TOKEN}")
        await client.get("/mailbox/")
        await client.get(f"/mailbox/{TOKEN}")
    assert "GET '/mailbox/messages/{id}' 404" in caplog.text
    assert "GET '/mailbox/' 200" in caplog.text
    assert "GET (unknown path) 404" in caplog.text
    assert TOKEN not in caplog.text
