"""Figures as tables in Markdown: medians, with the lowest and the highest between brackets."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.comparison import Comparison
from benchmarks.contenders import CONTENDERS
from benchmarks.growth import Growth, median_start
from benchmarks.loads import LOADS
from benchmarks.rounds import Figures
from benchmarks.storm import Storms

YARDSTICKS = {"mercurius-jit": "of Mercurius with JIT", "mercurius-production": "of it in production"}
"""Servers whose CPU that of all others is related to, and the heads of these columns."""


def of_comparison(found: Comparison) -> str:
    """Return the machine, and a table for each load."""
    titles = {key: contender.title for key, contender in CONTENDERS.items()}
    return "\n\n".join([_machine(found.machine, found.rows), *_loads(found.figures, titles, YARDSTICKS)])


def of_growth(found: Growth) -> str:
    """Return tables of the start, of sizes of the register, of workers, and of memory under load."""
    start = median_start(found.starts)
    sizes = {str(rows): f"{rows:,} organisations" for rows in sorted({int(each.server) for each in found.sizes})}
    workers = {number: f"workers: {number}" for number in sorted({each.server for each in found.workers})}
    processes = ", ".join(f"{memory:.0f}" for memory in start.memory)
    return "\n\n".join(
        [
            _machine(found.machine, found.rows),
            _table(
                ["At the start", "median"],
                [
                    ["seconds to the first answer", f"{start.seconds:.2f}"],
                    ["memory of each process, MB", processes],
                ],
            ),
            *_loads(found.sizes, sizes, {next(iter(sizes)): "relative"}),
            *_loads(found.workers, workers, {next(iter(workers)): "relative"}),
            _table(
                ["Minutes of look-ups and sign-ups", "memory, MB"],
                [[f"{minutes:.1f}", f"{memory:.0f}"] for minutes, memory in found.memory],
            ),
        ]
    )


def of_storms(found: Storms) -> str:
    """Return a table of look-ups alone and in a storm of activations."""
    rounds = found.rounds
    rows = [
        ["alone", spread((e.quiet_p50 for e in rounds), ".2f"), spread((e.quiet_p99 for e in rounds), ".2f")],
        ["in a storm", spread((e.stormy_p50 for e in rounds), ".2f"), spread((e.stormy_p99 for e in rounds), ".2f")],
        ["ratio", "", f"{spread((e.ratio for e in rounds), '.2f')}"],
        ["activations a second in the storm", "", spread((e.activations for e in rounds), ".1f")],
    ]
    return f"{_machine(found.machine, found.rows)}\n\n{_table(['Look-ups', 'p50, ms', 'p99, ms'], rows)}"


def relative_cpu(figures: Iterable[Figures], server: str, yardstick: str) -> str:
    """Return the median, over the rounds, of the ratio of CPU to the yardstick's; – if that did not run."""
    cpu = {(each.server, each.round): each.cpu for each in figures}
    ratios = [
        cost / cpu[yardstick, number]
        for (each, number), cost in cpu.items()
        if each == server and (yardstick, number) in cpu
    ]
    return f"{statistics.median(ratios):.2f} ×" if ratios else "–"


def spread(values: Iterable[float], form: str) -> str:
    """Return the median of *values*, and between brackets the lowest and the highest."""
    ordered = sorted(values)
    return f"{statistics.median(ordered):{form}} ({ordered[0]:{form}}–{ordered[-1]:{form}})"


def _machine(machine: Mapping[str, str], rows: int) -> str:
    parts = ", ".join(f"{name} {value}" for name, value in machine.items())
    return f"{parts}; {rows:,} organisations."


def _loads(figures: Sequence[Figures], titles: Mapping[str, str], yardsticks: Mapping[str, str]) -> list[str]:
    """Return a table for each load, with its servers in the order of *titles*."""
    return [
        _load([each for each in figures if each.load == load], titles, yardsticks)
        for load in dict.fromkeys(each.load for each in figures)
    ]


def _load(figures: Sequence[Figures], titles: Mapping[str, str], yardsticks: Mapping[str, str]) -> str:
    rows = []
    for server, title in titles.items():
        if own := [each for each in figures if each.server == server]:
            rows.append(
                [
                    title,
                    spread((each.cpu for each in own), ",.0f"),
                    *(relative_cpu(figures, server, yardstick) for yardstick in yardsticks),
                    spread((each.rate for each in own), ",.0f"),
                    spread((each.p50 for each in own), ".2f"),
                    spread((each.p99 for each in own), ".2f"),
                    f"{statistics.median(each.memory for each in own):.0f}",
                ]
            )
    title = LOADS[figures[0].load].title
    return _table([title, "CPU each, µs", *yardsticks.values(), "a second", "p50, ms", "p99, ms", "memory, MB"], rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
