"""GraphiQL, for developers of clients. Its files come with this package, so it works without the internet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.pages.sign_up import OWN_FILES_ONLY, Pages

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

# Its dialogs add style elements and its style sheet has fonts as data: URLs. It makes elements by innerHTML, which
# trusted types would refuse.
POLICY = OWN_FILES_ONLY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'; font-src data:")
NEGOTIATED = {"Cache-Control": "no-store", "Vary": "Accept"}


class GraphiQL(Pages):
    """The files at `/graphiql/`. `page` answers browsers at the URL of the API itself."""

    def __init__(self) -> None:
        super().__init__("graphiql", content_security_policy=POLICY)

    async def page(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.get_response("index.html", scope)
        response.headers.update(NEGOTIATED)
        await response(scope, receive, send)
