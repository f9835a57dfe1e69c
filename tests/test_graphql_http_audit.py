"""The audits of graphql-http, the reference implementation of GraphQL over HTTP, against the real server."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn

from api.app import build_app
from api.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

FOLDER = Path(__file__).parent / "graphql_http"
AUDITS = 61  # Of the version that package-lock.json pins.


@pytest.fixture
async def url(settings: Settings) -> AsyncIterator[str]:
    """Where the application is served, by uvicorn and over a real socket."""
    server = uvicorn.Server(uvicorn.Config(build_app(settings), log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/graphql"
        server.should_exit = True
        await serving


async def test_every_audit_is_passed(url: str) -> None:
    """What the specification of GraphQL over HTTP says a server must, should or may do, it does."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (FOLDER / "node_modules").is_dir():
        pytest.skip("node_modules is missing: run npm ci --prefix tests/graphql_http")
    process = await asyncio.create_subprocess_exec(node, FOLDER / "audit.mjs", url, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    results = json.loads(out)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == AUDITS
