"""The mailbox page of development: what it is told, and what it shows."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from mailbox import Maildir
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from playwright.async_api import expect
from pydantic import SecretStr

from api.app import build_app
from api.mail.transports import MaildirTransport
from api.settings import Environment, Settings
from api.web.mailbox import MOST_MESSAGES, Mailbox
from tests.browser import DESKTOP, PHONE, axe_violations, serving, visiting
from tests.client import CREATE_ACCOUNT, VERIFY_CAPTCHA, Answer, client_of, form

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator, Page

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

Deliver = Callable[..., Awaitable[None]]
Test = Callable[..., Awaitable[None]]
SENT_AT = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
TO = "camille.durand@exemple.fr"
HOSTILE = """<html><head><title>x</title><meta http-equiv="refresh" content="0;url={elsewhere}/gone">
<script>document.documentElement.textContent = "It ran."</script></head>
<body onload="document.body.textContent = 'It ran.'"><p>Bonjour</p><img src="{elsewhere}/seen.png">
<img src="x" onerror="document.body.textContent = 'It ran.'"></body></html>"""
ODD_FILES: dict[str, bytes] = {
    "nothing": b"",
    "no text": bytes(range(256)),
    "an unknown charset": b"Content-Type: text/plain; charset=klingon\n\nnuqneH",
    "a charset of no text": b"Content-Type: text/plain; charset=base64\n\nQUJD",
    "a charset with a NUL": b'Content-Type: text/plain; charset="a\0b"\n\nQUJD',
    "a lone surrogate": b"Content-Type: text/plain; charset=utf-7\n\n+2AA-",
    "headers in no encoding": b"Subject: \xe9t\xe9\nTo: \xff\n\nBonjour",
    "headers that can't be decoded": b"Subject: =?utf-8?b?QUJ?= =?nope?q?x?= =?utf-8?b?/w=?=\nTo: =?\n\nBonjour",
    "a date that is none": b"Date: yesterday\n\nBonjour",
    "a date out of time": b"Date: Fri, 31 Dec 9999 23:59:59 -2300\n\nBonjour",
    "a part that is missing": b"Content-Type: multipart/alternative; boundary=x\n\n--x\n\n",
    "a charset in bad pieces": b"Content-Type: text/plain; charset*=a\\0''x; charset*1*=zz\n\nBonjour",
    "parts in parts in parts": b"".join(
        b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(2000)
    ),
    "a broken encoding": b"Content-Type: text/html\nContent-Transfer-Encoding: base64\n\n<p>!",
}


def letter(
    subject: str = "Activez votre compte", *, text: str = "Bonjour à tous", html: str | None = None, **headers: str
) -> EmailMessage:
    message = EmailMessage()
    for name, value in {"Subject": subject, "From": "no-reply@exemple.fr", "To": TO, **headers}.items():
        message[name] = value
    if "Date" not in headers:
        message["Date"] = SENT_AT
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the mails of `settings` go."""
    return tmp_path / "mailbox"


@pytest.fixture
def deliver(folder: Path) -> Deliver:
    """Delivers mails, as the relay does."""

    async def delivered(*messages: EmailMessage) -> None:
        for message in messages:
            await MaildirTransport(folder).send(message)

    return delivered


async def messages_of(http: httpx.AsyncClient) -> list[Answer]:
    response = await http.get("/mailbox/messages")
    assert response.status_code == 200
    messages: list[Answer] = response.json()["messages"]
    return messages


def contents(folder: Path) -> set[Path]:
    """All folders and files, but those that a database makes while it is used."""
    return {path for path in folder.rglob("*") if "guichet.db" not in path.name}


# --- The list ---


async def test_a_mail_is_listed_with_what_it_says(http: httpx.AsyncClient, deliver: Deliver) -> None:
    """Subject and text are decoded, and the time is in UTC."""
    message = letter("Résumé — à lire", text="Bonjour,\nà bientôt : c’est tout.", html="<p>Bonjour")
    message.replace_header("Date", "Mon, 23 Nov 2026 11:30:00 +0100")
    await deliver(message)
    (listed,) = await messages_of(http)
    assert listed == {
        "id": listed["id"],
        "subject": "Résumé — à lire",
        "to": TO,
        "sentAt": "2026-11-23T10:30:00Z",
        "text": "Bonjour,\nà bientôt : c’est tout.\n",
    }


