"""Layers around the endpoints: one around every request, other origins, and the straight way to the API."""

from __future__ import annotations

import logging
import random
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING

import orjson
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from api.http.paths import CONTRACT
from api.logs import REQUEST_ID, log_request, trace_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from starlette.datastructures import MutableHeaders
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.http.framing import Field
    from api.settings.trusted_proxies import TrustedProxies

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"
ID_FIELD = REQUEST_ID_HEADER.lower().encode()
ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
NOT_LOGGED = "guichet.not_logged"
LOGGED_PATH = "guichet.logged_path"
"""The key in a request's scope for the path that the access log shows. The endpoint of a path sets it."""
UNKNOWN_PATH = "(unknown path)"
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


class RequestBoundary:
    """The one layer around every request: its id, its line in the log, safe headers, and an answer to any failure.

    Each request gets an id, for all of its lines in the log and the header `X-Request-Id` of its answer; a well-formed
    id from one of *trusted_proxies* is kept. An answer gets those of the headers `SAFE` and *headers* that it lacks.

    The log has the method, path, status and duration in milliseconds. Neither query strings nor unknown paths are
    logged: they may hold secrets, such as an activation link that a mail gateway has changed. An endpoint keeps a
    request out of the log by `NOT_LOGGED` in its scope: the page of mails asks every few seconds whether there are new
    ones.

    A failure that nothing else catches is answered by 500. The log gets its classes and places, not its messages.
    """

    def __init__(self, app: ASGIApp, *, trusted_proxies: TrustedProxies, headers: Mapping[str, str]) -> None:
        self._app = app
        self._trusted = trusted_proxies or None
        self._headers = SafeHeaders({**SAFE, **headers})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = self._id_from_proxy(scope) or f"{random.getrandbits(64):016x}"  # Unique, no secret.
        REQUEST_ID.set(request_id)  # In the task of this request alone.
        answer = _Answer(send, self._headers, request_id)
        try:
            await self._app(scope, receive, answer.send)
        except Exception as exc:
            logger.error("%s failed\n%s", _method_and_path(scope), trace_of(exc))
            if answer.status is not None:  # It can't be taken back: its reader must see that it is incomplete.
                raise ConnectionAbortedError from None
            await _send_error(answer.send, request_id)
        finally:
            if NOT_LOGGED not in scope:
                milliseconds = (time.perf_counter() - started) * 1000
                log_request(__name__, f"{_method_and_path(scope)} {answer.status or 500} {milliseconds:.1f} ms")

    def _id_from_proxy(self, scope: Scope) -> str | None:
        """Return the id that a trusted proxy has set; None if the peer is no such proxy, or the id is malformed."""
        if self._trusted is None or not scope.get("client") or scope["client"][0] not in self._trusted:
            return None
        request_id = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        return request_id if ACCEPTED_ID.fullmatch(request_id) else None


class _Answer:
    """The answer to one request, on its way."""

    __slots__ = ("_headers", "_id", "_send", "status")

    def __init__(self, send: Send, headers: SafeHeaders, request_id: str) -> None:
        self._send = send
        self._headers = headers
        self._id = (ID_FIELD, request_id.encode())
        self.status: int | None = None

    def send(self, message: Message) -> Awaitable[None]:
        """Send *message*, with more headers if it begins the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message.get("headers", ())
            message["headers"] = [*headers, *self._headers.find_missing(headers), self._id]
        return self._send(message)


async def _send_error(send: Send, request_id: str) -> None:
    content = orjson.dumps({"error": "Internal error", "requestId": request_id})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": content})


class SafeHeaders:
    """Headers that every answer has, unless it brings its own of that name."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._find_missing = lru_cache(maxsize=256)(self._list_missing)

    def find_missing(self, headers: Iterable[Field]) -> list[Field]:
        """Return those that *headers* lack."""
        return self._find_missing(tuple([name for name, _ in headers]))

    def _list_missing(self, names: tuple[bytes, ...]) -> list[Field]:
        return [field for field in self._fields if field[0] not in names]


class CrossOrigin(CORSMiddleware):
    """Starlette's CORS, for answers that are the same for all origins."""

    @staticmethod
    def allow_explicit_origin(headers: MutableHeaders, origin: str) -> None:
        """Let *origin* read the answer. Its `Vary` names Origin already, for all callers."""
        headers["Access-Control-Allow-Origin"] = origin


class ApiRouter:
    """Sends requests for *path* straight to *endpoint*, past the router of pages: nearly all of the traffic is for it.

    Requests with an Origin, which come from pages, go through *share*, for the endpoint and for the contract alone.
    """

    def __init__(self, pages: ASGIApp, *, path: str, endpoint: ASGIApp, share: Callable[[ASGIApp], ASGIApp]) -> None:
        self._path = path
        self._endpoint, self._shared_endpoint = endpoint, share(endpoint)
        self._pages, self._shared_pages = pages, share(pages)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._choose(scope)(scope, receive, send)

    def _choose(self, scope: Scope) -> ASGIApp:
        if scope["type"] != "http":
            return self._pages
        has_origin = b"origin" in dict(scope["headers"])
        if scope["path"] == self._path:
            scope[LOGGED_PATH] = self._path
            return self._shared_endpoint if has_origin else self._endpoint
        return self._shared_pages if has_origin and scope["path"] == CONTRACT else self._pages


def _method_and_path(scope: Scope) -> str:
    """Return the method and the path as its endpoint names it: a route's own path has no values of parameters."""
    route = scope.get("route")
    path = scope.get(LOGGED_PATH) or (scope.get("root_path", "") + route.path if isinstance(route, Route) else None)
    return f"{scope['method']} {UNKNOWN_PATH if path is None else repr(path)}"
