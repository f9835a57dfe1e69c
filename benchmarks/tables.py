"""Figures as tables of the documentation, and as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.comparison import Comparison
from benchmarks.contenders import CONTENDERS
from benchmarks.loads import LOADS
from benchmarks.options import KEEP
from benchmarks.rounds import Figures

RESULTS = Path(__file__).with_name("results")
YARDSTICK = "mercurius-jit"


def print_comparison(comparison: Comparison) -> None:
    """Print a table for each load: medians of the rounds, and between brackets the lowest and the highest."""
    print("; ".join(f"{name} {value}" for name, value in comparison.machine.items()))
    print(f"{comparison.rows:,} organisations.\n")
    for load in dict.fromkeys(each.load for each in comparison.figures):
        _print_load(load, [each for each in comparison.figures if each.load == load])


def _print_load(load: str, figures: Sequence[Figures]) -> None:
    yardstick = CONTENDERS[YARDSTICK].title
    columns = (LOADS[load].title, "CPU each, µs", f"of {yardstick}'s", "a second", "p50, ms", "p99, ms", "memory, MB")
    print(f"| {' | '.join(columns)} |")
    print(f"| --- |{' ---: |' * (len(columns) - 1)}")
    for server in dict.fromkeys(each.server for each in sorted(figures, key=_place)):
        own = [each for each in figures if each.server == server]
        cells = [
            CONTENDERS[server].title,
            _range(own, lambda each: each.cpu, ".0f"),
            _ratio(figures, server),
            _range(own, lambda each: each.rate, ",.0f"),
            _range(own, lambda each: each.p50, ".2f"),
            _range(own, lambda each: each.p99, ".2f"),
            f"{statistics.median(each.memory for each in own):.0f}",
        ]
        print(f"| {' | '.join(cells)} |")
    print()


def _place(figures: Figures) -> int:
    return list(CONTENDERS).index(figures.server)


def _range(figures: Iterable[Figures], value: Callable[[Figures], float], form: str) -> str:
    values = [value(each) for each in figures]
    return f"{statistics.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def _ratio(figures: Iterable[Figures], server: str) -> str:
    """Return the median, over the rounds, of the ratio of CPU to the yardstick's; – if it did not run."""
    cpu = {(each.server, each.round): each.cpu for each in figures}
    ratios = [
        cost / cpu[YARDSTICK, number]
        for (each, number), cost in cpu.items()
        if each == server and (YARDSTICK, number) in cpu
    ]
    return f"{statistics.median(ratios):.2f} ×" if ratios else "–"


def keep(name: str, result: Comparison) -> Path:
    """Write the raw figures. Git ignores the file, unless `BENCH_KEEP` is set: then it has the day in its name."""
    now = datetime.now(UTC)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / (f"{now:%Y-%m-%d}-{name}.json" if KEEP else f"{name}.json")
    content = {"measured": now.isoformat(timespec="seconds")} | asdict(result)
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return file
