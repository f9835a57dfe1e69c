"""Where the counts of the rate limits are kept: in this process, or in a Redis that all processes share."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from limits.aio.storage import Storage
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

logger = logging.getLogger(__name__)

T = TypeVar("T")

MEMORY_URL = "async+memory://"
IN_CLEAR = "?tls=off"
SWEEP_SECONDS = 10.0
MOST_COUNTS = 100_000
MOST_QUESTIONS = 50  # At once; fewer than the connections of redis-py's pool, which fails where it has no more.
SHARED_SECONDS = 1.0
RETRY_SECONDS = 5.0


def open_storage(url: str) -> Storage:
    """The storage of counts at *url*: in this process, or in a Redis that all processes share.

    :raises ValueError: the URL names no storage that can be used.
    """
    if url == MEMORY_URL:
        return MemoryStorage()
    if is_in_clear(url):
        url = url.replace(IN_CLEAR, "").removesuffix("?")
    if not url.startswith(("async+redis://", "async+rediss://")):
        raise ValueError(f"must be {MEMORY_URL} or begin with async+redis:// or async+rediss://")
    try:
        storage = storage_from_string(url, implementation="redispy", wrap_exceptions=True)
    except (ValueError, ConfigurationError):  # Their messages quote parts of the URL.
        raise ValueError("must be like async+redis://USER:PASSWORD@HOST:PORT, with / and @ as %2F and %40") from None
    assert isinstance(storage, Storage)  # noqa: S101  # Promised by the scheme's `async+`.
    return FallbackStorage(storage)


def check_storage_url(url: str) -> None:
    """:raises ValueError: *url* names no storage that can be used."""
    open_storage(url)


def is_in_clear(url: str) -> bool:
    """Whether *url* says itself that its Redis is spoken to without encryption."""
    return url.startswith("async+redis://") and url.endswith(IN_CLEAR)


class MemoryStorage(Storage):
    """Counts in this process: a hundred thousand at most, of which the oldest go first.

    The one that comes with `limits` walks all of its keys at each hit (4 ms of CPU at 50,000 of them); this one
    sweeps what has expired every ten seconds.
    """

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
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
            self._counts.pop(key, None)  # A window that begins anew is the youngest.
            count, expires_at = 0, now + expiry
        self._counts[key] = (count + amount, expires_at)
        if len(self._counts) > MOST_COUNTS:
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
    """Counts in *shared*; while that is away, in this process, which the log says.

    A shared storage that fails, or takes longer than a second, is asked again every five seconds.
    """

    STORAGE_SCHEME = None

    def __init__(self, shared: Storage) -> None:
        super().__init__()
        self._shared = shared
        self._own = MemoryStorage()
        self._turns = asyncio.Semaphore(MOST_QUESTIONS)
        self._away = False
        self._retry_at = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        return StorageError

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        return await self._ask(lambda storage: storage.incr(key, int(expiry), amount))

    async def get(self, key: str) -> int:
        return await self._ask(lambda storage: storage.get(key))

    async def get_expiry(self, key: str) -> float:
        return await self._ask(lambda storage: storage.get_expiry(key))

    async def check(self) -> bool:
        return await self._shared.check()

    async def reset(self) -> int | None:
        return await self._ask(lambda storage: storage.reset())

    async def clear(self, key: str) -> None:
        await self._ask(lambda storage: storage.clear(key))

    async def _ask(self, question: Callable[[Storage], Awaitable[T]]) -> T:
        """What the shared storage answers; where it does not, what this process knows."""
        async with self._turns:  # To wait for one's turn says nothing of how fast the storage is.
            if self._is_to_be_asked():
                try:
                    async with asyncio.timeout(SHARED_SECONDS):
                        answer = await question(self._shared)
                except (StorageError, TimeoutError) as exc:
                    self._fall_back(exc)
                else:
                    self._come_back()
                    return answer
        return await question(self._own)

    def _is_to_be_asked(self) -> bool:
        """Whether the shared storage is there, or may be there again: then one caller tries, and no other waits."""
        if not self._away:
            return True
        if time.monotonic() < self._retry_at:
            return False
        self._retry_at = time.monotonic() + RETRY_SECONDS
        return True

    def _fall_back(self, exc: StorageError | TimeoutError) -> None:
        self._retry_at = time.monotonic() + RETRY_SECONDS
        if not self._away:
            self._away = True
            reason = type(exc.storage_error if isinstance(exc, StorageError) else exc).__name__
            logger.error("The storage of the rate limits is away (%s): each process counts by itself", reason)

    def _come_back(self) -> None:
        if self._away:
            self._away = False
            logger.warning("The storage of the rate limits is back: its counts are shared again")
