"""`make bench`: prints the table that the README shows."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks import look_ups, sign_ups

SIGN_UPS = int(os.environ.get("BENCH_SIGN_UPS", "5000"))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours, by_hand, ratio = look_ups.measure(Path(folder))
    print("| CPU of the server | µs |\n| --- | ---: |")
    print(f"| one look-up | {ours:.0f} |")
    print(f"| the same by hand, Starlette and asyncpg | {by_hand:.0f} |")
    print(f"| median of the ratios, round by round | {ratio:.2f} × |\n")
    with tempfile.TemporaryDirectory() as folder:
        result = sign_ups.measure(Path(folder), SIGN_UPS)
    print(f"| {result.number} complete sign-ups, {sign_ups.CONCURRENT} at once | |\n| --- | ---: |")
    print(f"| a second | {result.number / result.seconds:.1f} |")
    print(f"| CPU each | {result.cpu:.1f} ms |")
    print(f"| of which argon2id | {result.cpu_of_argon2:.1f} ms |")
    print(f"| resident memory before | {result.memory_before:.0f} MB |")
    print(f"| resident memory after | {result.memory_after:.0f} MB |")


if __name__ == "__main__":
    main()
