"""The media types of GraphQL over HTTP, and which of them a caller accepts."""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from api.graphql.engine.errors import BAD_REQUEST, RequestRefused

if TYPE_CHECKING:
    from api.graphql.engine.head import RequestHead

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"
CONTENT_TYPES = {type_: f"{type_}; charset=utf-8" for type_ in (JSON, GRAPHQL_RESPONSE)}
MAX_ACCEPT_LENGTH = 1000
REFUSED = re.compile(r"(?:^|;)\s*q\s*=\s*0(?:\.0*)?\s*(?:;|$)", re.IGNORECASE)


def get_accepted_types(head: RequestHead) -> frozenset[str]:
    """Return the media types that the caller accepts."""
    return _parse_accept(head.get_header(b"accept", "*/*")[:MAX_ACCEPT_LENGTH])


@lru_cache(maxsize=256)
def _parse_accept(accept: str) -> frozenset[str]:
    """Return the types that an Accept header names, in no order. A weight of zero refuses a type (RFC 9110, 12.4.2)."""
    items = (item.partition(";") for item in accept.split(","))
    return frozenset(name.strip().lower() for name, _, parameters in items if not REFUSED.search(parameters))


def choose_media_type(head: RequestHead) -> str:
    """Choose the media type of the answer: the newer one only where the caller names it.

    :raises RequestRefused: 406, the caller accepts neither.
    """
    types = get_accepted_types(head)
    if GRAPHQL_RESPONSE in types:
        return GRAPHQL_RESPONSE
    if not types & {JSON, "application/*", "*/*"}:
        message = f"The answer can be {GRAPHQL_RESPONSE} or {JSON}."
        raise RequestRefused(HTTPStatus.NOT_ACCEPTABLE, BAD_REQUEST, message)
    return JSON


def choose_refusal_status(head: RequestHead) -> HTTPStatus:
    """Return the status for a document or variables that are refused.

    A caller that names application/json alone would take any status but 200 for the answer of a proxy.
    """
    types = get_accepted_types(head)
    legacy = JSON in types and GRAPHQL_RESPONSE not in types
    return HTTPStatus.OK if legacy else HTTPStatus.BAD_REQUEST
