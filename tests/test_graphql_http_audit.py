"""The audits of graphql-http, the reference implementation of GraphQL over HTTP, against the real server."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from tests.support.databases import sqlite_only

pytestmark = [pytest.mark.anyio, sqlite_only]

FOLDER = Path(__file__).parent / "node"
AUDITS = 61  # package-lock.json pins the version.


async def test_every_audit_is_passed(server: str) -> None:
    """The server does everything that a server must, should or may do by the specification of GraphQL over HTTP."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (FOLDER / "node_modules").is_dir():
        pytest.skip("node_modules is missing: run npm ci --ignore-scripts --prefix tests/node")
    audit = [node, str(FOLDER / "audit.mjs"), f"{server}/graphql"]
    process = await asyncio.create_subprocess_exec(*audit, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    results = json.loads(out)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == AUDITS
