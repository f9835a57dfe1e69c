"""What surrounds every request, whichever path it is for: its id, its line in the log, headers, other origins."""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import TYPE_CHECKING

import orjson
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from api.logs import REQUEST_ID, trace_of
from api.settings.trusted_proxies import TrustedProxies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import MutableHeaders
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"
ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
NOT_LOGGED = "guichet.not_logged"
LOGGED_PATH = "guichet.logged_path"
"""In a request's scope: the path that its line in the log has. Whatever answers for a path of its own puts it there."""
UNKNOWN_PATH = "(unknown path)"
SHARED_PATHS = {"/graphql", "/schema.graphql"}
# For what is no page: nothing may be made of it, or around it. Pages bring their own policy.
SAFE: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
HTTPS_ONLY: Mapping[str, str] = {"Strict-Transport-Security": "max-age=31536000"}


class RequestIds:
    """Gives each request an id, which every line of the log that comes of it has, and its answer's `X-Request-Id`.

    An id that one of *trusted_proxies* has given is kept, where it looks like one.
    """

    def __init__(self, app: ASGIApp, *, trusted_proxies: TrustedProxies) -> None:
        self._app = app
        self._trusted = trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._given(scope) or secrets.token_hex(8)
        REQUEST_ID.set(request_id)  # For the task of this request alone.
        header = (REQUEST_ID_HEADER.lower().encode(), request_id.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        await self._app(scope, receive, send_with_id)

    def _given(self, scope: Scope) -> str | None:
        """The id that a trusted proxy has given; what others send is their own word."""
        if not scope.get("client") or scope["client"][0] not in self._trusted:
            return None
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        return given if ACCEPTED_ID.fullmatch(given) else None


class AccessLog:
    """Logs method, path, status and duration in milliseconds of what *app* answers.

    Never a query string, nor a path that is not known here: those may carry what nobody should keep, such as a link
    that a mail gateway has changed. Nor a request whose scope says :data:`NOT_LOGGED`:
    one of many by which a page asks whether there is anything new, and there is not.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            if NOT_LOGGED not in scope:
                milliseconds = (time.perf_counter() - started) * 1000
                logger.info("%s %d %.1f ms", _asked_for(scope), status, milliseconds)


class LastResort:
    """Answers 500 for a failure that nothing else has caught. The log has its classes and places, not its words."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception as exc:
            if scope["type"] != "http":
                raise
            logger.error("%s failed\n%s", _asked_for(scope), trace_of(exc))
            if begun:  # The answer can't be taken back: whoever reads it must see that it is not whole.
                raise ConnectionAbortedError from None
            await self._apologise(send)

    @staticmethod
    async def _apologise(send: Send) -> None:
        content = orjson.dumps({"error": "Internal error", "requestId": REQUEST_ID.get()})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": content})


class SafeHeaders:
    """Adds the headers of :data:`SAFE` that an answer does not have, and those of *more*."""

    def __init__(self, app: ASGIApp, *, more: Mapping[str, str]) -> None:
        self._app = app
        self._headers = [(name.lower().encode(), value.encode()) for name, value in {**SAFE, **more}.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                own = {name for name, _ in headers}
                message["headers"] = headers + [header for header in self._headers if header[0] not in own]
            await send(message)

        await self._app(scope, receive, send_safely)


class CrossOrigin(CORSMiddleware):
    """Starlette's own, for the API alone, and out of the way of requests that come from no browser's page."""

    @staticmethod
    def allow_explicit_origin(headers: MutableHeaders, origin: str) -> None:
        """Let *origin* read the answer, whose `Vary` names Origin already, whoever asks."""
        headers["Access-Control-Allow-Origin"] = origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shared = scope["type"] == "http" and scope["path"] in SHARED_PATHS
        if shared and any(name == b"origin" for name, _ in scope["headers"]):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class At:
    """Sends one path straight to its endpoint, past the router: it is nearly all of the traffic."""

    def __init__(self, app: ASGIApp, *, path: str, endpoint: ASGIApp) -> None:
        self._app = app
        self._path = path
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        straight = scope["type"] == "http" and scope["path"] == self._path
        if straight:
            scope[LOGGED_PATH] = self._path
        await (self._endpoint if straight else self._app)(scope, receive, send)


def _asked_for(scope: Scope) -> str:
    """Method and path, as whatever answers for it calls it: a route says its own, with its parameters unfilled."""
    route = scope.get("route")
    path = scope.get(LOGGED_PATH) or (scope.get("root_path", "") + route.path if isinstance(route, Route) else None)
    return f"{scope['method']} {UNKNOWN_PATH if path is None else repr(path)}"
