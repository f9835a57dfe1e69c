"""The largest gap between answers after an operation: can its timing tell who has an account?

The caller sends an operation and a row of tiny queries after it, in one piece. Work that delays these queries shows as
a gap between their answers. More queries follow until the relay must have claimed its messages.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from scipy.stats import mannwhitneyu

from api.clock import utc_now
from benchmarks.servers import postgres, service
from benchmarks.sign_ups import ANSWER, CREATE_ACCOUNT, VERIFY_CAPTCHA, form
from models.account import Account
from models.database.connections import database
from models.database.migration import migrate
from models.database.url import parse_database_url

TRIES = 5
PROBES = 30
RELAYED_SECONDS = 0.65
"""The relay reads the outbox twice a second, so some probes come while it works."""
RESEND = "mutation ($input: ResendActivationMailInput!) { resendActivationMail(input: $input) { __typename } }"
POST = b"POST /graphql HTTP/1.1\r\nHost: guichet\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
PROBE = b"GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nHost: guichet\r\n\r\n"
KNOWN, UNKNOWN = "owner-{}@example.org", "other-{}@example.org"  # Of one length.
PEOPLE = {"known": KNOWN, "unknown": UNKNOWN}


@dataclass(slots=True)
class Gaps:
    """The largest gap after one operation, in milliseconds, for each address and each try."""

    known: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    unknown: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def single(self) -> Difference:
        """The difference over single tries."""
        return Difference(*([gap for gaps in people.values() for gap in gaps] for people in self._both))

    @property
    def over_tries(self) -> Difference:
        """The difference over medians of all tries of one address."""
        return Difference(*([statistics.median(gaps) for gaps in people.values()] for people in self._both))

    @property
    def _both(self) -> tuple[defaultdict[str, list[float]], defaultdict[str, list[float]]]:
        return self.known, self.unknown


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference between addresses with an account and those without."""

    known: Sequence[float]
    unknown: Sequence[float]

    @property
    def medians(self) -> tuple[float, float]:
        return statistics.median(self.known), statistics.median(self.unknown)

    @property
    def p(self) -> float:
        """The probability of such a difference by chance alone (Mann–Whitney U, two-sided)."""
        return float(mannwhitneyu(self.known, self.unknown).pvalue)

    @property
    def auc(self) -> float:
        """The probability that an address with an account has a larger gap than one without; ½ is chance."""
        return float(mannwhitneyu(self.known, self.unknown).statistic) / len(self.known) / len(self.unknown)


def measure(folder: Path, number: int, *, on: str, core: int) -> dict[str, Gaps]:
    """Return the gaps after each operation for *number* addresses with an account and as many without.

    The order of addresses is random. *on* names the kind of database. Server and relay share *core*, where they delay
    each other most.
    """
    settings = {"GUICHET_RATE_LIMITS": "off", "GUICHET_CAPTCHA": f"fixed:{ANSWER}"}
    with _database(on, folder) as url:
        asyncio.run(_open_accounts(url, number))
        with ExitStack() as running:
            with _pinned(core):
                _, port = running.enter_context(service(url, folder, **settings))
            return _measure(port, number)


@contextmanager
def _pinned(core: int) -> Iterator[None]:
    """Keep processes that start in the block on *core*."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "PostgreSQL":
        with postgres(folder) as url:
            yield url
        return
    url = f"sqlite://{folder / 'guichet.db'}"
    asyncio.run(migrate(parse_database_url(url)))
    yield url


async def _open_accounts(url: str, number: int) -> None:
    now = utc_now()
    async with database(parse_database_url(url)):
        await Account.bulk_create(
            Account(
                email=KNOWN.format(person),
                email_canonical=KNOWN.format(person),
                password_hash="$argon2id$",  # noqa: S106  # Nobody signs in here.
                first_name="Camille",
                last_name="Durand",
                contact_email=KNOWN.format(person),
                language="fr",
                terms_version="1",
                terms_accepted_at=now,
                survey_consent=False,
                created_at=now,
            )
            for person in range(number)
        )


def _measure(port: int, number: int) -> dict[str, Gaps]:
    gaps: defaultdict[str, Gaps] = defaultdict(Gaps)
    turns = [(whose, email.format(person)) for whose, email in PEOPLE.items() for person in range(number)] * TRIES
    random.shuffle(turns)
    for whose, email in turns:
        for operation, largest in _ask_all(port, email):
            getattr(gaps[operation], whose)[email].append(largest)
    return gaps


def _ask_all(port: int, email: str) -> Iterator[tuple[str, float]]:
    """Send each operation for an address, on a connection of its own. Yield its name and the largest gap."""
    with _Connection(port) as connection:
        pending, gap = connection.ask(CREATE_ACCOUNT, form(email))
        yield "createAccount", gap
    with _Connection(port) as connection:
        _, gap = connection.ask(VERIFY_CAPTCHA, {"registrationId": pending["id"], "answer": ANSWER}, relayed=True)
        yield "verifyCaptcha", gap
    with _Connection(port) as connection:
        _, gap = connection.ask(RESEND, {"email": email}, relayed=True)
        yield "resendActivationMail", gap


class _Connection:
    """One connection that times each answer."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, query: str, entered: dict[str, object], *, relayed: bool = False) -> tuple[dict[str, str], float]:
        """Return the answer, and the largest gap after it in milliseconds; *relayed*: until the relay has worked."""
        body = json.dumps({"query": query, "variables": {"input": entered}}).encode()
        self._socket.sendall(POST % len(body) + body + PROBE * PROBES)
        value = next(iter(json.loads(self._answer())["data"].values()))
        times = [time.perf_counter()]
        for _ in range(PROBES):
            self._answer()
            times.append(time.perf_counter())
        largest = max(after - before for before, after in pairwise(times))
        end = times[0] + (RELAYED_SECONDS if relayed else 0)
        while time.perf_counter() < end:
            began = time.perf_counter()
            self._socket.sendall(PROBE)
            self._answer()
            largest = max(largest, time.perf_counter() - began)
        return value, largest * 1000

    def _answer(self) -> bytes:
        """Return the body of the next answer."""
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, rest = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(rest) < length:
            self._receive()
            rest = self._received.partition(b"\r\n\r\n")[2]
        self._received = rest[length:]
        return rest[:length]

    def _receive(self) -> None:
        received = self._socket.recv(1 << 16)
        assert received, "the server has closed the connection"
        self._received += received
