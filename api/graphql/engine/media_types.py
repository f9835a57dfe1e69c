"""The media types of GraphQL over HTTP, and what a caller accepts of them."""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"
CONTENT_TYPES = {type_: f"{type_}; charset=utf-8" for type_ in (JSON, GRAPHQL_RESPONSE)}
LONGEST_ACCEPT = 1000
REFUSED = re.compile(r"(?:^|;)\s*q\s*=\s*0(?:\.0*)?\s*(?:;|$)", re.IGNORECASE)


def accepted(request: Request) -> frozenset[str]:
    """The media types that the caller accepts."""
    return _named(request.headers.get("accept", "*/*")[:LONGEST_ACCEPT])


@lru_cache(maxsize=256)
def _named(accept: str) -> frozenset[str]:
    """What an Accept header names, whatever the preference; a weight of zero refuses (RFC 9110, 12.4.2)."""
    items = (item.partition(";") for item in accept.split(","))
    return frozenset(name.strip().lower() for name, _, parameters in items if not REFUSED.search(parameters))


def answer_type(request: Request) -> str | None:
    """The media type to answer in: the newer one only where it is named; None where the caller accepts neither."""
    types = accepted(request)
    if GRAPHQL_RESPONSE in types:
        return GRAPHQL_RESPONSE
    return JSON if types & {JSON, "application/*", "*/*"} else None


def status_of_refusal(request: Request) -> HTTPStatus:
    """Of a request that is in order, and whose document or variables are not.

    Who names application/json alone would take any status but 200 for an intermediary's answer.
    """
    types = accepted(request)
    legacy = JSON in types and GRAPHQL_RESPONSE not in types
    return HTTPStatus.OK if legacy else HTTPStatus.BAD_REQUEST
