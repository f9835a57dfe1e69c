"""`make bench` prints the tables of the documentation; `make bench PARTS=register` prints one of them."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from benchmarks import comparison, enumeration, flood, growth, register, sign_ups, storm, tables
from benchmarks.options import ADDRESSES, REGISTER_ROWS, SIGN_UPS
from benchmarks.publishing import publish


def main() -> None:
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()


def show_peers() -> None:
    found = comparison.measure()
    publish("peers", tables.of_comparison(found), found)


def show_growth() -> None:
    found = growth.measure()
    publish("growth", tables.of_growth(found), found)


def show_storm() -> None:
    found = storm.measure()
    publish("storm", tables.of_storms(found), found)


def show_sign_ups() -> None:
    with tempfile.TemporaryDirectory() as folder:
        result = sign_ups.measure(Path(folder), SIGN_UPS)
    print(f"| {result.number} complete sign-ups, {sign_ups.CONCURRENT} at once | |\n| --- | ---: |")
    print(f"| a second | {result.number / result.seconds:.1f} |")
    print(f"| CPU each, server and relay | {result.cpu:.1f} ms |")
    print(f"| of which all but argon2id | {result.rest:.1f} ms |")
    print(f"| one argon2id hash | {result.hash.cpu:.1f} ms |")
    print(f"| all but argon2id, to one hash | {result.ratio:.3f} × |")
    print(f"| resident memory before | {result.memory_before:.0f} MB |")
    print(f"| resident memory after | {result.memory_after:.0f} MB |")


def show_register() -> None:
    with tempfile.TemporaryDirectory() as folder:
        result = register.measure(Path(folder), REGISTER_ROWS)
    print(f"| {result.rows:,} rows into PostgreSQL | seconds | rate, to that of `\\copy` |\n| --- | ---: | ---: |")
    print(f"| psql's `\\copy` into the table with its index | {result.copy:.1f} | 1 |")
    for format_, seconds in result.imports.items():
        print(f"| `import-sirene`, {format_} | {seconds:.1f} | {result.ratios[format_]:.2f} |")
    print(f"\nMost memory of an import: {result.memory:.0f} MB\n")


def show_enumeration() -> None:
    """Print the gaps. Server and relay share one core; the caller has another."""
    print(f"| largest gap after, {ADDRESSES} addresses of each kind | with an account, ms | without | p | AUC |")
    print("| --- | ---: | ---: | ---: | ---: |")
    core = min(os.sched_getaffinity(0))
    for database in ("SQLite", "PostgreSQL"):
        with tempfile.TemporaryDirectory() as folder:
            gaps = enumeration.measure(Path(folder), ADDRESSES, on=database, core=core)
        for operation, found in gaps.items():
            for tries, difference in (("one try", found.single), ("median of five tries", found.over_tries)):
                known, unknown = difference.medians
                print(f"| `{operation}`, {database}, {tries}", end="")
                print(f" | {known:.2f} | {unknown:.2f} | {difference.p:.2f} | {difference.auc:.3f} |", flush=True)
    print()


def show_flood() -> None:
    with tempfile.TemporaryDirectory() as folder:
        times, forms_a_minute = flood.measure(Path(folder))
    print(f"| beside {forms_a_minute:,.0f} forms a minute | ratio of medians | slowest of 100, ms | without, ms |")
    print("| --- | ---: | ---: | ---: |")
    for operation, taken in times.items():
        quiet, flooded = taken.slowest
        print(f"| {operation} | {taken.ratio:.2f} × | {flooded:.0f} | {quiet:.0f} |")
    print()


PARTS = {
    "peers": show_peers,
    "growth": show_growth,
    "storm": show_storm,
    "sign_ups": show_sign_ups,
    "register": show_register,
    "enumeration": show_enumeration,
    "flood": show_flood,
}

if __name__ == "__main__":
    main()
