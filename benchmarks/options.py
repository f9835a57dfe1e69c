"""What a run of the benchmarks can be told, by environment variables or by `make bench NAME=VALUE`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def _folder(name: str) -> Path | None:
    given = os.environ.get(name)
    return Path(given).absolute() if given else None


SIGN_UPS = int(os.environ.get("BENCH_SIGN_UPS", "5000"))
REGISTER_ROWS = int(os.environ.get("BENCH_REGISTER_ROWS", "5000000"))
ADDRESSES = int(os.environ.get("BENCH_ADDRESSES", "40"))

SIZES = [int(rows) for rows in os.environ.get("BENCH_SIZES", "10000,2000000,20000000").split(",")]
"""Organisations in the registers that show what grows with them."""
LOAD_MINUTES = float(os.environ.get("BENCH_LOAD_MINUTES", "5"))
"""Minutes under load after which memory is read for the last time."""
ROWS = int(os.environ.get("BENCH_ROWS", "2000000"))
"""Organisations in the register."""
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "4"))
"""Seconds of each load in each round."""
FOLDER = _folder("BENCH_FOLDER")
"""Where databases stay between runs; without it, each run loads its own."""
OTHER = _folder("BENCH_OTHER")
"""Another checkout of this service, with its own `.venv`: to compare before and after."""
KEEP = bool(os.environ.get("BENCH_KEEP"))
"""Whether raw figures go to a file that git sees."""


def chosen(table: Mapping[str, T], variable: str) -> dict[str, T]:
    """Return the entries of *table* that *variable* names, separated by commas; all if it is not set."""
    given = os.environ.get(variable)
    names = given.split(",") if given else list(table)
    if unknown := [name for name in names if name not in table]:
        sys.exit(f"{variable}: {', '.join(unknown)} is none of {', '.join(table)}")
    return {name: table[name] for name in names}
