"""Figures as tables of the documentation, and as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.loads import LOADS
from benchmarks.options import KEEP

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from benchmarks.rounds import Figures

RESULTS = Path(__file__).with_name("results")


def print_machine(machine: Mapping[str, str]) -> None:
    print(f"{'; '.join(f'{name} {value}' for name, value in machine.items())}\n")


def print_loads(figures: Sequence[Figures], titles: Mapping[str, str], yardstick: str) -> None:
    """Print a table for each load, with its servers in the order of *titles*.

    It has medians of the rounds, the lowest and the highest in brackets, and CPU in relation to that of *yardstick*.
    """
    for load in dict.fromkeys(each.load for each in figures):
        of_load = [each for each in figures if each.load == load]
        print_header(LOADS[load].title, "CPU each, µs", "relative", "a second", "p50, ms", "p99, ms", "memory, MB")
        for server, title in titles.items():
            if own := [each for each in of_load if each.server == server]:
                print_row(
                    title,
                    spread((each.cpu for each in own), ".0f"),
                    _relative_cpu(of_load, server, yardstick),
                    spread((each.rate for each in own), ",.0f"),
                    spread((each.p50 for each in own), ".2f"),
                    spread((each.p99 for each in own), ".2f"),
                    f"{statistics.median(each.memory for each in own):.0f}",
                )
        print()


def print_header(*columns: str) -> None:
    print_row(*columns)
    print(f"| --- |{' ---: |' * (len(columns) - 1)}")


def print_row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def spread(values: Iterable[float], form: str) -> str:
    """Return the median of *values*, and in brackets the lowest and the highest."""
    ordered = sorted(values)
    return f"{statistics.median(ordered):{form}} ({ordered[0]:{form}}–{ordered[-1]:{form}})"


def _relative_cpu(figures: Iterable[Figures], server: str, yardstick: str) -> str:
    """Return the median, over the rounds, of the ratio of CPU to the yardstick's; – if that did not run."""
    cpu = {(each.server, each.round): each.cpu for each in figures}
    ratios = [
        cost / cpu[yardstick, number]
        for (each, number), cost in cpu.items()
        if each == server and (yardstick, number) in cpu
    ]
    return f"{statistics.median(ratios):.2f} ×" if ratios else "–"


def keep(name: str, result: DataclassInstance) -> Path:
    """Write the raw figures. Git ignores the file, unless `BENCH_KEEP` is set: then it has the day in its name."""
    now = datetime.now(UTC)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / (f"{now:%Y-%m-%d}-{name}.json" if KEEP else f"{name}.json")
    content = {"measured": now.isoformat(timespec="seconds")} | asdict(result)
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return file
