"""The passwords that tests send must be in no output: not in the log, on no stream, in no file of a service.

They are looked for after every test of the whole suite, as canaries were in mines. `tests/conftest.py` has the hook.
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

# Programs that tests copy there, to run them: the example clients choose a password in their source.
COPIED = {"python", "typescript", "node_modules"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test after which a password is in what was captured meanwhile, or in a file of its own folder."""
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
    """The files in *folder* that have a password in them, databases, logs and mails alike."""
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
        if path.stat().st_size == 0:  # Which can't be mapped.
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.find(canary.encode()) >= 0 for canary in CANARIES)
