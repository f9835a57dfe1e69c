"""A request of GraphQL over HTTP: its parameters, from a query string or a JSON body."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from api.graphql.engine.errors import BAD_REQUEST, LIMIT_EXCEEDED, RequestRefused, bad_request
from api.graphql.engine.media_types import JSON

if TYPE_CHECKING:
    from starlette.types import Receive

    from api.graphql.engine.head import RequestHead

MAX_BODY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """The parameters of one request."""

    query: str = field(repr=False)
    variables: dict[str, Any] = field(repr=False)
    operation_name: str | None


class CallerGone(Exception):
    """The caller has left before the request was complete."""


async def read_request(head: RequestHead, receive: Receive) -> GraphQLRequest:
    """Read the parameters of a GET or POST.

    :raises RequestRefused: a parameter is missing or has another type; the body is too large or no JSON.
    :raises CallerGone: the body is not complete.
    """
    if head.method == "GET":
        return _check_parameters(_read_query_string(head))
    if head.get_header(b"content-type").partition(";")[0].strip().lower() != JSON:
        raise RequestRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, BAD_REQUEST, f"Send the request as {JSON}.")
    return _check_parameters(_decode_json(await _read_body(receive)))


def check_method(head: RequestHead) -> None:
    """Refuse methods other than GET and POST.

    :raises RequestRefused: 405.
    """
    if head.method not in {"GET", "POST"}:
        message = "Send the request by GET or POST."
        raise RequestRefused(HTTPStatus.METHOD_NOT_ALLOWED, BAD_REQUEST, message, {"Allow": "GET, POST"})


def _read_query_string(head: RequestHead) -> dict[str, Any]:
    entries = head.parse_query()
    parameters: dict[str, Any] = dict(entries)
    if len(parameters) < len(entries):  # A proxy on the way may read the other one.
        raise bad_request("A parameter is there twice.")
    for name in ("variables", "extensions"):
        if name in parameters:
            parameters[name] = _decode_json(parameters[name].encode("utf-8", "replace"))
    return parameters


async def _read_body(receive: Receive) -> bytes:
    """Read the body, and stop as soon as it is too large."""
    body, is_complete = bytearray(), False
    while not is_complete:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            text = f"The body is larger than {MAX_BODY_BYTES} bytes."
            raise RequestRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, LIMIT_EXCEEDED, text)
        is_complete = not message.get("more_body", False)
    return bytes(body)


def _decode_json(text: bytes) -> Any:
    """Decode *text*, with or without a byte order mark before it (RFC 8259, 8.1).

    orjson refuses lone surrogates. Python's own decoder takes them, so that they are refused field by field.
    """
    text = text.removeprefix(BOM_UTF8)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise bad_request("The request can't be read as JSON in UTF-8.") from None


def _refuse_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _check_parameters(parameters: Any) -> GraphQLRequest:
    if not isinstance(parameters, dict):
        raise bad_request("The request must be a JSON object; batches are not accepted.")
    query, variables = parameters.get("query"), parameters.get("variables")
    name, extensions = parameters.get("operationName"), parameters.get("extensions")
    if not isinstance(query, str):
        raise bad_request("query must be a string.")
    if not isinstance(variables, dict | None):
        raise bad_request("variables must be an object.")
    if not isinstance(name, str | None):
        raise bad_request("operationName must be a string.")
    if not isinstance(extensions, dict | None):
        raise bad_request("extensions must be an object.")
    return GraphQLRequest(query, variables or {}, name or None)
