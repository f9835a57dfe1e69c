"""Response times of other people while one network sends ten thousand forms a minute, beside those without it."""

from __future__ import annotations

import contextlib
import http.client
import json
import multiprocessing
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from benchmarks.servers import postgres, service
from benchmarks.sign_ups import CREATE_ACCOUNT, form

ROUNDS = 6
SECONDS = 10.0
FORMS_A_MINUTE = 10_000
FLOODING = "203.0.113.66"
LOOK_UP = """
query ($identifier: OrganisationIdentifierInput!) {
  organisation(identifier: $identifier) { ... on Problem { code } }
}
"""
IDENTIFIER = {"type": "SIRET", "value": "73282932000074"}


@dataclass(slots=True)
class Times:
    """Response times of one operation, in milliseconds, one list for each round."""

    quiet: list[list[float]] = field(default_factory=list)
    flooded: list[list[float]] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median, over the rounds, of the ratio of the two medians."""
        pairs = zip(self.quiet, self.flooded, strict=True)
        return statistics.median(statistics.median(flooded) / statistics.median(quiet) for quiet, flooded in pairs)

    @property
    def slowest(self) -> tuple[float, float]:
        """The 99th percentile, without the flood and with it."""
        quiet, flooded = (statistics.quantiles(chain(*rounds), n=100)[-1] for rounds in (self.quiet, self.flooded))
        return quiet, flooded


def measure(folder: Path) -> tuple[dict[str, Times], float]:
    """Return response times of people from other networks, in turns without the flood and with it.

    Also return the forms a minute of the flood: fewer than intended, if the service could not keep up.
    """
    times: defaultdict[str, Times] = defaultdict(Times)
    flood = _Flood()
    with postgres(folder) as url, service(url, folder, GUICHET_TRUSTED_PROXIES="127.0.0.1") as (_, port):
        people = count()
        for _ in range(ROUNDS):
            for name, taken in _ask_for_a_while(port, people).items():
                times[name].quiet.append(taken)
            with flood.running(port):
                for name, taken in _ask_for_a_while(port, people).items():
                    times[name].flooded.append(taken)
    return times, flood.sent.value / (ROUNDS * SECONDS) * 60


def _ask_for_a_while(port: int, people: Iterator[int]) -> dict[str, list[float]]:
    """Send one look-up and one form after the other, each from another person. Return their times."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    times: defaultdict[str, list[float]] = defaultdict(list)
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        person = next(people)
        network = f"10.{person >> 16}.{person >> 8 & 255}.{person & 255}"
        for name, query, variables in (
            ("look-up", LOOK_UP, {"identifier": IDENTIFIER}),
            ("form, answered with a picture", CREATE_ACCOUNT, {"input": form(f"person-{person}@example.org")}),
        ):
            started = time.perf_counter()
            answer = _ask(connection, network, query, variables)
            times[name].append((time.perf_counter() - started) * 1000)
            assert "TOO_MANY_REQUESTS" not in answer
    connection.close()
    return times


class _Flood:
    """Forms from one network, sent at a constant rate by a process of their own."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self.sent = self._context.Value("i", 0)

    @contextlib.contextmanager
    def running(self, port: int) -> Iterator[None]:
        ready, over = self._context.Event(), self._context.Event()
        process = self._context.Process(target=_send_forms, args=(port, self.sent, ready.set, over.is_set))
        process.start()
        try:
            ready.wait()
            yield
        finally:
            over.set()
            process.join()


def _send_forms(port: int, sent: Synchronized[int], say_ready: Callable[[], None], is_over: Callable[[], bool]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    say_ready()
    started = time.perf_counter()
    for number in count():
        time.sleep(max(0.0, started + number * 60 / FORMS_A_MINUTE - time.perf_counter()))
        if is_over():
            return
        _ask(connection, FLOODING, CREATE_ACCOUNT, {"input": form(f"flood-{number}@example.org")})
        sent.value += 1


def _ask(connection: http.client.HTTPConnection, network: str, query: str, variables: Mapping[str, object]) -> str:
    body = json.dumps({"query": query, "variables": variables})
    connection.request("POST", "/graphql", body, {"Content-Type": "application/json", "X-Forwarded-For": network})
    return connection.getresponse().read().decode()
