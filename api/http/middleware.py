"""Middleware around every request: its id, its line in the log, safe headers, other origins."""

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

from api.http.paths import CONTRACT, GRAPHQL
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
"""The key in a request's scope for the path that the access log shows. The endpoint of a path sets it."""
UNKNOWN_PATH = "(unknown path)"
SHARED_PATHS = {GRAPHQL, CONTRACT}
# For answers that are no page: no browser may run or frame them. Pages bring their own policy.
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
    """Gives each request an id, for all of its lines in the log and the header `X-Request-Id` of its answer.

    A well-formed id from one of *trusted_proxies* is kept.
    """

    def __init__(self, app: ASGIApp, *, trusted_proxies: TrustedProxies) -> None:
        self._app = app
        self._trusted = trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._id_from_proxy(scope) or secrets.token_hex(8)
        REQUEST_ID.set(request_id)  # In the task of this request alone.
        header = (REQUEST_ID_HEADER.lower().encode(), request_id.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        await self._app(scope, receive, send_with_id)

    def _id_from_proxy(self, scope: Scope) -> str | None:
        """Return the id that a trusted proxy has set; None if the peer is no such proxy, or the id is malformed."""
        if not scope.get("client") or scope["client"][0] not in self._trusted:
            return None
        request_id = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        return request_id if ACCEPTED_ID.fullmatch(request_id) else None


class AccessLog:
    """Logs the method, path, status and duration in milliseconds of each request to *app*.

    Neither query strings nor unknown paths are logged: they may hold secrets, such as an activation link that a mail
    gateway has changed. An endpoint keeps a request out of the log by :data:`NOT_LOGGED` in its scope: the page of
    mails asks every few seconds whether there are new ones.
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
                logger.info("%s %d %.1f ms", _method_and_path(scope), status, milliseconds)


class LastResort:
    """Answers 500 for a failure that nothing else catches. The log gets its classes and places, not its messages."""

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
            logger.error("%s failed\n%s", _method_and_path(scope), trace_of(exc))
            if begun:  # The answer can't be taken back: its reader must see that it is incomplete.
                raise ConnectionAbortedError from None
            await self._send_error(send)

    @staticmethod
    async def _send_error(send: Send) -> None:
        content = orjson.dumps({"error": "Internal error", "requestId": REQUEST_ID.get()})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": content})


class SafeHeaders:
    """Adds the headers of :data:`SAFE` and of *more* that an answer does not have."""

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
    """Starlette's CORS, for the API alone. Requests without an Origin, which come from no page, skip it."""

    @staticmethod
    def allow_explicit_origin(headers: MutableHeaders, origin: str) -> None:
        """Let *origin* read the answer. Its `Vary` names Origin already, for all callers."""
        headers["Access-Control-Allow-Origin"] = origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shared = scope["type"] == "http" and scope["path"] in SHARED_PATHS
        if shared and any(name == b"origin" for name, _ in scope["headers"]):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class DirectRoute:
    """Sends requests for one path straight to its endpoint, past the router: nearly all of the traffic is for it."""

    def __init__(self, app: ASGIApp, *, path: str, endpoint: ASGIApp) -> None:
        self._app = app
        self._path = path
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        straight = scope["type"] == "http" and scope["path"] == self._path
        if straight:
            scope[LOGGED_PATH] = self._path
        await (self._endpoint if straight else self._app)(scope, receive, send)


def _method_and_path(scope: Scope) -> str:
    """Return the method and the path as its endpoint names it: a route's own path has no values of parameters."""
    route = scope.get("route")
    path = scope.get(LOGGED_PATH) or (scope.get("root_path", "") + route.path if isinstance(route, Route) else None)
    return f"{scope['method']} {UNKNOWN_PATH if path is None else repr(path)}"
