"""Pages made of files: the reference page, and the base of the others. They load nothing from elsewhere."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from api.http.middleware import LOGGED_PATH
from api.http.paths import SIGN_UP

if TYPE_CHECKING:
    import os

    from starlette.responses import Response
    from starlette.types import Scope

FILES = Path(__file__).parent / "files"
HEADERS = {  # In addition to those of every answer.
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
OWN_FILES_ONLY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
)
NO_TEXT_BECOMES_CODE = "require-trusted-types-for 'script'; trusted-types 'none'"


# A "#" or the "=" of a token in a path. A mail gateway has encoded it, perhaps more than once.
DAMAGED_LINK = re.compile(rb"%(?:25)*23|token(?:=|%(?:25)*3d)", re.IGNORECASE)
RELATIVE_FILE = re.compile(r'<(?:link|script)\b[^>]*?(?:href|src)="')
MAX_LINK_DEPTH = 20
"""The largest number of slashes in the path of a link that a mail gateway has changed."""
HOME = "index.html"


class Pages(StaticFiles):
    """The files of one folder, with `index.html` at its root, under one Content-Security-Policy.

    Browsers ask for each file every time, and get a 304 if it has not changed.
    """

    def __init__(self, folder: str, *, content_security_policy: str = OWN_FILES_ONLY + NO_TEXT_BECOMES_CODE) -> None:
        super().__init__(directory=FILES / folder, html=True)
        self._headers = HEADERS | {"Content-Security-Policy": content_security_policy}

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with the file at *path*; never with Starlette's redirect, which repeats the host of the request."""
        response = await super().get_response(path, scope)
        if isinstance(response, RedirectResponse):
            raise HTTPException(HTTPStatus.NOT_FOUND)
        scope[LOGGED_PATH] = f"{scope.get('root_path', '')}/{'' if path == '.' else path}"
        return response

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(self._headers)
        return response


class SignUpPage(Pages):
    """The reference page. Links in mails lead to it, even links that a mail gateway has changed.

    A changed link has its token in the path or in the query instead of the fragment, and the page takes it from there.
    The answer is the page itself: no cache keeps it, and the log does not show the path.
    """

    def __init__(self) -> None:
        super().__init__("sign-up")
        self._page = (FILES / "sign-up" / HOME).read_text(encoding="utf-8")

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["method"] not in {"GET", "HEAD"}:
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        depth = raw_path.removeprefix(scope.get("root_path", "").encode()).count(b"/") - 1
        if depth <= MAX_LINK_DEPTH and DAMAGED_LINK.search(raw_path):
            scope[LOGGED_PATH] = SIGN_UP
            return self._at_depth(depth)
        response = await super().get_response(path, scope)
        if DAMAGED_LINK.search(scope["query_string"]):
            response.headers["Cache-Control"] = "no-store"
        return response

    def _at_depth(self, depth: int) -> Response:
        """Answer with the page, at a URL with *depth* additional slashes. Its files keep their place."""
        page = RELATIVE_FILE.sub(rf"\g<0>{'../' * depth}", self._page)
        return HTMLResponse(page, headers=self._headers | {"Cache-Control": "no-store"})
