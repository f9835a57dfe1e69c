"""Kinds of tests by what they need, so that light ones can run alone and heavy ones start first.

`make test-fast` leaves out every kind named here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import is_hypothesis_test

if TYPE_CHECKING:
    from collections.abc import Iterator

# Modules whose tests start processes. Single tests in other modules carry the marker themselves.
PROCESSES = {
    "test_canary",
    "test_chaos",
    "test_command_line",
    "test_examples",
    "test_fault_points",
    "test_graphql_http_audit",
    "test_import_sirene_files",
    "test_listening",
    "test_page_served",
    "test_pooler",
    "test_proxies",
    "test_readiness",
    "test_register_replacement",
    "test_relay_process",
}
# Modules that try thousands of cases. So does each test of properties, which Hypothesis runs.
EXHAUSTIVE = {"test_enumeration", "test_fuzzing", "test_mail_links", "test_plan_equality", "test_takeover"}
# Modules that import whole files of the national register.
IMPORTS = {"test_import_sirene", "test_import_sirene_files"}
PROCESS_FIXTURES = {"behind", "guichet", "ready", "redis", "service", "shared_storages"}
# Modules with the longest single tests: one that started last would leave the other cores idle.
LONG_MODULES = (
    "test_chaos",
    "test_examples",
    "test_fault_points",
    "test_enumeration",
    "test_relay_process",
    "test_abuse",
)
HEAVY = ("process", "exhaustive", "browser", "imports")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the heavy kinds to the front; tests of one kind keep their order."""
    items.sort(key=_rank)


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark *item* before `-m` selects."""
    for kind in _kinds(item):
        item.add_marker(kind)


def _kinds(item: pytest.Item) -> Iterator[str]:
    module, fixtures = item.path.stem, set(getattr(item, "fixturenames", ()))
    if "postgres" in fixtures or "postgres" in _parameters(item):
        yield "postgres"
    if "browser" in fixtures:
        yield "browser"
    if module in PROCESSES or fixtures & PROCESS_FIXTURES:
        yield "process"
    if module in EXHAUSTIVE or is_hypothesis_test(getattr(item, "obj", None)):
        yield "exhaustive"
    if module in IMPORTS:
        yield "imports"


def _parameters(item: pytest.Item) -> list[object]:
    return (
        list(item.callspec.params.values()) if isinstance(item, pytest.Function) and hasattr(item, "callspec") else []
    )


def _rank(item: pytest.Item) -> int:
    """Return the position of *item*'s kind in a run."""
    if item.path.stem in LONG_MODULES:
        return LONG_MODULES.index(item.path.stem)
    kinds = [HEAVY.index(kind) for kind in HEAVY if item.get_closest_marker(kind)]
    return len(LONG_MODULES) + min(kinds, default=len(HEAVY))
