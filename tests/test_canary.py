"""A check of the check that no password is in any output: it can fail."""

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

# These tests are written to a file. Printing it would make this test itself leak.
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
def test_written_to_stderr(canary):
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
    """A test fails if it prints or logs a password, or writes one to a file or a database. Others pass."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    pytester.makeconftest("from tests.support.canary import pytest_runtest_makereport")
    pytester.makepyfile(TESTS)
    options = ("--override-ini=log_level=INFO", "-p", "no:cacheprovider", "-p", "no:xdist", "--junitxml=results.xml")
    result = pytester.runpytest_subprocess(*options)
    capfd.readouterr()
    # A password in a file is found after its test: that is an error, not a failure.
    result.assert_outcomes(failed=6, errors=4, passed=5)
    cases = ElementTree.parse(pytester.path / "results.xml").iter("testcase")  # noqa: S314 -- pytest wrote it.
    failed = [case.get("name", "").partition("[")[0] for case in cases if LEAK in "".join(case.itertext())]
    leaking = ("test_printed", "test_written_to_stderr", "test_logged", "test_written", "test_stored")
    assert Counter(failed) == dict.fromkeys(leaking, len(CANARIES))