async def test_line_ends_of_mails_are_ordinary_ones(http: httpx.AsyncClient, deliver: Deliver, folder: Path) -> None:
    """A text has no carriage returns, which mails have."""
    await deliver(letter())
    (folder / "new" / "0").write_bytes(b"Content-Transfer-Encoding: base64\r\n\r\nYQ0KYg0K\r\n")
    assert [listed["text"] for listed in await messages_of(http)][1] == "a\nb\n"


async def test_mails_come_newest_first(http: httpx.AsyncClient, deliver: Deliver) -> None:
    """The order is that of delivery, also within one second; only the newest are listed."""
    await deliver(*(letter(str(number)) for number in range(MOST_MESSAGES + 5)))
    expected = [str(number) for number in range(MOST_MESSAGES + 4, 4, -1)]
    assert [listed["subject"] for listed in await messages_of(http)] == expected


async def test_names_of_unequal_width_are_in_order(http: httpx.AsyncClient, deliver: Deliver, folder: Path) -> None:
    """A Maildir writes microseconds and counts without zeros in front: they are numbers, not texts."""
    await deliver(letter("to make the folders"))
    names = ["1.M9P1Q1.host", "1.M10P1Q2.host", "1.M10P1Q10.host", "2.M1P1Q11.host"]
    for name in reversed(names):
        (folder / "new" / name).write_bytes(letter(name).as_bytes())
    assert [listed["subject"] for listed in await messages_of(http)][1:] == names[::-1]


async def test_a_mail_that_was_read_elsewhere_stays(http: httpx.AsyncClient, deliver: Deliver, folder: Path) -> None:
    """A mail program that marks a mail as read changes neither the list nor the mail's address."""
    await deliver(letter("older"), letter("newer"))
    before = await messages_of(http)
    for file in (folder / "new").iterdir():
        file.rename(folder / "cur" / f"{file.name}:2,S")
    assert await messages_of(http) == before


async def test_asking_again_is_cheap(http: httpx.AsyncClient, deliver: Deliver) -> None:
    """Who has this state already is told so, in an answer without a body, until a mail comes."""
    await deliver(letter())
    first = await http.get("/mailbox/messages")
    asked = {"If-None-Match": first.headers["etag"]}
    again = await http.get("/mailbox/messages", headers=asked)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    await deliver(letter())
    changed = await http.get("/mailbox/messages", headers=asked)
    assert changed.status_code == 200
    assert len(changed.json()["messages"]) == 2


