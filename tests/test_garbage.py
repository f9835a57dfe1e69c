"""Answers leave nothing for the garbage collector, whose runs delay all callers of a process."""

from __future__ import annotations

import gc
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.client import CREATE_ACCOUNT, FIND_ORGANISATION, FIND_ORGANISATIONS, SIRET, form
from tests.support.databases import sqlite_only

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.support.client import Answer

pytestmark = [pytest.mark.anyio, sqlite_only]

IDENTIFIER = {"type": "SIRET", "value": SIRET}


@contextmanager
def garbage() -> Iterator[Counter[str]]:
    """Count the objects of ours and of graphql-core that the block leaves in cycles, by kind."""
    left: Counter[str] = Counter()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield left
        gc.collect()
        left.update(
            type(thing).__qualname__
            for thing in gc.garbage
            if type(thing).__module__.partition(".")[0] in {"api", "graphql", "models"}
        )
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        pytest.param("{ __typename }", {}, id="a name"),
        pytest.param(FIND_ORGANISATION, {"identifier": IDENTIFIER}, id="a look-up"),
        pytest.param(FIND_ORGANISATIONS, {"identifiers": [IDENTIFIER] * 20}, id="many look-ups"),
        pytest.param(CREATE_ACCOUNT, {"input": form()}, id="a form"),
    ],
)
async def test_answer_leaves_no_reference_cycles(http: httpx.AsyncClient, query: str, variables: Answer) -> None:
    """An answer to a cached document leaves no object in a cycle."""
    body = {"query": query, "variables": variables}
    await http.post("/graphql", json=body)
    with garbage() as left:
        await http.post("/graphql", json=body)
    assert left == {}
