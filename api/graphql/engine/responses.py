"""Answers of GraphQL over HTTP: the body, the headers, and the two ASGI messages that send them."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson

from api.graphql.engine.caching import CACHED, NOT_CACHED, is_current, make_entity_tag
from api.graphql.engine.media_types import CONTENT_TYPES
from api.logs import REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphql import ExecutionResult, GraphQLError
    from starlette.types import Send

    from api.graphql.engine.head import RequestHead


@dataclass(frozen=True, slots=True)
class Response:
    """An answer as it is sent."""

    status: int
    fields: Sequence[tuple[bytes, bytes]]
    """Headers, their names in lower case."""
    content: bytes

    async def send(self, send: Send) -> None:
        """Send two ASGI messages. Starlette's `Response` takes several times as long."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.fields})
        await send({"type": "http.response.body", "body": self.content})


def answer(result: ExecutionResult, media_type: str) -> Response:
    """Answer with *result*, for this caller and this moment alone."""
    body: dict[str, object] = {"data": result.data}
    if result.errors:
        body["errors"] = _with_request_id(result.errors)
    return _respond(HTTPStatus.OK, orjson.dumps(body), _NOT_CACHED[media_type])


def answer_cacheably(head: RequestHead, result: ExecutionResult, media_type: str) -> Response:
    """Answer with *result*, which has no errors and caches may keep; 304 where the caller's cache has it already."""
    content = orjson.dumps({"data": result.data})
    tag = make_entity_tag(content, media_type)
    fields = _encode(CACHED | {"ETag": tag})
    if is_current(head, tag):
        return Response(HTTPStatus.NOT_MODIFIED, fields, b"")
    return _respond(HTTPStatus.OK, content, [*fields, *_CONTENT_TYPE[media_type]])


def refuse(
    errors: Sequence[GraphQLError], status: HTTPStatus, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer that nothing was executed: the body has errors, and no data, not even null."""
    content = orjson.dumps({"errors": _with_request_id(errors)})
    return _respond(status, content, [*_NOT_CACHED[media_type], *_encode(headers or {})])


def _with_request_id(errors: Sequence[GraphQLError]) -> list[dict[str, object]]:
    """Format *errors*, each with the id that the log has of its request."""
    request_id = {"requestId": REQUEST_ID.get()}
    return [{**error.formatted, "extensions": (error.extensions or {}) | request_id} for error in errors]


def _respond(status: HTTPStatus, content: bytes, fields: Sequence[tuple[bytes, bytes]]) -> Response:
    return Response(int(status), [*fields, (b"content-length", b"%d" % len(content))], content)


def _encode(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


_CONTENT_TYPE = {name: _encode({"Content-Type": value}) for name, value in CONTENT_TYPES.items()}
_NOT_CACHED = {name: [*_encode(NOT_CACHED), *fields] for name, fields in _CONTENT_TYPE.items()}
