"""A check that the passwords tests send appear in no output: no log, no stream, no file of a service.

It runs after every test of the suite. `tests/conftest.py` installs the hook.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.client import PASSWORD, SECRET

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

CANARIES = (PASSWORD, SECRET)

# Copies of the example clients, whose source chooses a password.
COPIED = {"python", "typescript", "node_modules"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that leaves a password in its captured output or in a file of its own folder."""
    report = yield
    captured = ((name, text) for name, text in report.sections if name.endswith(f" {call.when}"))
    leaks = [name for name, text in captured if any(canary in text for canary in CANARIES)]
    if call.when == "teardown":
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        leaks += map(str, files_with_canary(folder) if folder else ())
    if leaks and not report.failed:
        report.outcome = "failed"
        report.longrepr = f"A password that was sent is in: {', '.join(leaks)}"
    return report


def files_with_canary(folder: Path) -> list[Path]:
    """Return the files in *folder* that contain a password: databases, logs and mails alike."""
    return [path for path in _files(folder) if _has_canary(path)]


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_symlink():
            continue
        if path.is_dir() and path.name not in COPIED:
            yield from _files(path)
        elif path.is_file():
            yield path


def _has_canary(path: Path) -> bool:
    with path.open("rb") as file:
        if path.stat().st_size == 0:  # An empty file can't be mapped.
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.find(canary.encode()) >= 0 for canary in CANARIES)
