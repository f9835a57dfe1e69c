"""The garbage collector, which need not walk through the modules and the collected tests again and again."""

from __future__ import annotations

import gc

from api.server.processes import COLLECTOR_THRESHOLDS


def pytest_sessionstart() -> None:
    """Collect nothing while modules are imported and tests collected: all of that stays."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Hide all objects that exist from the collector, and run it as seldom as `guichet serve` does."""
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    gc.enable()


def pytest_unconfigure() -> None:
    """Let Python collect everything before it ends: libraries written in C report what is left."""
    gc.unfreeze()
