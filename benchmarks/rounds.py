"""Rounds: every server under every load in turn, again and again, and what each cost."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import Running
from benchmarks.dialects import as_lines
from benchmarks.loads import Load
from benchmarks.wrk import replay

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
WARM_UP_SECONDS = 2
SETTLING_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Figures:
    """What one server did in one round of one load."""

    server: str
    load: str
    round: int
    requests: int
    cpu: float
    """Microseconds of CPU for a request."""
    rate: float
    """Requests a second."""
    p50: float
    p99: float
    """Milliseconds."""
    memory: float
    """Resident megabytes, at the end."""


def measure(servers: Mapping[str, Running], loads: Mapping[str, Load], rows: int) -> list[Figures]:
    """Return the figures of all rounds. The order of the servers changes from round to round."""
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for name, load in loads.items():
            able = [key for key, server in servers.items() if server.contender.is_ours or not load.ours_alone]
            for key in able:
                replay(_requests(servers[key], load, rows, -1, Path(folder)), servers[key].port, WARM_UP_SECONDS)
            for number in range(ROUNDS):
                for key in random.sample(able, len(able)):
                    requests = _requests(servers[key], load, rows, number, Path(folder))
                    figures.append(_measure_once(key, servers[key], name, number, requests))
                print(f"{load.title}: round {number + 1} of {ROUNDS}", file=sys.stderr)
    return figures


def _requests(server: Running, load: Load, rows: int, seed: int, folder: Path) -> Path:
    file = folder / "requests"
    file.write_text(as_lines(load.draw(server.contender.dialect, rows, seed)), encoding="utf-8")
    return file


def _measure_once(key: str, server: Running, load: str, number: int, requests: Path) -> Figures:
    before = server.cpu
    answered = replay(requests, server.port, SECONDS)
    time.sleep(SETTLING_SECONDS)  # Whatever is written behind an answer belongs to it.
    cpu = (server.cpu - before) / answered.requests * 1e6
    rate = answered.requests / answered.seconds
    return Figures(key, load, number, answered.requests, cpu, rate, answered.p50, answered.p99, server.memory)
