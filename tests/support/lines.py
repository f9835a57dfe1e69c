"""A connection to the service whose bytes a test sends and reads itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from starlette.datastructures import Headers

GUARD_SECONDS = 120
QUESTION = json.dumps({"query": "{ __typename }"}).encode()
ANSWER = b'{"data":{"__typename":"Query"}}'
HEAD = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
REQUEST = HEAD + b"Content-Length: %d\r\n\r\n" % len(QUESTION) + QUESTION


async def until(condition: Callable[[], object]) -> None:
    """Wait until *condition* is met."""
    while not condition():  # noqa: ASYNC110  # The condition is inside the service, which sets no event.
        await asyncio.sleep(0.01)


class Line:
    """One connection whose bytes a test sends and reads itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def send_for_ever(self, data: bytes, *, pause: float = 0) -> None:
        """Send *data* again and again until the server closes the connection: raises ConnectionError."""
        while True:
            await self.send(data)
            await asyncio.sleep(pause)

    async def send_in_parts(self, data: bytes, size: int) -> None:
        for start in range(0, len(data), size):
            await self.send(data[start : start + size])

    def end(self) -> None:
        """Tell the server that no more data follows, and keep reading."""
        self._writer.write_eof()

    async def receive(self, size: int) -> bytes:
        """Return what has arrived, 1 to *size* bytes; nothing if the server closed the connection."""
        return await self._reader.read(size)

    async def status(self) -> int:
        """Read the next answer whole and return its status."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *others = head.decode().split("\r\n")[:-2]
        self.headers = Headers(dict(line.split(": ", 1) for line in others))
        self.body = await self._reader.readexactly(int(self.headers["content-length"]))
        return int(first.split()[1])

    async def is_closed(self) -> bool:
        """Wait for the server to close the connection; return False if it sends a byte instead."""
        try:
            return await self._reader.read(1) == b""
        except ConnectionError:
            return True


@asynccontextmanager
async def line(server: str) -> AsyncIterator[Line]:
    address = urlsplit(server)
    async with asyncio.timeout(GUARD_SECONDS):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            yield Line(reader, writer)
        finally:
            writer.transport.abort()


async def is_answered(server: str) -> bool:
    """Return True if the service answers a well-behaved client."""
    async with line(server) as client:
        await client.send(REQUEST)
        return await client.status() == 200 and client.body == ANSWER
