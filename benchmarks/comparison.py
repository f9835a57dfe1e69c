"""This service beside what people would pick instead: the same work, on the same PostgreSQL, in the same run."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from benchmarks import rounds
from benchmarks.contenders import chosen_contenders, running
from benchmarks.loads import LOADS
from benchmarks.machine import describe, leave_the_server_its_core
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
    leave_the_server_its_core()
    contenders, loads = chosen_contenders(), chosen(LOADS, "BENCH_LOADS")
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        database_url = stack.enter_context(postgres_with(ROWS, FOLDER or Path(temporary)))
        servers = {
            key: stack.enter_context(running(contender, database_url, Path(temporary)))
            for key, contender in contenders.items()
        }
        for server in servers.values():
            verify(server, ROWS)
        figures = rounds.measure(servers, loads, ROWS)
        for server in servers.values():
            verify(server, ROWS)
        return Comparison(describe(_postgres_version(database_url)), ROWS, figures)


def _postgres_version(database_url: str) -> str:
    async def ask() -> str:
        connection = await asyncpg.connect(database_url)
        try:
            return str(await connection.fetchval("SHOW server_version"))
        finally:
            await connection.close()

    return asyncio.run(ask())
