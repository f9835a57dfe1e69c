"""CPU time of the server for one look-up: this service and the yardstick, in one run."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
from pathlib import Path

import asyncpg
import psutil

from benchmarks.servers import by_hand, postgres, service
from models.sirene.rows import COLUMNS
from tests.support.sirene_files import siret

ROWS = 100_000
CONNECTIONS = 32
REQUESTS = 6_400
ROUNDS = 5

QUERY = """
query ($identifier: OrganisationIdentifierInput!) {
  organisation(identifier: $identifier) {
    __typename
    ... on Organisation { name status onPortal postalCode city }
    ... on Problem { code message }
  }
}
"""

EDITION = f"INSERT INTO register_edition VALUES ('SIRENE', current_date, now(), {ROWS}, {ROWS}, 0, 0, NULL)"  # noqa: S608


def measure(folder: Path) -> tuple[float, float, float]:
    """Return the microseconds of CPU for a look-up, of service and yardstick, and the median of their ratios."""
    sirets = [siret(number) for number in range(ROWS)]
    with postgres(folder) as url:
        asyncio.run(_fill(url, sirets))
        generous = {"GUICHET_RATE_LIMITS": "organisation=1000000000/minute", "GUICHET_RELAY": "off"}
        with service(url, folder, **generous) as ours, by_hand(url) as theirs:
            rounds = [
                (
                    _cpu(ours[0], ours[1], [_ask_service(siret) for siret in random.sample(sirets, REQUESTS)]),
                    _cpu(theirs[0], theirs[1], [_ask_by_hand(siret) for siret in random.sample(sirets, REQUESTS)]),
                )
                for _ in range(ROUNDS + 1)
            ][1:]  # The first warms up.
    return (
        statistics.median(ours for ours, _ in rounds),
        statistics.median(theirs for _, theirs in rounds),
        statistics.median(ours / theirs for ours, theirs in rounds),
    )


async def _fill(url: str, sirets: list[str]) -> None:
    records = [(number, f"Organisation {number}", "ACTIVE", "75001", "PARIS") for number in sirets]
    connection = await asyncpg.connect(url)
    try:
        await connection.copy_records_to_table("register_entry", records=records, columns=COLUMNS)
        await connection.execute("ANALYZE register_entry")
        await connection.execute(EDITION)
    finally:
        await connection.close()


def _ask_service(siret: str) -> bytes:
    variables = {"identifier": {"type": "SIRET", "value": siret}}
    return _request("/graphql", {"query": QUERY, "variables": variables})


def _ask_by_hand(siret: str) -> bytes:
    return _request("/organisation", {"siret": siret})


def _request(path: str, body: object) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def _cpu(process: psutil.Process, port: int, requests: list[bytes]) -> float:
    """Return the microseconds of CPU that *process* takes for each of *requests*."""
    before = sum(process.cpu_times()[:2])
    asyncio.run(_send(port, requests))
    return (sum(process.cpu_times()[:2]) - before) / len(requests) * 1e6


async def _send(port: int, requests: list[bytes]) -> None:
    shares = [requests[start::CONNECTIONS] for start in range(CONNECTIONS)]
    await asyncio.gather(*(_send_in_turn(port, share) for share in shares))


async def _send_in_turn(port: int, requests: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
        assert b" 200 " in head
        assert b"PARIS" in body
    writer.close()
    await writer.wait_closed()
