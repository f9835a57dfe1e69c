"""The mailbox of development: the data for its page, and its refusal of others."""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from api.pages.mailbox import MAX_MESSAGES, Mailbox
from api.settings.environment import Environment, Settings
from tests.support.applications import build_cheap_app
from tests.support.client import client_of
from tests.support.databases import sqlite_only
from tests.support.letters import TO, Deliver, letter, messages_of

pytestmark = [pytest.mark.anyio, sqlite_only]

Opened: TypeAlias = list[tuple[str, str, int]]

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


def contents(folder: Path) -> set[Path]:
    """Return all folders and files, but those that a database creates in use."""
    return {path for path in folder.rglob("*") if "guichet.db" not in path.name}


@pytest.fixture
def opened(mail_folder: Path) -> Iterator[Opened]:
    """A record of the mails opened and folders listed from now on, with their threads."""
    recorded: Opened = []

    def record(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event in {"open", "os.scandir", "os.listdir"} and str(mail_folder) in str(arguments[0]):
            recorded.append((event, str(arguments[0]), threading.get_ident()))

    watching = True
    sys.addaudithook(record)
    yield recorded
    watching = False


def work(opened: Opened) -> Counter[str]:
    """Return the count of each kind of work."""
    return Counter(event for event, _, _ in opened)


# --- The list ---


async def test_a_mail_is_listed_with_subject_text_and_time(http: httpx.AsyncClient, deliver: Deliver) -> None:
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


async def test_listed_texts_have_no_carriage_returns(
    http: httpx.AsyncClient, deliver: Deliver, mail_folder: Path
) -> None:
    """Texts have no carriage returns, although mails do."""
    await deliver(letter())
    (mail_folder / "new" / "0").write_bytes(b"Content-Transfer-Encoding: base64\r\n\r\nYQ0KYg0K\r\n")
    assert [listed["text"] for listed in await messages_of(http)][1] == "a\nb\n"


async def test_mails_come_newest_first(http: httpx.AsyncClient, deliver: Deliver) -> None:
    """Mails come in the order of delivery, even within one second; only the newest are listed."""
    await deliver(*(letter(str(number)) for number in range(MAX_MESSAGES + 5)))
    expected = [str(number) for number in range(MAX_MESSAGES + 4, 4, -1)]
    assert [listed["subject"] for listed in await messages_of(http)] == expected


async def test_file_names_are_compared_as_numbers(http: httpx.AsyncClient, deliver: Deliver, mail_folder: Path) -> None:
    """Microseconds and counts in names, which have no leading zeros, compare as numbers."""
    await deliver(letter("to make the folders"))
    names = ["1.M9P1Q1.host", "1.M10P1Q2.host", "1.M10P1Q10.host", "2.M1P1Q11.host"]
    for name in reversed(names):
        (mail_folder / "new" / name).write_bytes(letter(name).as_bytes())
    assert [listed["subject"] for listed in await messages_of(http)][1:] == names[::-1]


async def test_a_mail_read_by_a_mail_program_stays_listed(
    http: httpx.AsyncClient, deliver: Deliver, mail_folder: Path
) -> None:
    """A mail program that marks a mail as read changes neither the list nor the mail's URL."""
    await deliver(letter("older"), letter("newer"))
    before = await messages_of(http)
    for file in (mail_folder / "new").iterdir():
        file.rename(mail_folder / "cur" / f"{file.name}:2,S")
    assert await messages_of(http) == before


async def test_unchanged_list_is_answered_without_a_body(http: httpx.AsyncClient, deliver: Deliver) -> None:
    """A caller that has the current state gets an answer without a body until a mail comes."""
    await deliver(letter())
    first = await http.get("/mailbox/messages")
    asked = {"If-None-Match": first.headers["etag"]}
    again = await http.get("/mailbox/messages", headers=asked)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    await deliver(letter())
    changed = await http.get("/mailbox/messages", headers=asked)
    assert changed.status_code == 200
    assert len(changed.json()["messages"]) == 2


async def test_polling_adds_no_log_lines(
    http: httpx.AsyncClient, deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    """An open page that asks all day adds no line to the log while nothing changes."""
    await deliver(letter())
    with caplog.at_level("INFO", "api.http.middleware"):
        first = await http.get("/mailbox/messages")
        assert "'/mailbox/messages' 200" in caplog.text
        caplog.clear()
        again = await http.get("/mailbox/messages", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert caplog.text == ""


async def test_mails_are_not_cacheable(http: httpx.AsyncClient, deliver: Deliver) -> None:
    """No cache stores the mails' working links."""
    await deliver(letter())
    (listed,) = await messages_of(http)
    for path in ("/mailbox/messages", f"/mailbox/messages/{listed['id']}"):
        assert (await http.get(path)).headers["cache-control"] == "no-store"


async def test_head_is_answered(http: httpx.AsyncClient, deliver: Deliver) -> None:
    """HEAD answers as GET does."""
    await deliver(letter())
    (listed,) = await messages_of(http)
    for path in ("/mailbox/", "/mailbox/messages", f"/mailbox/messages/{listed['id']}"):
        got, headed = await http.get(path), await http.head(path)
        del got.headers["x-request-id"], headed.headers["x-request-id"]
        assert (headed.status_code, headed.headers) == (200, got.headers)


@pytest.mark.parametrize("existing", [None, "mailbox", "mailbox/cur", "mailbox/new"])
async def test_missing_folder_is_an_empty_list(
    http: httpx.AsyncClient, mail_folder: Path, existing: str | None
) -> None:
    """If no mail was ever delivered, the list is empty, and no folder is created."""
    if existing:
        (mail_folder.parent / existing).mkdir(parents=True)
    before = contents(mail_folder.parent)
    assert await messages_of(http) == []
    assert (await http.get("/mailbox/messages/0")).status_code == 404
    assert contents(mail_folder.parent) == before


@pytest.mark.parametrize("content", ODD_FILES.values(), ids=ODD_FILES.keys())
async def test_malformed_mail_is_listed_as_far_as_possible(
    http: httpx.AsyncClient, deliver: Deliver, mail_folder: Path, content: bytes
) -> None:
    """A file that is no proper mail does not hide the others, and is shown as far as possible."""
    await deliver(letter("a good one"))
    (mail_folder / "new" / "odd").write_bytes(content)
    good, odd = await messages_of(http)
    assert good["subject"] == "a good one"
    assert datetime.fromisoformat(odd["sentAt"]).tzinfo is not None
    assert (await http.get(f"/mailbox/messages/{odd['id']}")).status_code == 200


async def test_unreadable_mail_is_listed_in_full_once_readable(
    http: httpx.AsyncClient, deliver: Deliver, mail_folder: Path
) -> None:
    """A mail that could not be read is listed in full once it can be."""
    await deliver(letter("a good one"))
    (file,) = (mail_folder / "new").iterdir()
    good = file.read_bytes()
    file.write_bytes(ODD_FILES["parts in parts in parts"])
    (unread,) = await messages_of(http)
    file.write_bytes(good)
    (read,) = await messages_of(http)
    assert unread["subject"] != "a good one"
    assert read["subject"] == "a good one"


@hypothesis_settings(
    max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
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
def test_any_bytes_of_a_mail_can_be_listed(
    tmp_path: Path, headers: list[tuple[str, bytes]], body: bytes, database_url: str
) -> None:
    """Reading never fails, for any bytes of a mail."""
    for name in ("cur", "new", "tmp"):
        (tmp_path / name).mkdir(exist_ok=True)
    lines = b"".join(name.encode() + b": " + value + b"\n" for name, value in headers)
    (tmp_path / "new" / "odd").write_bytes(lines + b"\n" + body)
    shown = Mailbox(tmp_path)
    (listed,) = shown._summaries(shown._newest())
    assert shown._page(listed["id"]) is not None


async def test_mail_removed_during_reading_is_skipped(
    http: httpx.AsyncClient, deliver: Deliver, mail_folder: Path
) -> None:
    """A mail that is removed during reading is skipped."""
    await deliver(letter("still there"))
    (mail_folder / "new" / "1.M1P1Q1.host").symlink_to(mail_folder / "gone")
    assert [listed["subject"] for listed in await messages_of(http)] == ["still there"]


async def test_mails_are_read_off_the_event_loop(http: httpx.AsyncClient, deliver: Deliver, opened: Opened) -> None:
    """The folder is listed and read in threads, never on the event loop."""
    await deliver(letter())
    opened.clear()
    (listed,) = await messages_of(http)
    await http.get(f"/mailbox/messages/{listed['id']}")
    threads = {thread for _, _, thread in opened}
    assert threads
    assert threading.get_ident() not in threads


async def test_cost_of_the_list_does_not_grow_with_the_mails(
    http: httpx.AsyncClient, deliver: Deliver, mail_folder: Path, opened: Opened
) -> None:
    """Of any number of mails only the newest are opened, each once; each request lists a folder once."""
    await deliver(letter("template"))
    (template,) = (mail_folder / "new").iterdir()
    for number in range(20_000):
        folder = "new" if number % 2 else "cur"
        os.link(template, mail_folder / folder / f"1.M{number}P1Q{number}.host")
    opened.clear()
    assert len(await messages_of(http)) == MAX_MESSAGES
    assert work(opened) == {"open": MAX_MESSAGES, "os.scandir": 2}
    opened.clear()
    await deliver(letter("new"))
    opened.clear()
    listed, *_ = await messages_of(http)
    assert listed["subject"] == "new"
    assert work(opened) == {"open": 1, "os.scandir": 2}
    opened.clear()
    await http.get(f"/mailbox/messages/{listed['id']}")
    assert work(opened) == {"open": 1, "os.scandir": 2}


# --- One mail ---


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<HEAD lang=fr><header></HEAD>À bientôt", '<base target="_blank"><HEAD lang=fr><header></HEAD>À bientôt'),
        ("<header>À bientôt</header>", '<base target="_blank"><header>À bientôt</header>'),
    ],
)
async def test_a_mail_is_shown_as_it_was_sent(http: httpx.AsyncClient, deliver: Deliver, html: str, shown: str) -> None:
    """The HTML of a mail is shown unchanged, but its links open a new tab."""
    await deliver(letter(html=html))
    (listed,) = await messages_of(http)
    response = await http.get(f"/mailbox/messages/{listed['id']}")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.text.strip() == shown


async def test_a_mail_without_html_is_shown_as_its_text(http: httpx.AsyncClient, deliver: Deliver) -> None:
    """Text that looks like an element is shown as text."""
    await deliver(letter(text="1 < 2 & <b>bold</b>"))
    (listed,) = await messages_of(http)
    page = (await http.get(f"/mailbox/messages/{listed['id']}")).text
    assert '<base target="_blank">' in page
    assert ">1 &lt; 2 &amp; &lt;b&gt;bold&lt;/b&gt;\n</pre>" in page


async def test_only_listed_mails_can_be_read(http: httpx.AsyncClient, deliver: Deliver, mail_folder: Path) -> None:
    """No other file can be read under any id, in any folder."""
    await deliver(letter())
    (file,) = (mail_folder / "new").iterdir()
    (mail_folder.parent / "secret").write_text("Subject: secret\n\nsecret")
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
    [{"environment": Environment.PRODUCTION}, {"mail_url": "smtp://127.0.0.1:25?starttls=off"}],
    ids=["production", "mail server"],
)
async def test_mailbox_exists_only_in_development_with_a_folder(
    settings: Settings, deliver: Deliver, changes: dict[str, Any]
) -> None:
    """In production, or if mails leave by SMTP, there is nothing under `/mailbox`."""
    await deliver(letter())
    async with client_of(build_cheap_app(settings.replace(**changes))) as client:
        paths = ["/mailbox", "/mailbox/", "/mailbox/messages", "/mailbox/messages/0", "/mailbox/mailbox.js"]
        assert {(await client.get(path)).status_code for path in paths} == {404}


async def test_the_address_works_without_a_slash(http: httpx.AsyncClient) -> None:
    """`/mailbox` leads to the page."""
    response = await http.get("/mailbox", follow_redirects=True)
    assert response.url.path == "/mailbox/"
    assert "Mailbox" in response.text


# --- Access ---


async def test_a_mail_is_framed_by_its_page_only(http: httpx.AsyncClient, deliver: Deliver) -> None:
    """No other site can frame or read a mail."""
    await deliver(letter())
    (listed,) = await messages_of(http)
    headers = (await http.get(f"/mailbox/messages/{listed['id']}")).headers
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("host", ["rebind.evil.example", "rebind.evil.example:8000", "localhost.evil.example", ""])
async def test_foreign_host_names_are_refused(http: httpx.AsyncClient, deliver: Deliver, host: str) -> None:
    """A page whose name points to this machine reads no mails."""
    await deliver()
    for path in ("/mailbox/messages", "/mailbox/"):
        assert (await http.get(path, headers={"Host": host})).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "192.168.1.7:8000"])
async def test_local_host_names_are_answered(http: httpx.AsyncClient, deliver: Deliver, host: str) -> None:
    """A developer's machine, and a phone beside it, can read the mails."""
    await deliver()
    assert (await http.get("/mailbox/messages", headers={"Host": host})).status_code == 200


async def test_other_origins_read_no_mails(http: httpx.AsyncClient, deliver: Deliver) -> None:
    """Pages of other programs on this machine may call the API in development, but not read the mails."""
    await deliver()
    origin = {"Origin": "http://localhost:3000"}
    assert "access-control-allow-origin" in (await http.get("/graphql?query={__typename}", headers=origin)).headers
    assert "access-control-allow-origin" not in (await http.get("/mailbox/messages", headers=origin)).headers
