"""The caller of the service. The generator copies this file and adds a typed method for each operation."""

from __future__ import annotations

from typing import Any, Self

import httpx
from pydantic_core import to_jsonable_python


class ServiceError(Exception):
    """An error that no person can mend. The service's log has more under its reference."""


class Service:
    """GraphQL over HTTP. *language* is the language of every message."""

    def __init__(self, url: str, language: str) -> None:
        headers = {"Accept": "application/graphql-response+json", "Accept-Language": language}
        self._url = url
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=10)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def execute(self, query: str, operation_name: str, variables: dict[str, object]) -> httpx.Response:
        """Send one operation. Fields that an input leaves out stay out, so that the service's defaults apply."""
        body = {"query": query, "operationName": operation_name, "variables": variables}
        json = to_jsonable_python(body, by_alias=True, exclude_none=True)
        return await self.request("POST", "/graphql", json=json)

    def get_data(self, response: httpx.Response) -> dict[str, Any]:
        """Return the data of an answer without errors."""
        answer = response.json()
        if errors := answer.get("errors"):
            lines = (" ".join(map(str, [*error.get("extensions", {}).values(), error["message"]])) for error in errors)
            raise ServiceError("\n".join(lines))
        data: dict[str, Any] = answer["data"]
        return data

    async def request(self, method: str, path: str, *, json: object = None) -> httpx.Response:
        """Return the JSON of any status: an answer to a request that was not executed says why."""
        try:
            response = await self._http.request(method, path, json=json)
            response.json()
        except (httpx.TransportError, ValueError) as error:
            raise ServiceError(f"No answer in JSON from {self._url}{path}") from error
        return response
