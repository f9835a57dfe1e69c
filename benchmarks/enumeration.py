"""Whether response times tell who has an account: those of both kinds of addresses, by turns, and a test of them."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from scipy.stats import mannwhitneyu

from benchmarks.servers import postgres, service
from benchmarks.sign_ups import ANSWER, CREATE_ACCOUNT, VERIFY_CAPTCHA, form
from models.account import Account
from models.database import database

PAUSE_SECONDS = 0.005
RESEND = "mutation ($input: ResendActivationMailInput!) { resendActivationMail(input: $input) { __typename } }"
QUERY = "{ __typename }"
KNOWN, UNKNOWN = "owner-{}@example.org", "other-{}@example.org"  # Of one length.
PEOPLE = {"known": KNOWN, "unknown": UNKNOWN}


@dataclass(slots=True)
class Times:
    """Response times of one operation, in milliseconds."""

    known: list[float] = field(default_factory=list)
    unknown: list[float] = field(default_factory=list)

    @property
    def medians(self) -> tuple[float, float]:
        return statistics.median(self.known), statistics.median(self.unknown)

    @property
    def p(self) -> float:
        """How likely such a difference is by chance alone (Mann–Whitney U, two-sided)."""
        return float(mannwhitneyu(self.known, self.unknown).pvalue)

    @property
    def guessed(self) -> float:
        """How often the slower of one known and one unknown address would be told apart rightly: ½ is by chance."""
        share = float(mannwhitneyu(self.known, self.unknown).statistic) / len(self.known) / len(self.unknown)
        return max(share, 1 - share)


def measure(folder: Path, number: int, *, relay: str) -> dict[str, Times]:
    """The times of each operation for *number* addresses with an account and as many without, in random order."""
    settings = {"GUICHET_RELAY": relay, "GUICHET_RATE_LIMITS": "off", "GUICHET_CAPTCHA": f"fixed:{ANSWER}"}
    with postgres(folder) as url:
        asyncio.run(_open_accounts(url, number))
        with service(url, folder, **settings) as (_, port):
            return _time(_Stopwatch(port), number)


async def _open_accounts(url: str, number: int) -> None:
    now = datetime.now(UTC)
    async with database(url):
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


class _Stopwatch:
    """One connection, and how long each answer takes on it."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.times: defaultdict[str, Times] = defaultdict(Times)

    def call(self, name: str, whose: str, query: str, typed: dict[str, object] | None = None) -> dict[str, str]:
        body = json.dumps({"query": query, "variables": {"input": typed}})
        started = time.perf_counter()
        self._connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse().read()
        milliseconds = (time.perf_counter() - started) * 1000
        getattr(self.times[name], whose).append(milliseconds)
        value = next(iter(json.loads(answer)["data"].values()))
        return value if isinstance(value, dict) else {}


def _time(stopwatch: _Stopwatch, number: int) -> dict[str, Times]:
    turns = [(whose, email.format(person)) for whose, email in PEOPLE.items() for person in range(number)]
    random.shuffle(turns)
    for whose, email in turns:
        _ask_all(stopwatch, whose, email)
    return stopwatch.times


def _ask_all(stopwatch: _Stopwatch, whose: str, email: str) -> None:
    """Each operation on an address, and after those that the relay takes up, another query at once."""
    pending = stopwatch.call("createAccount", whose, CREATE_ACCOUNT, form(email))
    stopwatch.call("verifyCaptcha", whose, VERIFY_CAPTCHA, {"registrationId": pending["id"], "answer": ANSWER})
    stopwatch.call("a query right after it", whose, QUERY)
    time.sleep(PAUSE_SECONDS)
    stopwatch.call("resendActivationMail", whose, RESEND, {"email": email})
    stopwatch.call("a query right after that", whose, QUERY)
    time.sleep(PAUSE_SECONDS)
