"""Whether a server under load says what is true."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

from benchmarks.contenders import Running
from benchmarks.dialects import Request
from benchmarks.organisations import Organisation
from tests.support.sirene_files import siret

SAMPLES = 20


def verify(server: Running, samples: int = SAMPLES) -> None:
    """Ask *server* in each way for known organisations and for one that nobody knows. Fail if an answer is wrong."""
    dialect, rows = server.contender.dialect, server.database.rows
    numbers = range(0, rows, rows // samples)
    expected = [Organisation.numbered(number).fields for number in numbers]
    sirets = [siret(number) for number in numbers]
    for number, fields in zip(sirets, expected, strict=True):
        for request in (dialect.ask_one(number), dialect.ask_one_by_get(number)):
            _compare(server, dialect.read_one(_answer(server, request)), fields)
    _compare(server, dialect.read_many(_answer(server, dialect.ask_many(sirets))), expected)
    _compare(server, dialect.read_one(_answer(server, dialect.ask_one(siret(rows)))), None)


def _compare(server: Running, answer: object, expected: object) -> None:
    assert answer == expected, f"{server.contender.title} answered {answer}, and not {expected}"


def _answer(server: Running, request: Request) -> Any:
    """Return the answer to *request*. Fail at any status but 200."""
    headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if request.body else {})
    sent = HttpRequest(f"http://127.0.0.1:{server.port}{request.path}", request.body.encode() or None, headers)
    with urlopen(sent) as response:  # noqa: S310
        assert response.status == 200
        return json.loads(response.read())