async def test_log_tells_news_only(http: httpx.AsyncClient, deliver: Deliver, caplog: pytest.LogCaptureFixture) -> None:
    """A page that is left open asks all day: what it is told again is not a line of the log each time."""
    await deliver(letter())
    with caplog.at_level("INFO", "api.logs"):
        first = await http.get("/mailbox/messages")
        assert "'/mailbox/messages' 200" in caplog.text
        caplog.clear()
        again = await http.get("/mailbox/messages", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert caplog.text == ""


async def test_nothing_is_stored_by_caches(http: httpx.AsyncClient, deliver: Deliver) -> None:
    """Links that can be used stay out of the browser's cache."""
    await deliver(letter())
    (listed,) = await messages_of(http)
    for path in ("/mailbox/messages", f"/mailbox/messages/{listed['id']}"):
        assert (await http.get(path)).headers["cache-control"] == "no-store"


async def test_head_is_answered(http: httpx.AsyncClient, deliver: Deliver) -> None:
    """HEAD tells the same as GET."""
    await deliver(letter())
    (listed,) = await messages_of(http)
    for path in ("/mailbox/", "/mailbox/messages", f"/mailbox/messages/{listed['id']}"):
        got, headed = await http.get(path), await http.head(path)
        assert (headed.status_code, headed.headers) == (200, got.headers)


@pytest.mark.parametrize("existing", [None, "mailbox", "mailbox/cur", "mailbox/new"])
async def test_a_folder_that_is_missing_is_empty(http: httpx.AsyncClient, folder: Path, existing: str | None) -> None:
    """Where no mail was ever delivered, the list is empty; asking makes no folder."""
    if existing:
        (folder.parent / existing).mkdir(parents=True)
    before = contents(folder.parent)
    assert await messages_of(http) == []
    assert (await http.get("/mailbox/messages/0")).status_code == 404
    assert contents(folder.parent) == before


@pytest.mark.parametrize("content", ODD_FILES.values(), ids=ODD_FILES.keys())
async def test_a_file_that_is_no_good_mail_is_listed_all_the_same(
    http: httpx.AsyncClient, deliver: Deliver, folder: Path, content: bytes
) -> None:
    """Whatever lies in the folder, the other mails are shown, and so is what can be made of it."""
    await deliver(letter("a good one"))
    (folder / "new" / "odd").write_bytes(content)
    good, odd = await messages_of(http)
    assert good["subject"] == "a good one"
    assert datetime.fromisoformat(odd["sentAt"]).tzinfo is not None
    assert (await http.get(f"/mailbox/messages/{odd['id']}")).status_code == 200


@hypothesis_settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    headers=st.lists(
        st.tuples(
            st.sampled_from(["Subject", "To", "Date", "Content-Type", "Content-Transfer-Encoding"]),
            st.one_of(
                st.binary(max_size=40),
                st.text("=?utf8-bq/;\"*' \t0<>@,:(", max_size=40).map(str.encode),
                st.sampled_from([b"text/html; charset=", b"multipart/mixed; boundary=x", b"base64", b"=?utf-8?q?"]),
            ),
        ),
        max_size=5,
    ),
    body=st.binary(max_size=60),
)
def test_no_content_takes_the_list_down(
    tmp_path: Path, headers: list[tuple[str, bytes]], body: bytes, database_url: str
) -> None:
    """Reading never fails, whatever the bytes of a mail are."""
    for name in ("cur", "new", "tmp"):
        (tmp_path / name).mkdir(exist_ok=True)
    lines = b"".join(name.encode() + b": " + value + b"\n" for name, value in headers)
    (tmp_path / "new" / "odd").write_bytes(lines + b"\n" + body)
    shown = Mailbox(tmp_path)
    (listed,) = shown._summaries(shown._newest())
    assert shown._page(listed["id"]) is not None


async def test_a_mail_that_goes_while_it_is_read_is_left_out(
    http: httpx.AsyncClient, deliver: Deliver, folder: Path
) -> None:
    """A name that has no file any more is passed over."""
    await deliver(letter("still there"))
    (folder / "new" / "1.M1P1Q1.host").symlink_to(folder / "gone")
    assert [listed["subject"] for listed in await messages_of(http)] == ["still there"]


