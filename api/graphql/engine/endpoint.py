"""GraphQL over HTTP, after the specification of the GraphQL foundation, for any schema."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from graphql import OperationType

from api.graphql.engine.caching import is_anonymous_get
from api.graphql.engine.errors import BAD_REQUEST, DocumentRefused, RequestRefused, bad_request
from api.graphql.engine.execution import execute_operation
from api.graphql.engine.head import RequestHead
from api.graphql.engine.media_types import JSON, choose_media_type, choose_refusal_status, get_accepted_types
from api.graphql.engine.request import CallerGone, check_method, read_request
from api.graphql.engine.responses import answer, answer_cacheably, refuse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from api.graphql.engine.documents import Documents
    from api.graphql.engine.operation import Operation
    from api.graphql.engine.request import GraphQLRequest
    from api.graphql.engine.responses import Response


class RequestContext(Protocol):
    """The part that the engine knows of the context that every resolver gets."""

    @property
    def turned_away(self) -> bool:
        """True if a field was refused for haste. No cache may keep such an answer."""


ContextT = TypeVar("ContextT", bound=RequestContext)


class GraphQLEndpoint(Generic[ContextT]):
    """An ASGI application that executes *documents* by graphql-core.

    Each document is validated once, so that a request takes a fraction of what Strawberry's own view takes, whose
    extensions run for each request.

    *build_context* makes the context that the resolvers of one request get. *admit_introspection* is awaited before an
    operation that asks for the schema, and raises `RequestRefused` to refuse it. A browser that comes for a page gets
    *page*.
    """

    def __init__(
        self,
        documents: Documents,
        *,
        build_context: Callable[[RequestHead], ContextT],
        admit_introspection: Callable[[ContextT], Awaitable[None]],
        page: ASGIApp | None = None,
    ) -> None:
        self._documents = documents
        self._build_context = build_context
        self._admit_introspection = admit_introspection
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = RequestHead(scope)
        if self._page and _asks_for_page(head):
            await self._page(scope, receive, send)
            return
        try:
            response = await self._respond(head, receive)
        except CallerGone:
            return
        await response.send(send)

    async def _respond(self, head: RequestHead, receive: Receive) -> Response:
        media_type = JSON
        try:
            check_method(head)
            media_type = choose_media_type(head)
            return await self._execute(await read_request(head, receive), head, media_type)
        except DocumentRefused as refused:
            return refuse(refused.errors, choose_refusal_status(head), media_type)
        except RequestRefused as refused:
            return refuse([refused.error], refused.status, media_type, refused.headers)

    async def _execute(self, asked: GraphQLRequest, head: RequestHead, media_type: str) -> Response:
        operation = self._find_operation(asked, head)
        context = self._build_context(head)
        if operation.introspects:  # Counted before its cost, since it takes work to find that it costs too much.
            await self._admit_introspection(context)
        operation.check_cost(asked.variables)
        result = await execute_operation(self._documents.schema, operation, asked.variables, context)
        is_cacheable = operation.is_cacheable and is_anonymous_get(head)
        if is_cacheable and not result.errors and not context.turned_away:
            return answer_cacheably(head, result, media_type)
        return answer(result, media_type)

    def _find_operation(self, asked: GraphQLRequest, head: RequestHead) -> Operation:
        """Find the operation to execute.

        :raises DocumentRefused: the document is not valid.
        :raises RequestRefused: it has no such operation, or one that GET may not execute.
        """
        operation = self._documents.get(asked.query).get_operation(asked.operation_name)
        if operation is None:
            raise bad_request("There is no such operation: operationName must name one of several.")
        if head.method == "GET" and operation.type is not OperationType.QUERY:
            message = "Only queries can be sent by GET."
            raise RequestRefused(HTTPStatus.METHOD_NOT_ALLOWED, BAD_REQUEST, message, {"Allow": "POST"})
        return operation


def _asks_for_page(head: RequestHead) -> bool:
    if head.method != "GET" or "text/html" not in get_accepted_types(head):
        return False
    return all(name != "query" for name, _ in head.parse_query())
