"""Fail where tests were skipped: `no_skips.py REPORT`, a report of pytest in the format of JUnit."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def main(report: Path) -> None:
    """Exit with the number of skipped tests, if there are any.

    :raises SystemExit: tests were skipped, or there were none at all.
    """
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))  # noqa: S314  # Pytest has written it.
    if not sum(int(suite.get("tests", 0)) for suite in suites):
        sys.exit("No test was run")
    if skipped := sum(int(suite.get("skipped", 0)) for suite in suites):
        sys.exit(f"{skipped} tests were skipped: here, nothing may be missing")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
