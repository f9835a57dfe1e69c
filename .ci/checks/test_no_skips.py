"""The check of skipped tests."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "no_skips.py"


def check(report: Path, attributes: str) -> None:
    report.write_text(f"<testsuites><testsuite {attributes}/></testsuites>", encoding="utf-8")
    runpy.run_path(str(SCRIPT))["main"](report)


def test_run_without_a_skipped_test_passes(tmp_path: Path) -> None:
    """A report of tests that all ran is accepted."""
    check(tmp_path / "tests.xml", 'tests="2" skipped="0"')


@pytest.mark.parametrize(
    ("attributes", "words"), [('tests="2" skipped="1"', "1 tests were skipped"), ('tests="0"', "No test was run")]
)
def test_skipped_or_missing_tests_fail(tmp_path: Path, attributes: str, words: str) -> None:
    """A report with a skipped test, or with none at all, ends in a message."""
    with pytest.raises(SystemExit, match=words):
        check(tmp_path / "tests.xml", attributes)
