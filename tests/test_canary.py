"""The check that no password is in any output, which is made after every test: it can fail."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from tests.support.canary import CANARIES
from tests.support.program import PROJECT

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["pytester"]

LEAK = "A password that was sent is in: "

# The tests are written to a file, of which nothing is quoted here: it would be an output of this test as well.
TESTS = """
import logging
import sqlite3
import sys

import pytest

from tests.support.canary import CANARIES

canaries = pytest.mark.parametrize("canary", CANARIES, ids=["first", "second"])

@canaries
def test_printed(canary):
    print(f"sent: {canary}.")

@canaries
def test_complained(canary):
    sys.stderr.write(canary)

@canaries
def test_logged(canary):
    logging.getLogger("api.logs").info("%s", {"password": canary})

@canaries
def test_written(canary, tmp_path):
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "server.log").write_bytes(b"\\xff" + canary.encode())

@canaries
def test_stored(canary, tmp_path):
    sqlite3.connect(tmp_path / "guichet.db").executescript(f"CREATE TABLE t AS SELECT '{canary}' AS p")

def test_harmless(tmp_path):
    print("Soleil-Brumeux-43")
    logging.getLogger("api.logs").debug(CANARIES[0])
    (tmp_path / "empty").touch()
"""


def test_password_in_an_output_fails_the_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A test during which a password is printed, logged, or written to a file or a database fails, and no other."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    pytester.makeconftest("from tests.support.canary import pytest_runtest_makereport")
    pytester.makepyfile(TESTS)
    options = ("--override-ini=log_level=INFO", "-p", "no:cacheprovider", "-p", "no:xdist", "--junitxml=results.xml")
    result = pytester.runpytest_subprocess(*options)
    capfd.readouterr()
    # What is in a file is found when its test is over: that is an error, not a failure.
    result.assert_outcomes(failed=6, errors=4, passed=5)
    cases = ElementTree.parse(pytester.path / "results.xml").iter("testcase")  # noqa: S314 -- pytest wrote it.
    failed = [case.get("name", "").partition("[")[0] for case in cases if LEAK in "".join(case.itertext())]
    leaking = ("test_printed", "test_complained", "test_logged", "test_written", "test_stored")
    assert Counter(failed) == dict.fromkeys(leaking, len(CANARIES))
