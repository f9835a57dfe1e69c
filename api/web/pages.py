"""Pages made of files: the reference page, the mailbox of development, GraphiQL. They load nothing from elsewhere."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    import os

    from starlette.responses import Response
    from starlette.types import Scope

FILES = Path(__file__).parent / "files"
HEADERS = {  # Beside those that every answer has.
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
OWN_FILES_ONLY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
)
NO_TEXT_BECOMES_CODE = "require-trusted-types-for 'script'; trusted-types 'none'"


class Pages(StaticFiles):
    """The files of one folder, its `index.html` at the top, under one Content-Security-Policy.

    Browsers ask for each file anew, and get a 304 where it has not changed.
    """

    def __init__(self, folder: str, *, content_security_policy: str = OWN_FILES_ONLY + NO_TEXT_BECOMES_CODE) -> None:
        super().__init__(directory=FILES / folder, html=True)
        self._headers = HEADERS | {"Content-Security-Policy": content_security_policy}

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file at *path*. A folder has one name: from others, Starlette leads to whatever host was asked for."""
        response = await super().get_response(path, scope)
        if isinstance(response, RedirectResponse):
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return response

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(self._headers)
        return response
