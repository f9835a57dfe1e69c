"""The mailbox of development: it shows the mails of the Maildir as their recipients see them."""

from __future__ import annotations

import asyncio
import heapq
import json
import os
import re
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from html import escape
from mailbox import MaildirMessage
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from api.http.middleware import NOT_LOGGED
from api.http.paths import MAILBOX
from api.pages.sign_up import HEADERS, Pages

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send

Summary: TypeAlias = "dict[str, str]"

MAX_MESSAGES = 50
NO_STORE = HEADERS | {"Cache-Control": "no-store"}  # The mails have working links.
ONLY_SHOWN = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; frame-ancestors 'self'"
)
OWN_NAME = re.compile(r"(localhost|[0-9.]+|\[[0-9a-f:.]+\])(:[0-9]+)?", re.IGNORECASE)
DOCTYPE = re.compile(r"\A\s*(?:<!doctype[^>]*>)?", re.IGNORECASE)
NEVER = "1970-01-01T00:00:00Z"
CANT_BE_READ = "This mail can’t be read."
UNREADABLE = (LookupError, MessageError, OSError, RecursionError, TypeError, ValueError)
NEW_TAB = '<base target="_blank">'  # The pages of links may refuse to be framed, as ours does.
AS_TEXT = '<!doctype html><meta name="color-scheme" content="light dark"><pre style="white-space:pre-wrap">{}</pre>'


def mailbox_routes(folder: Path) -> list[BaseRoute]:
    """Return the routes of the page at `/mailbox/`, and of its data."""
    shown = Mailbox(folder)
    routes = [
        Route("/messages", shown.messages),
        Route("/messages/{id}", shown.message),
        Mount("/", Pages("mailbox")),
    ]
    return [
        Route(MAILBOX, RedirectResponse(f"{MAILBOX}/")),
        Mount(MAILBOX, routes=routes, middleware=[Middleware(OwnNamesOnly)]),
    ]


class OwnNamesOnly:
    """Refuses host names that a stranger could point at this machine, to read the mails from a page of theirs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Headers(scope=scope).get("host", "")
        refused = PlainTextResponse("The mailbox answers to localhost and IP addresses only.", 403)
        await (self._app if OWN_NAME.fullmatch(host) else refused)(scope, receive, send)


class Mailbox:
    """The mails in *folder*, which is never created, and is read in threads.

    The id of a message is a digest of its file's name, so no part of a URL ever becomes the name of a file. Each
    request lists all names, and opens only files of the newest messages that it has not opened before.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Summary] = {}

    async def messages(self, request: Request) -> Response:
        """Answer with the newest mails, newest first; with 304, reading none, if the caller has them already."""
        newest = await asyncio.to_thread(self._newest)
        headers = NO_STORE | {"ETag": f'"{_digest("/".join(newest))}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            request.scope[NOT_LOGGED] = True
            return Response(status_code=304, headers=headers)
        summaries = await asyncio.to_thread(self._summaries, newest)
        return Response(json.dumps({"messages": summaries}), media_type="application/json", headers=headers)

    async def message(self, request: Request) -> Response:
        """Answer with one mail, as a page for a frame. It loads nothing, runs nothing, and its links open a new tab."""
        page = await asyncio.to_thread(self._page, request.path_params["id"])
        if page is None:
            raise HTTPException(404)
        return HTMLResponse(page, headers=NO_STORE | {"Content-Security-Policy": ONLY_SHOWN})

    def _newest(self) -> dict[str, Path]:
        """Return the files of the newest messages, by id. Their names alone decide."""
        files = (Path(file) for name in ("new", "cur") for file in _names(self._folder / name))
        newest = heapq.nlargest(MAX_MESSAGES, files, key=lambda file: _delivered(_key(file)))
        return {_digest(_key(file)): file for file in newest}

    def _summaries(self, newest: dict[str, Path]) -> list[Summary]:
        """Return the entries of the list. Messages never change, so each is read once."""
        known: dict[str, Summary] = {}
        listed: list[Summary] = []
        for id_, file in newest.items():
            try:
                summary = self._known.get(id_) or _summarise(id_, file)
            except UNREADABLE:
                listed.append({"id": id_, "subject": CANT_BE_READ, "to": "", "sentAt": NEVER, "text": CANT_BE_READ})
                continue
            if summary is not None:
                known[id_] = summary
                listed.append(summary)
        self._known = known
        return listed

    def _page(self, id_: str) -> bytes | None:
        file = self._newest().get(id_)
        try:
            message = _read(file) if file is not None else None
            html = None if message is None else _html(message)
        except UNREADABLE:
            html = AS_TEXT.format(CANT_BE_READ)
        if html is None:
            return None
        return DOCTYPE.sub(lambda doctype: doctype[0] + NEW_TAB, html, count=1).encode("utf-8", "replace")


def _names(folder: Path) -> list[str]:
    """Return the paths of the messages in *folder*, without opening any."""
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if not entry.name.startswith(".") and entry.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _key(file: Path) -> str:
    """Return the part of a message's name that stays when a mail program marks it."""
    return file.name.partition(":")[0]


def _read(file: Path) -> MaildirMessage | None:
    """Return the message; None if it has just been moved or removed."""
    try:
        with file.open("rb") as content:
            message = MaildirMessage(content)
            message.set_date(os.fstat(content.fileno()).st_mtime)
    except FileNotFoundError:
        return None
    return message


def _summarise(id_: str, file: Path) -> Summary | None:
    """Return a mail's entry of the list; None if it has just been removed."""
    message = _read(file)
    return None if message is None else {"id": id_, **_summary(message)}


def _delivered(key: str) -> list[int]:
    """Return the time of delivery: a name begins with seconds, microseconds, process and count, of varying width."""
    return [int(number) for number in re.findall(r"[0-9]+", key)]


def _digest(text: str) -> str:
    return blake2b(os.fsencode(text), digest_size=12).hexdigest()


def _summary(message: MaildirMessage) -> Summary:
    return {
        "subject": _header(message, "Subject"),
        "to": _header(message, "To"),
        "sentAt": _sent_at(message).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "text": _text(message, "plain") or "",
    }


def _header(message: MaildirMessage, name: str) -> str:
    """Return a header on one line, undecoded if it can't be decoded."""
    written = message.get(name, "")
    try:
        decoded = str(make_header(decode_header(written)))
    except (MessageError, LookupError, ValueError):
        decoded = str(written)
    return " ".join(decoded.split())


def _sent_at(message: MaildirMessage) -> datetime:
    """Return the date of the mail or, without one, the time of its delivery."""
    try:
        sent_at = parsedate_to_datetime(str(message["Date"]))
        return (sent_at if sent_at.tzinfo else sent_at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, LookupError, OverflowError):
        return datetime.fromtimestamp(message.get_date(), UTC)


def _html(message: MaildirMessage) -> str:
    html = _text(message, "html")
    return AS_TEXT.format(escape(_text(message, "plain") or "")) if html is None else html


def _text(message: MaildirMessage, subtype: str) -> str | None:
    """Return the first text of that kind. Bytes outside of its charset become �."""
    parts = (part for part in message.walk() if part.get_content_type() == f"text/{subtype}")
    part = next(parts, None)
    content = None if part is None else part.get_payload(decode=True)
    if part is None or not isinstance(content, bytes):
        return None
    try:
        text = content.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        text = content.decode("utf-8", "replace")
    return text.replace("\r\n", "\n")
