"""Answers of GraphQL over HTTP: the body, the headers, and the two ASGI messages that send them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson

from api.graphql.engine.caching import CACHED, NOT_CACHED, is_current, make_entity_tag
from api.graphql.engine.media_types import CONTENT_TYPES
from api.logs import REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphql import ExecutionResult, GraphQLError
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send


def answer(result: ExecutionResult, media_type: str) -> ASGIApp:
    """Answer with *result*, for this caller and this moment alone."""
    body: dict[str, object] = {**result.formatted}
    if result.errors:
        body["errors"] = _with_request_id(result.errors)
    return _respond(HTTPStatus.OK, orjson.dumps(body), NOT_CACHED | _content_type(media_type))


def answer_cacheably(request: Request, result: ExecutionResult, media_type: str) -> ASGIApp:
    """Answer with *result*, which has no errors and caches may keep; 304 where the caller's cache has it already."""
    content = orjson.dumps(result.formatted)
    tag = make_entity_tag(content, media_type)
    if is_current(request, tag):
        return _respond(HTTPStatus.NOT_MODIFIED, None, CACHED | {"ETag": tag})
    return _respond(HTTPStatus.OK, content, CACHED | {"ETag": tag} | _content_type(media_type))


def refuse(
    errors: Sequence[GraphQLError], status: HTTPStatus, media_type: str, headers: Mapping[str, str] | None = None
) -> ASGIApp:
    """Answer that nothing was executed: the body has errors, and no data, not even null."""
    content = orjson.dumps({"errors": _with_request_id(errors)})
    return _respond(status, content, NOT_CACHED | _content_type(media_type) | dict(headers or {}))


def _with_request_id(errors: Sequence[GraphQLError]) -> list[dict[str, object]]:
    """Format *errors*, each with the id that the log has of its request."""
    request_id = {"requestId": REQUEST_ID.get()}
    return [{**error.formatted, "extensions": (error.extensions or {}) | request_id} for error in errors]


def _content_type(media_type: str) -> dict[str, str]:
    return {"Content-Type": CONTENT_TYPES[media_type]}


def _respond(status: HTTPStatus, content: bytes | None, headers: Mapping[str, str]) -> ASGIApp:
    """Return an application that sends two ASGI messages. Starlette's `Response` takes several times as long."""
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    if content is not None:
        fields.append((b"content-length", str(len(content)).encode()))

    async def respond(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status.value, "headers": fields})
        await send({"type": "http.response.body", "body": content or b""})

    return respond
