"""GraphQL over HTTP, after the specification of the GraphQL foundation: media types, status codes, bad bodies."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from http import HTTPStatus
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

import orjson
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationType,
    execute,
)
from starlette.requests import ClientDisconnect, Request

from api.graphql.context import Context, Services
from api.graphql.engine.caching import KEPT, NOT_KEPT, asks_for_what_may_be_kept, entity_tag, is_current
from api.graphql.engine.documents import Documents
from api.graphql.engine.errors import (
    BAD_REQUEST,
    LIMIT_EXCEEDED,
    MAX_ERRORS,
    DocumentRefused,
    coded_error,
    execution_errors,
    input_errors,
    limit_error,
    masked_error,
)
from api.graphql.engine.graphql_core_internals import AttributeExecutor
from api.graphql.engine.media_types import (
    CONTENT_TYPES,
    GRAPHQL_RESPONSE,
    JSON,
    accepted,
    answer_type,
    status_of_refusal,
)
from api.limits.networks import network_of
from api.logs import REQUEST_ID
from api.messages.words import negotiate
from api.refusals import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

LARGEST_BODY = 64 * 1024


class RequestRefused(Exception):
    """The request is not executed: a status, and what to say."""

    def __init__(self, status: HTTPStatus, errors: list[GraphQLError], headers: Mapping[str, str] | None = None):
        super().__init__(status)
        self.status = status
        self.errors = errors
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """The parameters of one request."""

    query: str = field(repr=False)
    variables: dict[str, Any] = field(repr=False)
    operation_name: str | None


class GraphQLEndpoint:
    """The ASGI application at `/graphql`.

    It executes the schema by graphql-core, with documents that were validated once: several times the speed of
    Strawberry's own view, whose extensions run for each request. Browsers that come for a page get *page*.
    """

    def __init__(
        self, schema: GraphQLSchema, services: Services, *, introspection: bool, page: ASGIApp | None = None
    ) -> None:
        self._schema = schema
        self._services = services
        self._page = page
        self._documents = Documents(schema, introspection=introspection)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> ASGIApp:
        if self._page and _wants_page(request):
            return self._page
        media_type = JSON
        try:
            _check_method(request)
            media_type = _answer_type(request)
            result, may_be_kept = await self._execute(await _read(request), request)
            if may_be_kept:
                return _look_up_response(request, result.formatted, media_type)
            return _response(_body_of(result), HTTPStatus.OK, media_type)
        except DocumentRefused as refused:
            return _response(_told_only(refused.errors), status_of_refusal(request), media_type)
        except RequestRefused as refused:
            return _response(_told_only(refused.errors), refused.status, media_type, refused.headers)

    async def _execute(self, asked: GraphQLRequest, request: Request) -> tuple[ExecutionResult, bool]:
        """What the operation comes to, and whether a cache may keep it."""
        operation = self._documents.get(asked.query).operation(asked.operation_name)
        if operation is None:
            raise _bad_request("There is no such operation: operationName must name one of several.")
        if request.method == "GET" and operation.node.operation is not OperationType.QUERY:
            message = "Only queries can be sent by GET."
            raise RequestRefused(HTTPStatus.METHOD_NOT_ALLOWED, [coded_error(BAD_REQUEST, message)], {"Allow": "POST"})
        context = self._context(request)
        if operation.introspects:  # Counted first: what is too dear takes work to be found so.
            await _count_introspection(context)
        operation.check_cost(asked.variables)
        try:
            outcome = execute(
                self._schema,
                operation.document,
                variable_values=asked.variables,
                operation_name=asked.operation_name,
                context_value=context,
                max_coercion_errors=MAX_ERRORS,
                hide_suggestions=True,
                executor_class=AttributeExecutor,
            )
            result = await outcome if isawaitable(outcome) else outcome
        except Exception as exc:
            failure = GraphQLError("", original_error=exc)
            return ExecutionResult(errors=[masked_error(failure)]), False
        if result.errors:
            return ExecutionResult(result.data, _told(result.errors)), False
        return result, not context.turned_away and asks_for_what_may_be_kept(request, operation.root_fields)

    def _context(self, request: Request) -> Context:
        return Context(
            services=self._services,
            network=network_of(request.client.host if request.client else None),
            language=negotiate(request.headers.get("accept-language", "")),
            now=self._services.clock(),
        )


async def _count_introspection(context: Context) -> None:
    """Count a call of the limit `introspection`.

    :raises RequestRefused: 429, that is one too many.
    """
    try:
        await context.services.limits.enforce("introspection", context.network)
    except TooManyRequests as refusal:
        seconds = refusal.retry_after_seconds
        error = limit_error(f"The schema was asked for too often: try again in {seconds} s, or read /schema.graphql.")
        raise RequestRefused(HTTPStatus.TOO_MANY_REQUESTS, [error], {"Retry-After": str(seconds)}) from None


def _told(errors: list[GraphQLError]) -> list[GraphQLError]:
    """What the caller is told of *errors*.

    :raises DocumentRefused: they came before execution: no field has been resolved, and none of them has a path.
    """
    if all(error.path is None for error in errors):
        raise DocumentRefused(input_errors(errors))
    return execution_errors(errors)


def _check_method(request: Request) -> None:
    if request.method not in {"GET", "POST"}:
        raise RequestRefused(
            HTTPStatus.METHOD_NOT_ALLOWED,
            [coded_error(BAD_REQUEST, "Send the request by GET or POST.")],
            {"Allow": "GET, POST"},
        )


async def _read(request: Request) -> GraphQLRequest:
    """The parameters, from the query string or a JSON body.

    :raises RequestRefused: there are none, or not of their types.
    """
    if request.method == "GET":
        parameters: Any = dict(request.query_params)
        if len(parameters) < len(request.query_params.multi_items()):  # Others on the way may take the first.
            raise _bad_request("A parameter is there twice.")
        for name in ("variables", "extensions"):
            if name in parameters:
                parameters[name] = _decode(parameters[name].encode("utf-8", "replace"))
    else:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            message = f"Send the request as {JSON}."
            raise RequestRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, [coded_error(BAD_REQUEST, message)])
        parameters = _decode(await _body(request))
    return _checked(parameters)


async def _body(request: Request) -> bytes:
    """The body, which is given up as soon as it is too large."""
    too_large = RequestRefused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        [coded_error(LIMIT_EXCEEDED, f"The body is larger than {LARGEST_BODY} bytes.")],
    )
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise too_large
    return bytes(body)


def _decode(text: bytes) -> Any:
    """The JSON value of *text*, with or without a byte order mark before it (RFC 8259, 8.1).

    What only Python's own decoder takes, lone surrogates, is refused field by field.
    """
    text = text.removeprefix(BOM_UTF8)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _bad_request("The request can't be read as JSON in UTF-8.") from None


def _refuse_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _checked(parameters: Any) -> GraphQLRequest:
    if not isinstance(parameters, dict):
        raise _bad_request("The request must be a JSON object; batches are not accepted.")
    query, variables = parameters.get("query"), parameters.get("variables")
    name, extensions = parameters.get("operationName"), parameters.get("extensions")
    if not isinstance(query, str):
        raise _bad_request("query must be a string.")
    if not isinstance(variables, dict | None):
        raise _bad_request("variables must be an object.")
    if not isinstance(name, str | None):
        raise _bad_request("operationName must be a string.")
    if not isinstance(extensions, dict | None):
        raise _bad_request("extensions must be an object.")
    return GraphQLRequest(query, variables or {}, name or None)


def _bad_request(message: str) -> RequestRefused:
    return RequestRefused(HTTPStatus.BAD_REQUEST, [coded_error(BAD_REQUEST, message)])


def _answer_type(request: Request) -> str:
    """:raises RequestRefused: 406, the caller accepts nothing that we have."""
    media_type = answer_type(request)
    if media_type is None:
        message = f"The answer can be {GRAPHQL_RESPONSE} or {JSON}."
        raise RequestRefused(HTTPStatus.NOT_ACCEPTABLE, [coded_error(BAD_REQUEST, message)])
    return media_type


def _wants_page(request: Request) -> bool:
    return request.method == "GET" and "query" not in request.query_params and "text/html" in accepted(request)


def _body_of(result: ExecutionResult) -> dict[str, object]:
    """The body of what was executed."""
    body: dict[str, object] = {**result.formatted}
    return body | {"errors": _reported(result.errors)} if result.errors else body


def _told_only(errors: Sequence[GraphQLError]) -> dict[str, object]:
    """The body of what was not executed: it has no data, not even null."""
    return {"errors": _reported(errors)}


def _reported(errors: Sequence[GraphQLError]) -> list[dict[str, object]]:
    """*errors* as they are sent: each says under which id its request is logged."""
    named = {"requestId": REQUEST_ID.get()}
    return [{**error.formatted, "extensions": (error.extensions or {}) | named} for error in errors]


def _look_up_response(request: Request, body: Mapping[str, object], media_type: str) -> ASGIApp:
    """An answer that caches may keep for a moment, or that the one which they have still holds."""
    content = orjson.dumps(body)
    tag = entity_tag(content, media_type)
    if is_current(request, tag):
        return _answer(HTTPStatus.NOT_MODIFIED, None, KEPT | {"ETag": tag})
    return _answer(HTTPStatus.OK, content, KEPT | {"ETag": tag, "Content-Type": CONTENT_TYPES[media_type]})


def _response(
    body: Mapping[str, object], status: HTTPStatus, media_type: str, headers: Mapping[str, str] | None = None
) -> ASGIApp:
    """An answer that is for this caller and this moment alone."""
    typed = {"Content-Type": CONTENT_TYPES[media_type]}
    return _answer(status, orjson.dumps(body), NOT_KEPT | typed | dict(headers or {}))


def _answer(status: HTTPStatus, content: bytes | None, headers: Mapping[str, str]) -> ASGIApp:
    """Two messages of ASGI: Starlette's `Response` would take several times as long."""
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    if content is not None:
        fields.append((b"content-length", str(len(content)).encode()))

    async def respond(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status.value, "headers": fields})
        await send({"type": "http.response.body", "body": content or b""})

    return respond
