"""Response times of look-ups, alone and while accounts are activated: each activation hashes a password by argon2id."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.contenders import CONTENDERS, GENEROUS, Running, running
from benchmarks.loads import LOADS
from benchmarks.machine import CORES, describe
from benchmarks.options import FOLDER, ROUNDS, ROWS, SECONDS
from benchmarks.organisations import postgres_with
from benchmarks.rounds import WARM_UP_SECONDS, write_requests
from benchmarks.sign_ups import ANSWER, activate, collect_tokens
from benchmarks.wrk import replay

AT_ONCE = 16
"""Activations that are under way at any moment of a storm: enough for all threads, and none is refused."""
ACTIVATIONS_A_SECOND = 16 * len(CORES)
"""More than argon2 can do."""
OPEN_DOORS = {"GUICHET_RATE_LIMITS": GENEROUS, "GUICHET_CAPTCHA": f"fixed:{ANSWER}"}


@dataclass(frozen=True, slots=True)
class Round:
    """Look-ups without a storm and with one: milliseconds of an answer."""

    quiet_p50: float
    quiet_p99: float
    stormy_p50: float
    stormy_p99: float
    activations: float
    """A second, beside these look-ups."""

    @property
    def ratio(self) -> float:
        return self.stormy_p99 / self.quiet_p99


@dataclass(frozen=True, slots=True)
class Storms:
    """All rounds, and the machine on which service, load and PostgreSQL share every core."""

    machine: dict[str, str]
    rows: int
    rounds: list[Round]


def measure() -> Storms:
    """Look up organisations for some seconds, then again in a storm, in turns."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with (
            postgres_with(ROWS, FOLDER or folder) as database,
            running(CONTENDERS["guichet"].developing(OPEN_DOORS), database, folder, cores=CORES) as server,
        ):
            number = ROUNDS * (SECONDS + 1) * ACTIVATIONS_A_SECOND
            print(f"{number} people sign up first", file=sys.stderr)
            tokens = iter(asyncio.run(collect_tokens(server.port, folder / "mailbox", number)))
            replay(write_requests(server, LOADS["one"], ROUNDS, folder), server.port, WARM_UP_SECONDS)
            rounds = [_measure_once(server, tokens, seed, folder) for seed in range(ROUNDS)]
            return Storms(describe(database.version()), ROWS, rounds)


def _measure_once(server: Running, tokens: Iterator[str], seed: int, folder: Path) -> Round:
    requests = write_requests(server, LOADS["one"], seed, folder)
    quiet = replay(requests, server.port, SECONDS)
    storm = _Storm(server.port, tokens)
    with storm.raging():
        stormy = replay(requests, server.port, SECONDS)
    return Round(quiet.p50, quiet.p99, stormy.p50, stormy.p99, storm.activated / stormy.seconds)


class _Storm:
    """Activations without a pause, from a thread of their own: they cost it little beside what argon2 costs."""

    def __init__(self, port: int, tokens: Iterable[str]) -> None:
        self._port = port
        self._tokens = tokens
        self._begun = threading.Event()
        self._over = threading.Event()
        self.activated = 0

    @contextmanager
    def raging(self) -> Iterator[None]:
        thread = threading.Thread(target=lambda: asyncio.run(self._rage()))
        thread.start()
        self._begun.wait()
        self.activated = 0
        try:
            yield
        finally:
            raged_to_the_end = thread.is_alive()
            self._over.set()
            thread.join()
        assert raged_to_the_end, "the storm ended before the look-ups did"

    async def _rage(self) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._port}", timeout=60) as http:
            await asyncio.gather(*(self._activate_in_turn(http) for _ in range(AT_ONCE)))

    async def _activate_in_turn(self, http: httpx.AsyncClient) -> None:
        for token in self._tokens:
            await activate(http, token)
            self.activated += 1
            self._begun.set()
            if self._over.is_set():
                return
