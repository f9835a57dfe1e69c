"""The same question in the language of each server, and its answer in one language for all."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeAlias
from urllib.parse import urlencode

Fields: TypeAlias = "dict[str, object] | None"
"""The fields of an organisation as the contract names them; None if it is not known."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as the load generator sends it. A GET has no body."""

    path: str
    body: str = ""

    @property
    def method(self) -> str:
        return "POST" if self.body else "GET"


class Dialect(ABC):
    """How a server is asked, and how it answers."""

    @abstractmethod
    def ask_one(self, siret: str) -> Request: ...

    @abstractmethod
    def ask_one_by_get(self, siret: str) -> Request: ...

    @abstractmethod
    def ask_many(self, sirets: Sequence[str]) -> Request: ...

    @abstractmethod
    def read_one(self, answer: Any) -> Fields: ...

    @abstractmethod
    def read_many(self, answer: Any) -> list[Fields]: ...


class Contract(Dialect):
    """This service's contract, which every peer offers that lets its author write the schema."""

    FIELDS = "__typename ... on Organisation { name status onPortal postalCode city } ... on Problem { code message }"
    ONE = (
        f"query ($identifier: OrganisationIdentifierInput!) {{ organisation(identifier: $identifier) {{ {FIELDS} }} }}"
    )
    MANY = (
        "query ($identifiers: [OrganisationIdentifierInput!]!) { organisations(identifiers: $identifiers)"
        f" {{ ... on OrganisationList {{ items {{ {FIELDS} }} }} }} }}"
    )

    def ask_one(self, siret: str) -> Request:
        return post(self.ONE, {"identifier": self._identifier(siret)})

    def ask_one_by_get(self, siret: str) -> Request:
        return get(self.ONE, {"identifier": self._identifier(siret)})

    def ask_many(self, sirets: Sequence[str]) -> Request:
        return post(self.MANY, {"identifiers": [self._identifier(siret) for siret in sirets]})

    def read_one(self, answer: Any) -> Fields:
        return self._read(answer["data"]["organisation"])

    def read_many(self, answer: Any) -> list[Fields]:
        return [self._read(item) for item in answer["data"]["organisations"]["items"]]

    @staticmethod
    def _identifier(siret: str) -> dict[str, str]:
        return {"type": "SIRET", "value": siret}

    @staticmethod
    def _read(item: dict[str, object]) -> Fields:
        kind = item.pop("__typename")
        if kind == "OrganisationNotFound":
            return None
        assert kind == "Organisation", item
        return item


class OfTables(Dialect):
    """PostGraphile's, which follows from the tables: null for what is not known, no problems by name."""

    FIELDS = "__typename siret name status onPortal postalCode city"
    ONE = f"query ($siret: String!) {{ organisationBySiret(siret: $siret) {{ {FIELDS} }} }}"
    MANY = f"query ($sirets: [String!]!) {{ organisationsBySiretsList(sirets: $sirets) {{ {FIELDS} }} }}"

    def ask_one(self, siret: str) -> Request:
        return post(self.ONE, {"siret": siret})

    def ask_one_by_get(self, siret: str) -> Request:
        return get(self.ONE, {"siret": siret})

    def ask_many(self, sirets: Sequence[str]) -> Request:
        return post(self.MANY, {"sirets": sirets})

    def read_one(self, answer: Any) -> Fields:
        return _without(answer["data"]["organisationBySiret"], "__typename", "siret")

    def read_many(self, answer: Any) -> list[Fields]:
        items = sorted(
            answer["data"]["organisationsBySiretsList"], key=itemgetter("siret")
        )  # The function has no order.
        return [_without(item, "__typename", "siret") for item in items]


class ByHand(Dialect):
    """The routes of the server that was written by hand: JSON, and no GraphQL."""

    def ask_one(self, siret: str) -> Request:
        return Request("/organisation", json.dumps({"siret": siret}))

    def ask_one_by_get(self, siret: str) -> Request:
        return Request(f"/organisation?{urlencode({'siret': siret})}")

    def ask_many(self, sirets: Sequence[str]) -> Request:
        return Request("/organisations", json.dumps({"sirets": sirets}))

    def read_one(self, answer: Any) -> Fields:
        return _without(answer, "siret")

    def read_many(self, answer: Any) -> list[Fields]:
        return [_without(item, "siret") for item in answer]


def post(query: str, variables: Mapping[str, object]) -> Request:
    """Return an operation of GraphQL, posted."""
    return Request("/graphql", json.dumps({"query": query, "variables": variables}))


def get(query: str, variables: Mapping[str, object]) -> Request:
    """Return an operation of GraphQL in an address, which a cache can keep the answer of."""
    return Request(f"/graphql?{urlencode({'query': query, 'variables': json.dumps(variables)})}")


def _without(item: dict[str, object] | None, *names: str) -> Fields:
    return None if item is None else {name: value for name, value in item.items() if name not in names}


def as_lines(requests: Iterable[Request]) -> str:
    """Return *requests* as `replay.lua` reads them, one a line."""
    return "".join(f"{request.method} {request.path} {request.body}\n" for request in requests)
