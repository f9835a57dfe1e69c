"""The time that the rate limits read, which tests can move."""

from __future__ import annotations

import pytest

from api.limits import rate_limits
from api.limits import storage as rate_limit_storage


class Stopwatch:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    stopwatch = Stopwatch()
    for module in (rate_limits, rate_limit_storage):
        monkeypatch.setattr(module, "time", stopwatch)
    return stopwatch
