"""GraphQL over HTTP for this service: the engine, with our schema, our context and our limit of introspection."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from api.caller import Caller
from api.graphql.context import Context
from api.graphql.engine.endpoint import GraphQLEndpoint
from api.graphql.engine.errors import LIMIT_EXCEEDED, RequestRefused
from api.http.paths import CONTRACT
from api.limits.networks import network_of
from api.messages.languages import negotiate
from api.refusals import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.types import ASGIApp

    from api.graphql.context import Services
    from api.graphql.engine.documents import Documents
    from api.graphql.engine.head import RequestHead


def build_endpoint(
    services: Services, *, clock: Callable[[], datetime], documents: Documents, page: ASGIApp | None = None
) -> GraphQLEndpoint[Context]:
    """Build the application that answers GraphQL. A browser that comes for a page gets *page*."""

    def build_context(head: RequestHead) -> Context:
        return Context(
            services=services,
            caller=Caller(
                network=network_of(head.client_host),
                language=negotiate(head.get_header(b"accept-language")),
                now=clock(),
            ),
        )

    return GraphQLEndpoint(
        documents,
        build_context=build_context,
        admit_introspection=_admit_introspection,
        page=page,
    )


async def _admit_introspection(context: Context) -> None:
    """Count a call of the limit `introspection`.

    :raises RequestRefused: 429, that is one too many.
    """
    try:
        await context.services.limits.enforce("introspection", context.caller.network)
    except TooManyRequests as refusal:
        seconds = refusal.retry_after_seconds
        message = f"The schema was asked for too often: try again in {seconds} s, or read {CONTRACT}."
        raise RequestRefused(
            HTTPStatus.TOO_MANY_REQUESTS, LIMIT_EXCEEDED, message, {"Retry-After": str(seconds)}
        ) from None
