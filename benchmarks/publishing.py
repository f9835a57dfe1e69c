"""Where figures go: tables to the terminal and, if they are kept, into the documentation; raw figures into a file."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.options import KEEP

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RESULTS = Path(__file__).with_name("results")
DOCUMENT = Path(__file__).parents[1] / "docs/benchmarks.md"


def publish(part: str, tables: str, figures: DataclassInstance) -> None:
    """Print *tables* and write the raw *figures*, which git ignores.

    With `BENCH_KEEP`, the tables replace the last ones in the documentation, and git sees the raw figures.
    """
    now = datetime.now(UTC)
    print(f"{tables}\n")
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / (f"{now:%Y-%m-%d}-{part}.json" if KEEP else f"{part}.json")
    content = {"measured": now.isoformat(timespec="seconds")} | asdict(figures)
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"The raw figures: {file}", file=sys.stderr)
    if KEEP:
        document = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(replace_tables(document, part, f"Measured on {now:%Y-%m-%d}. {tables}"), encoding="utf-8")


def replace_tables(document: str, part: str, tables: str) -> str:
    """Return *document* with *tables* between the two marks of *part*."""
    before, begin, rest = document.partition(f"<!-- make bench PARTS={part}: begin -->\n")
    _, end, after = rest.partition("<!-- end -->\n")
    assert begin, f"the page has no place for {part}"
    assert end, f"the place for {part} has no end"
    return f"{before}{begin}\n{tables}\n\n{end}{after}"
