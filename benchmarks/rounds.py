"""Rounds: every server under every load in turn, again and again, and what each cost."""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import Running
from benchmarks.dialects import as_lines
from benchmarks.loads import Load
from benchmarks.options import ROUNDS, SECONDS
from benchmarks.servers import cpu_seconds, memory_megabytes, settled_cpu
from benchmarks.wrk import replay

WARM_UP_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Figures:
    """What one server did in one round of one load."""

    server: str
    load: str
    round: int
    answered: int
    cpu: float
    """Microseconds of CPU for a request."""
    rate: float
    """Requests a second."""
    p50: float
    p99: float
    """Milliseconds."""
    memory: float
    """Resident megabytes, at the end."""


def measure(servers: Mapping[str, Running], loads: Mapping[str, Load]) -> list[Figures]:
    """Return the figures of all rounds. The order of the servers changes from round to round."""
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for name, load in loads.items():
            able = [key for key, server in servers.items() if server.contender.is_ours or not load.ours_alone]
            for key in able:
                replay(
                    write_requests(servers[key], load, ROUNDS, Path(folder)),
                    servers[key].port,
                    min(SECONDS, WARM_UP_SECONDS),
                )
            for number in range(ROUNDS):
                for key in random.sample(able, len(able)):
                    requests = write_requests(servers[key], load, number, Path(folder))
                    figures.append(_measure_once(key, servers[key], name, number, requests))
                print(f"{load.title}: round {number + 1} of {ROUNDS}", file=sys.stderr)
    return figures


def write_requests(server: Running, load: Load, seed: int, folder: Path) -> Path:
    """Write the requests of one round into a file of *folder*, in the server's dialect. Return the file."""
    file = folder / "requests"
    requests = load.draw(server.contender.dialect, server.database.rows, seed)
    file.write_text(as_lines(requests), encoding="utf-8")
    return file


def _measure_once(key: str, server: Running, load: str, number: int, requests: Path) -> Figures:
    before = cpu_seconds(server.process)
    seen = replay(requests, server.port, SECONDS)
    cpu = (settled_cpu(server.process) - before) / seen.sent * 1e6
    rate = seen.answered / seen.seconds
    return Figures(key, load, number, seen.answered, cpu, rate, seen.p50, seen.p99, memory_megabytes(server.process))
