"""The cost of a look-up as the register and the workers grow in number, memory as time goes by, and the start."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import rounds
from benchmarks.contenders import CONTENDERS, running
from benchmarks.loads import LOADS
from benchmarks.machine import CORES, describe, server_core_left_alone
from benchmarks.options import FOLDER, LOAD_MINUTES, ROUNDS, ROWS, SIZES
from benchmarks.organisations import Database, postgres_with
from benchmarks.rounds import Figures, write_requests
from benchmarks.servers import family, memory_megabytes, settled_cpu
from benchmarks.verification import verify
from benchmarks.wrk import replay

READINGS = 10
SERVICE = CONTENDERS["guichet"]
WORKERS = (1, 2)


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the command to the first answer to a look-up; resident megabytes of each process once it idles.

    The largest comes first: the one that serves.
    """

    seconds: float
    memory: list[float]


@dataclass(frozen=True, slots=True)
class Growth:
    """All that was measured, and the machine. Servers of *sizes* are named by rows, those of *workers* by their number.

    *memory* has minutes of mixed load, and the resident megabytes of the whole service after them.
    """

    machine: dict[str, str]
    rows: int
    starts: list[Start]
    sizes: list[Figures]
    workers: list[Figures]
    memory: list[tuple[float, float]]


def measure() -> Growth:
    """Measure each in turn, on registers that stay between runs if `BENCH_FOLDER` is set."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        kept = FOLDER or folder
        with postgres_with(ROWS, kept) as database:
            starts = [_start(database, folder) for _ in range(ROUNDS)]
            workers = _compare_workers(database, folder)
            memory = _watch_memory(database, folder)
            machine = describe(database.version())
        return Growth(machine, ROWS, starts, _compare_sizes(kept, folder), workers, memory)


def _start(database: Database, folder: Path) -> Start:
    began = time.perf_counter()
    with running(SERVICE, database, folder, cores=CORES) as server:
        verify(server, samples=1)
        seconds = time.perf_counter() - began
        settled_cpu(server.process)
        return Start(seconds, sorted((each.memory_info().rss / 1e6 for each in family(server.process)), reverse=True))


def _compare_sizes(kept: Path, folder: Path) -> list[Figures]:
    """Return figures of look-ups in registers of several sizes, each in its own PostgreSQL."""
    with server_core_left_alone(), ExitStack() as stack:
        databases = [stack.enter_context(postgres_with(rows, kept)) for rows in SIZES]
        servers = {str(each.rows): stack.enter_context(running(SERVICE, each, folder)) for each in databases}
        for server in servers.values():
            verify(server)
        return rounds.measure(servers, {"one": LOADS["one"]})


def _compare_workers(database: Database, folder: Path) -> list[Figures]:
    """Return figures of look-ups by one worker and by two, both with limits in Redis, on all cores."""
    with ExitStack() as stack:
        servers = {
            str(number): stack.enter_context(
                running(CONTENDERS["guichet-redis"].with_workers(number), database, folder, cores=CORES)
            )
            for number in WORKERS
        }
        return rounds.measure(servers, {"one": LOADS["one"]})


def _watch_memory(database: Database, folder: Path) -> list[tuple[float, float]]:
    """Return the resident memory, read again and again under a mixed load of look-ups and sign-ups."""
    seconds = round(LOAD_MINUTES * 60 / READINGS)
    with server_core_left_alone(), running(SERVICE, database, folder) as server:
        settled_cpu(server.process)
        readings = [(0.0, memory_megabytes(server.process))]
        for number in range(1, READINGS + 1):
            replay(write_requests(server, LOADS["sign_ups"], number, folder), server.port, seconds)
            readings.append((number * seconds / 60, memory_megabytes(server.process)))
            print(f"memory: {number} of {READINGS}", file=sys.stderr)
        return readings


def median_start(starts: list[Start]) -> Start:
    """Return the medians of *starts*, process by process."""
    by_process = zip(*(each.memory for each in starts), strict=True)
    return Start(statistics.median(each.seconds for each in starts), [statistics.median(each) for each in by_process])
