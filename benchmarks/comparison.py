"""This service beside what people would pick instead: the same work, on the same PostgreSQL, in the same run."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import rounds
from benchmarks.contenders import chosen_contenders, running
from benchmarks.loads import LOADS
from benchmarks.machine import describe, require, server_core_left_alone
from benchmarks.options import FOLDER, ROWS, chosen
from benchmarks.organisations import postgres_with
from benchmarks.rounds import Figures
from benchmarks.verification import verify


@dataclass(frozen=True, slots=True)
class Comparison:
    """All figures of a run, and the machine that they come from."""

    machine: dict[str, str]
    rows: int
    figures: list[Figures]


def measure() -> Comparison:
    """Compare the servers under the loads, or those that `BENCH_SERVERS` and `BENCH_LOADS` name."""
    require("wrk", "wrk")
    contenders, loads = chosen_contenders(), chosen(LOADS, "BENCH_LOADS")
    with tempfile.TemporaryDirectory() as temporary, server_core_left_alone(), ExitStack() as stack:
        folder = Path(temporary)
        database = stack.enter_context(postgres_with(ROWS, FOLDER or folder))
        servers = {
            key: stack.enter_context(running(contender, database, folder)) for key, contender in contenders.items()
        }
        for server in servers.values():
            verify(server)
        figures = rounds.measure(servers, loads)
        for server in servers.values():
            verify(server)
        return Comparison(describe(database.version()), ROWS, figures)
