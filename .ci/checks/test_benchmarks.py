"""The benchmarks: what their page says of them, and that all servers are asked the same and compared rightly."""

from __future__ import annotations

import json
import random
import re
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

import pytest

from benchmarks.dialects import ByHand, Contract, OfTables, Request
from benchmarks.loads import LOADS, Load
from benchmarks.publishing import replace_tables
from benchmarks.rounds import Figures
from benchmarks.tables import relative_cpu, spread

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs/benchmarks.md").read_text(encoding="utf-8")
ROWS = 1_000
DIALECTS = (Contract(), OfTables(), ByHand())


def sirets_of(request: Request) -> list[str]:
    """Return the SIRETs that *request* asks for."""
    return re.findall(r"\b\d{14}\b", unquote(request.path) + request.body)


def figures(server: str, number: int, cpu: float) -> Figures:
    return Figures(server, "one", number, answered=1_000, cpu=cpu, rate=1.0, p50=1.0, p99=2.0, memory=100.0)


def test_every_option_is_described() -> None:
    """The page names each option that the code reads, and no other."""
    code = (PROJECT / "benchmarks").glob("*.py")
    read = {name for file in code for name in re.findall(r'"(BENCH_[A-Z_]+)"', file.read_text(encoding="utf-8"))}
    assert read == set(re.findall(r"BENCH_[A-Z_]+", PAGE))


@pytest.mark.parametrize("part", ["peers", "growth", "storm"])
def test_tables_that_are_kept_have_their_place(part: str) -> None:
    """New tables replace those of their part, and nothing else of the page changes."""
    replaced = replace_tables(PAGE, part, "| new |")
    assert replaced.count("| new |") == 1
    assert replace_tables(replaced, part, "| newer |") == replaced.replace("| new |", "| newer |")
    assert {line for line in PAGE.splitlines() if line.startswith("#")} <= set(replaced.splitlines())


@pytest.mark.parametrize("load", [load for load in LOADS.values() if not load.ours_alone], ids=lambda load: load.title)
def test_all_servers_are_asked_the_same(load: Load) -> None:
    """A round asks for the same organisations in every dialect, and another round for others."""
    asked = [[sirets_of(each) for each in islice(load.draw(dialect, ROWS, 1), 50)] for dialect in DIALECTS]
    assert asked[0] == asked[1] == asked[2]
    assert all(asked[0])
    assert asked[0] != [sirets_of(each) for each in islice(load.draw(DIALECTS[0], ROWS, 2), 50)]


def test_mixture_has_one_sign_up_in_twenty_requests() -> None:
    """The mixed load has 5 % first steps of sign-ups, each of somebody else."""
    requests = [each.body for each in LOADS["sign_ups"].draw(Contract(), ROWS, 1)]
    people = [json.loads(body)["variables"]["input"]["email"] for body in requests if "createAccount" in body]
    assert len(people) == len(set(people))
    assert len(people) / len(requests) == pytest.approx(0.05, rel=0.2)


def test_zipf_asks_for_the_first_far_more_often() -> None:
    """Of a thousand organisations, the first ten get a third of the look-ups, as 1/n gives."""
    requests = LOADS["zipf"].requests(Contract(), ROWS, random.Random(1))  # noqa: S311
    asked = [sirets_of(each)[0] for each in islice(requests, 10_000)]
    first = set(sorted(set(asked))[:10])
    assert sum(each in first for each in asked) / len(asked) == pytest.approx(1 / 3, rel=0.1)


def test_cost_is_compared_round_by_round() -> None:
    """The ratio is the median of the rounds' ratios: a busy round of both servers does not change it."""
    rounds = [(100.0, 50.0), (300.0, 150.0), (90.0, 60.0)]
    compared = [
        each
        for number, (ours, theirs) in enumerate(rounds)
        for each in (figures("ours", number, ours), figures("theirs", number, theirs))
    ]
    assert relative_cpu(compared, "ours", "theirs") == "2.00 ×"
    assert relative_cpu(compared, "ours", "absent") == "–"
    assert spread((cpu for cpu, _ in rounds), ".0f") == "100 (90–300)"
