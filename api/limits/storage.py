"""Storage for the counts of rate limits: this process, or a Redis that all processes share."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

from limits.aio.storage import Storage
from limits.errors import StorageError

from api.limits.redis_storage import BatchingRedisStorage

logger = logging.getLogger(__name__)

T = TypeVar("T")
Encryption: TypeAlias = Literal["tls", "none", "unsaid"]

MEMORY_URL = "async+memory://"
IN_CLEAR = "?tls=off"
SWEEP_SECONDS = 10.0
MAX_COUNTS = 100_000
MAX_CONCURRENT_QUERIES = 50
"""Fewer than the connections of redis-py's pool, which fails when it has none left."""
SHARED_SECONDS = 1.0
RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class StorageUrl:
    """The URL of a storage that can be used."""

    text: str = field(repr=False)
    """The URL as `limits` takes it."""
    host: str | None = None
    """The host of a Redis, if the URL names one."""
    encryption: Encryption = "unsaid"

    @property
    def is_memory(self) -> bool:
        """True if each process counts by itself."""
        return self.text == MEMORY_URL


def open_storage(url: StorageUrl, *, max_seconds: float = SHARED_SECONDS) -> Storage:
    """Return the storage at *url*. A Redis gets its first connection with the first count; each has *max_seconds*."""
    if url.is_memory:
        return MemoryStorage()
    return FallbackStorage(BatchingRedisStorage(url.text, max_seconds=max_seconds), max_seconds=max_seconds)


def parse_storage_url(url: str) -> StorageUrl:
    """Return the storage that *url* names. Open nothing.

    :raises ValueError: the URL names no storage that can be used; the message quotes no part of it.
    """
    if url == MEMORY_URL:
        return StorageUrl(url)
    if not url.startswith(("async+redis://", "async+rediss://")):
        raise ValueError(f"must be {MEMORY_URL} or begin with async+redis:// or async+rediss://")
    try:
        return _parse_redis_url(url)
    except ValueError:
        raise ValueError("must be like async+redis://USER:PASSWORD@HOST:PORT, with / and @ as %2F and %40") from None


def _parse_redis_url(url: str) -> StorageUrl:
    """Return the Redis that *url* names.

    :raises ValueError: redis-py can't read it, or it names a host without a port, which `limits` asks for.
    """
    from redis.asyncio import (
        ConnectionPool,  # Late: to import the client takes 0.2 s, and most processes have no Redis.
    )

    encryption: Encryption = "tls" if url.startswith("async+rediss://") else "unsaid"
    if encryption == "unsaid" and url.endswith(IN_CLEAR):
        encryption, url = "none", url.removesuffix(IN_CLEAR)
    ConnectionPool.from_url(url.removeprefix("async+"))
    parts = urlsplit(url)
    if parts.netloc.rpartition("@")[2] and (parts.hostname is None or parts.port is None):
        raise ValueError("a host needs a port")
    return StorageUrl(url, parts.hostname, encryption)


class MemoryStorage(Storage):
    """Counts in this process: *max_counts* at most; the oldest are dropped first.

    The storage that comes with `limits` walks all of its keys at each hit (4 ms of CPU at 50,000 keys). This one
    deletes expired counts every ten seconds.
    """

    STORAGE_SCHEME = None

    def __init__(self, *, max_counts: int = MAX_COUNTS) -> None:
        super().__init__()
        self._max_counts = max_counts
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._swept_at = time.time()

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = time.time()
        self._sweep(now)
        count, expires_at = self._counts.get(key, (0, 0.0))
        if expires_at <= now:
            self._counts.pop(key, None)  # A new window counts as the youngest.
            count, expires_at = 0, now + expiry
        self._counts[key] = (count + amount, expires_at)
        if len(self._counts) > self._max_counts:
            self._counts.popitem(last=False)
        return count + amount

    async def get(self, key: str) -> int:
        count, expires_at = self._counts.get(key, (0, 0.0))
        return count if expires_at > time.time() else 0

    async def get_expiry(self, key: str) -> float:
        return self._counts.get(key, (0, time.time()))[1]

    async def check(self) -> bool:
        return True

    async def reset(self) -> int | None:
        count = len(self._counts)
        self._counts.clear()
        return count

    async def clear(self, key: str) -> None:
        self._counts.pop(key, None)

    def _sweep(self, now: float) -> None:
        if now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            self._counts = OrderedDict(item for item in self._counts.items() if item[1][1] > now)


class FallbackStorage(Storage):
    """Counts in *shared*; while that is down, in this process, and the log says so.

    After a failure, or an answer that takes longer than *max_seconds*, one query tries the shared storage again every
    five seconds.
    """

    STORAGE_SCHEME = None

    def __init__(self, shared: Storage, *, max_seconds: float = SHARED_SECONDS) -> None:
        super().__init__()
        self._shared = shared
        self._max_seconds = max_seconds
        self._local = MemoryStorage()
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_QUERIES)
        self._is_down = False
        self._retry_at = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        return StorageError

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        return await self._query(lambda storage: storage.incr(key, int(expiry), amount))

    async def get(self, key: str) -> int:
        return await self._query(lambda storage: storage.get(key))

    async def get_expiry(self, key: str) -> float:
        return await self._query(lambda storage: storage.get_expiry(key))

    async def check(self) -> bool:
        return await self._shared.check()

    async def reset(self) -> int | None:
        return await self._query(lambda storage: storage.reset())

    async def clear(self, key: str) -> None:
        await self._query(lambda storage: storage.clear(key))

    async def _query(self, query: Callable[[Storage], Awaitable[T]]) -> T:
        """Return the answer of the shared storage or, while that is down, of this process."""
        async with self._slots:  # Outside the timeout: waiting for a slot says nothing about the storage's speed.
            if self._should_try_shared():
                try:
                    async with asyncio.timeout(self._max_seconds):
                        answer = await query(self._shared)
                except (StorageError, TimeoutError) as exc:
                    self._fall_back(exc)
                else:
                    self._recover()
                    return answer
        return await query(self._local)

    def _should_try_shared(self) -> bool:
        """Return whether the shared storage is up, or is due for one caller's new try, which no other waits for."""
        if not self._is_down:
            return True
        if time.monotonic() < self._retry_at:
            return False
        self._retry_at = time.monotonic() + RETRY_SECONDS
        return True

    def _fall_back(self, exc: StorageError | TimeoutError) -> None:
        self._retry_at = time.monotonic() + RETRY_SECONDS
        if not self._is_down:
            self._is_down = True
            reason = type(exc.storage_error if isinstance(exc, StorageError) else exc).__name__
            logger.error("The storage of the rate limits is away (%s): each process counts by itself", reason)

    def _recover(self) -> None:
        if self._is_down:
            self._is_down = False
            logger.warning("The storage of the rate limits is back: its counts are shared again")