async def test_reading_keeps_no_request_waiting(
    http: httpx.AsyncClient, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is listed and read in threads, never on the event loop."""
    threads: set[threading.Thread] = set()

    class Watched(Maildir):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            threads.add(threading.current_thread())
            super().__init__(*arguments, **options)

    await deliver(letter())
    monkeypatch.setattr("mailbox.Maildir", Watched)
    (listed,) = await messages_of(http)
    await http.get(f"/mailbox/messages/{listed['id']}")
    assert threads
    assert threading.current_thread() not in threads


# --- One mail ---


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<HEAD lang=fr><header></HEAD>À bientôt", '<base target="_blank"><HEAD lang=fr><header></HEAD>À bientôt'),
        ("<header>À bientôt</header>", '<base target="_blank"><header>À bientôt</header>'),
    ],
)
async def test_a_mail_is_shown_as_it_was_sent(http: httpx.AsyncClient, deliver: Deliver, html: str, shown: str) -> None:
    """All that is added to the HTML is that its links open a new tab."""
    await deliver(letter(html=html))
    (listed,) = await messages_of(http)
    response = await http.get(f"/mailbox/messages/{listed['id']}")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.text.strip() == shown


async def test_a_mail_without_html_is_shown_as_its_text(http: httpx.AsyncClient, deliver: Deliver) -> None:
    """What looks like an element in a text is text."""
    await deliver(letter(text="1 < 2 & <b>bold</b>"))
    (listed,) = await messages_of(http)
    page = (await http.get(f"/mailbox/messages/{listed['id']}")).text
    assert '<base target="_blank">' in page
    assert ">1 &lt; 2 &amp; &lt;b&gt;bold&lt;/b&gt;\n</pre>" in page


async def test_only_what_is_listed_can_be_read(http: httpx.AsyncClient, deliver: Deliver, folder: Path) -> None:
    """No name of a file is an id, wherever it leads."""
    await deliver(letter())
    (file,) = (folder / "new").iterdir()
    (folder.parent / "secret").write_text("Subject: secret\n\nsecret")
    ids = [
        file.name,
        f"new/{file.name}",
        "..%2F..%2Fsecret",
        "%2E%2E/%2E%2E/secret",
        "../../secret",
        "%00",
        "",
        "x" * 999,
    ]
    assert {(await http.get(f"/mailbox/messages/{id_}")).status_code for id_ in ids} == {404}


# --- Where it is served ---


@pytest.mark.parametrize(
    "changes",
    [{"environment": Environment.PRODUCTION}, {"mail_url": SecretStr("smtp://127.0.0.1:25?starttls=off")}],
    ids=["production", "mail server"],
)
async def test_it_is_for_developers_with_a_folder_only(
    settings: Settings, deliver: Deliver, changes: dict[str, Any]
) -> None:
    """In production, or where mails leave by SMTP, there is nothing under `/mailbox`."""
    await deliver(letter())
    async with client_of(build_app(settings.model_copy(update=changes))) as client:
        paths = ["/mailbox", "/mailbox/", "/mailbox/messages", "/mailbox/messages/0", "/mailbox/mailbox.js"]
        assert {(await client.get(path)).status_code for path in paths} == {404}


async def test_the_address_works_without_a_slash(http: httpx.AsyncClient) -> None:
    """Who types `/mailbox` gets the page."""
    response = await http.get("/mailbox", follow_redirects=True)
    assert response.url.path == "/mailbox/"
    assert "Mailbox" in response.text


# --- In a browser ---


def in_all_shapes(test: Test) -> Test:
    """On a phone and on a desktop, light and dark."""
    in_both_colours = pytest.mark.parametrize("color_scheme", ["light", "dark"])(test)
    marked: Test = pytest.mark.parametrize("width", [PHONE, DESKTOP])(in_both_colours)
    return marked


def rows(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Mails").get_by_role("link")


def subject(page: Page) -> Locator:
    return page.get_by_role("article").get_by_role("heading")


def content(page: Page) -> Locator:
    """What the frame shows of a mail without HTML."""
    return page.frame_locator("iframe").locator("pre")


async def assert_sound(page: Page) -> None:
    """Axe finds nothing, and nothing reaches beyond the window."""
    assert await axe_violations(page) == []
    edges = "[...document.querySelectorAll('body *')].map(element => element.getBoundingClientRect().right)"
    assert await page.evaluate(f"Math.max(...{edges}) <= innerWidth")


@in_all_shapes
async def test_an_empty_mailbox_says_what_to_do(server: str, browser: Browser, width: int, color_scheme: str) -> None:
    """Where there is no mail yet, the page leads to the sign-up."""
    async with visiting(browser, f"{server}/mailbox/", width=width, color_scheme=color_scheme) as page:
        await expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()
        await expect(page.get_by_role("link", name="Sign up", exact=True)).to_have_attribute("href", "/")
        await expect(page.get_by_role("article")).to_be_hidden()
        await assert_sound(page)


@in_all_shapes
async def test_a_mail_is_shown_as_html_and_as_text(
    server: str, browser: Browser, deliver: Deliver, width: int, color_scheme: str
) -> None:
    """The newest mail is shown at first, as HTML; a switch shows its text, whose links can be followed."""
    link = f"{server}/#token={'abc' * 14}"
    await deliver(letter("older"), letter(text=f"Open:\n{link}\n", html="<p>Bonjour</p>"))
    async with visiting(browser, f"{server}/mailbox/", width=width, color_scheme=color_scheme) as page:
        await expect(subject(page)).to_have_text("Activez votre compte")
        await expect(page.frame_locator("iframe").locator("p")).to_have_text("Bonjour")
        await assert_sound(page)
        await page.get_by_role("button", name="Text").click()
        await expect(page.locator("iframe")).to_be_hidden()
        await expect(page.get_by_role("link", name=link)).to_have_attribute("href", link)
        await expect(page.get_by_role("button", name="Text")).to_have_attribute("aria-pressed", "true")
        await assert_sound(page)
        await rows(page).last.click()
        await expect(subject(page)).to_have_text("older")
        await expect(page.get_by_text("Bonjour à tous")).to_be_visible()
        await page.get_by_role("button", name="HTML").click()
        await expect(content(page)).to_have_text("Bonjour à tous\n")


@in_all_shapes
async def test_new_mails_come_by_themselves(
    server: str, browser: Browser, deliver: Deliver, width: int, color_scheme: str
) -> None:
    """A new mail is announced and marked; the chosen one, and the keyboard, stay where they are."""
    await deliver(letter("first"), letter("second"))
    async with visiting(browser, f"{server}/mailbox/", width=width, color_scheme=color_scheme) as page:
        await rows(page).last.focus()
        await page.keyboard.press("Enter")
        await expect(subject(page)).to_have_text("first")
        await deliver(letter("third"), letter("fourth"))
        await expect(rows(page)).to_have_count(4)
        await expect(page.get_by_role("status")).to_contain_text("2 new mails")
        await expect(page.get_by_role("status")).to_contain_text("fourth · third")
        await expect(page).to_have_title("(2) Mailbox · Guichet")
        await expect(rows(page).first.get_by_role("img", name="New")).to_be_visible()
        await expect(subject(page)).to_have_text("first")
        await expect(rows(page).last).to_be_focused()
        await expect(rows(page).last).to_have_attribute("aria-current", "true")
        await assert_sound(page)
        await rows(page).first.click()
        await expect(page).to_have_title("(1) Mailbox · Guichet")
        await expect(rows(page).first.get_by_role("img", name="New")).to_be_hidden()


async def test_a_mail_has_its_own_address(server: str, browser: Browser, deliver: Deliver) -> None:
    """The address of a chosen mail leads to it, and Back to the one before."""
    await deliver(*(letter(name, text=name) for name in ("first", "second", "third")))
    async with visiting(browser, f"{server}/mailbox/") as page:
        await expect(content(page)).to_have_text("third\n")
        await rows(page).nth(1).click()
        await expect(content(page)).to_have_text("second\n")
        address = page.url
        await rows(page).nth(2).click()
        await expect(content(page)).to_have_text("first\n")
        await page.go_back()
        await expect(subject(page)).to_have_text("second")
    async with visiting(browser, address) as page:
        await expect(subject(page)).to_have_text("second")


async def test_a_mail_that_goes_is_gone(server: str, browser: Browser, deliver: Deliver, folder: Path) -> None:
    """When mails are deleted, the newest that is left is shown, and in the end none."""
    await deliver(letter("first", text="first"), letter("second", text="second"))
    first, second = sorted((folder / "new").iterdir(), key=lambda file: b"second" in file.read_bytes())
    async with visiting(browser, f"{server}/mailbox/") as page:
        await expect(content(page)).to_have_text("second\n")
        second.unlink()
        await expect(content(page)).to_have_text("first\n")
        first.unlink()
        await expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()


async def test_links_of_a_mail_open_a_new_tab(server: str, browser: Browser, deliver: Deliver) -> None:
    """The page behind a link, which refuses to be framed, is shown in a tab of its own, with the token."""
    await deliver(letter(html=f'<p><a href="{server}/#token=abc">Activate</a></p>'))
    async with visiting(browser, f"{server}/mailbox/") as page:
        async with page.context.expect_page() as opening:
            await page.frame_locator("iframe").get_by_role("link", name="Activate").click()
        opened = await opening.value
        await opened.wait_for_load_state()
        assert opened.url.startswith(f"{server}/")
        assert await opened.evaluate("typeof fetch") == "function"
        assert await opened.evaluate("opener") is None


@pytest.mark.parametrize("framed", [True, False])
async def test_a_mail_can_neither_run_nor_load_anything(
    server: str, browser: Browser, deliver: Deliver, framed: bool
) -> None:
    """Scripts, remote pictures and redirections of a mail have no effect, in the page and at an address of its own."""
    elsewhere = server.replace("127.0.0.1", "localhost")
    await deliver(letter(html=HOSTILE.format(elsewhere=elsewhere)))
    async with httpx.AsyncClient(base_url=server) as client:
        (listed,) = await messages_of(client)
    page = await browser.new_page()
    answered: list[str] = []
    page.on("response", lambda response: answered.append(response.url))
    await page.goto(f"{server}/mailbox/" if framed else f"{server}/mailbox/messages/{listed['id']}")
    greeting = page.frame_locator("iframe").locator("p") if framed else page.locator("p")
    await expect(greeting).to_have_text("Bonjour")
    await page.wait_for_timeout(500)
    await expect(greeting).to_have_text("Bonjour")
    assert [url for url in answered if url.startswith(elsewhere)] == []
    await page.close()


async def test_a_mail_is_framed_by_its_page_only(http: httpx.AsyncClient, deliver: Deliver) -> None:
    """No other site can show somebody's mail in a frame, or read it."""
    await deliver(letter())
    (listed,) = await messages_of(http)
    headers = (await http.get(f"/mailbox/messages/{listed['id']}")).headers
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_a_hidden_page_asks_nothing(server: str, browser: Browser) -> None:
    """Polling rests while nobody looks, and goes on at once when the page is seen again."""
    hide = "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
    hide += " document.dispatchEvent(new Event('visibilitychange')) }"
    async with visiting(browser, f"{server}/mailbox/") as page:
        await expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.evaluate(hide, True)
        await page.wait_for_timeout(2000)
        assert asked == []
        await page.evaluate(hide, False)
        await page.wait_for_timeout(300)
        assert asked == [f"{server}/mailbox/messages"]


async def test_a_server_that_is_away_is_said(settings: Settings, browser: Browser) -> None:
    """When the server doesn't answer, the page says so, and goes on asking."""
    page = await browser.new_page()
    async with serving(build_app(settings)) as url:
        await page.goto(f"{url}/mailbox/")
        await expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()
    await expect(page.get_by_role("status")).to_have_text("The server doesn’t answer. Still trying…")
    await page.close()


async def test_a_sign_up_is_seen_from_its_first_mail_on(settings: Settings, browser: Browser) -> None:
    """Both mails of a real sign-up appear while one looks, the activation link as the newest."""
    settings = settings.model_copy(update={"relay": "on", "captcha": "fixed:ABC123"})
    async with (
        serving(build_app(settings)) as url,
        visiting(browser, f"{url}/mailbox/") as page,
        httpx.AsyncClient(base_url=url, headers={"Accept-Language": "en"}) as client,
    ):
        await expect(page.get_by_role("heading", name="No mail yet")).to_be_visible()
        created = await client.post("/graphql", json={"query": CREATE_ACCOUNT, "variables": {"input": form()}})
        typed = {"registrationId": created.json()["data"]["createAccount"]["id"], "answer": "ABC123"}
        await client.post("/graphql", json={"query": VERIFY_CAPTCHA, "variables": {"input": typed}})
        await expect(rows(page)).to_have_count(2, timeout=10_000)
        await rows(page).first.click()
        await expect(subject(page)).to_have_text("Activate your account")
        await expect(page.frame_locator("iframe").get_by_role("link", name="Activate this account")).to_be_visible()


@pytest.mark.parametrize("host", ["rebind.evil.example", "rebind.evil.example:8000", "localhost.evil.example", ""])
async def test_names_of_strangers_are_refused(http: httpx.AsyncClient, deliver: Deliver, host: str) -> None:
    """A page whose name was pointed at this machine reads no mails."""
    await deliver()
    for path in ("/mailbox/messages", "/mailbox/"):
        assert (await http.get(path, headers={"Host": host})).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "192.168.1.7:8000"])
async def test_own_names_are_answered(http: httpx.AsyncClient, deliver: Deliver, host: str) -> None:
    """A developer's machine, and a phone beside it, read the mails."""
    await deliver()
    assert (await http.get("/mailbox/messages", headers={"Host": host})).status_code == 200


async def test_other_origins_read_no_mails(http: httpx.AsyncClient, deliver: Deliver) -> None:
    """What other programs of this machine serve may call the API in development, and not look at the mails."""
    await deliver()
    origin = {"Origin": "http://localhost:3000"}
    assert "access-control-allow-origin" in (await http.get("/graphql?query={__typename}", headers=origin)).headers
    assert "access-control-allow-origin" not in (await http.get("/mailbox/messages", headers=origin)).headers
