"""The storage of counts: bounded memory, or a Redis for all processes. Without Redis, each process counts alone."""

from __future__ import annotations

import asyncio
import gc
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import pytest
from limits.aio.storage import Storage
from limits.errors import StorageError

from api.limits import storage as rate_limit_storage
from api.limits.rate_limits import RateLimits
from api.limits.redis_storage import BatchingRedisStorage
from api.limits.storage import (
    RETRY_SECONDS,
    SWEEP_SECONDS,
    FallbackStorage,
    MemoryStorage,
    open_storage,
    parse_storage_url,
)
from api.limits.table import parse_limits
from api.refusals import TooManyRequests
from api.settings.environment import Settings
from tests.support.client import FIND_ORGANISATION, SIRET
from tests.support.databases import sqlite_only
from tests.support.ports import free_port
from tests.support.program import READY_SECONDS, Guichet, Server
from tests.support.stopwatch import Stopwatch

pytestmark = pytest.mark.anyio

HOUR = 3600
GUARD_SECONDS = 60


async def is_refused(limits: RateLimits, cost: int = 1) -> bool:
    """Return whether a look-up is refused."""
    try:
        await limits.enforce("organisation", "somebody", cost=cost)
    except TooManyRequests:
        return True
    return False


# --- In memory ---


async def test_memory_drops_expired_counts(stopwatch: Stopwatch) -> None:
    """The memory holds no counts of expired windows, for any number of callers."""
    storage = MemoryStorage()
    limits = RateLimits(parse_limits("organisation=5/minute"), storage)
    for number in range(1_000):
        await limits.enforce("organisation", str(number))
    assert len(storage._counts) == 1_000
    stopwatch.now += 60 + SWEEP_SECONDS
    await limits.enforce("organisation", "another")
    assert len(storage._counts) == 1


async def test_sweep_resets_no_running_count(stopwatch: Stopwatch) -> None:
    """Sweeping resets no running count."""
    limits = RateLimits(parse_limits("organisation=2/minute, createAccount=1/hour"), MemoryStorage())
    await limits.enforce("createAccount", "somebody")
    for _ in range(30):
        stopwatch.now += SWEEP_SECONDS
        await limits.enforce("organisation", "somebody else")
        stopwatch.now += 50
    with pytest.raises(TooManyRequests):
        await limits.enforce("createAccount", "somebody")


async def test_memory_fulfils_the_interface_of_a_storage(stopwatch: Stopwatch) -> None:
    """Counts can be read, cleared one by one, and reset; expired counts are 0."""
    storage = MemoryStorage()
    assert await storage.check()
    assert await storage.incr("a", 10) == 1
    assert await storage.incr("a", 10, amount=4) == 5
    await storage.incr("b", 10)
    assert await storage.get("a") == 5
    assert await storage.get_expiry("a") == stopwatch.now + 10
    assert await storage.get("nothing") == 0
    assert await storage.get_expiry("nothing") == stopwatch.now
    await storage.clear("a")
    await storage.clear("nothing")
    assert await storage.get("a") == 0
    assert await storage.reset() == 1
    await storage.incr("c", 10)
    stopwatch.now += 10
    assert await storage.get("c") == 0
    assert await storage.incr("c", 10) == 1


async def test_memory_is_bounded(stopwatch: Stopwatch) -> None:
    """The memory holds a bounded number of counts, and drops the oldest windows first."""
    storage = MemoryStorage(max_counts=100)
    for number in range(100):
        await storage.incr(str(number), 10)
    stopwatch.now += 9
    assert await storage.incr("0", 10) == 2
    stopwatch.now += 1
    assert await storage.incr("0", 10) == 1  # A window of its own: the youngest now.
    for number in range(100, 199):
        await storage.incr(str(number), 10)
    assert len(storage._counts) == 100
    assert await storage.get("0") == 1
    assert await storage.get("99") == 0


async def test_keys_of_the_storage_hide_addresses() -> None:
    """The keys of the storage show no address."""
    storage = MemoryStorage()
    limits = RateLimits(parse_limits("on"), storage)
    await limits.enforce("createAccountAddress", "203.0.113.7", "camille@exemple.fr")
    (key,) = storage._counts
    assert "camille" not in key
    assert "203.0.113.7" not in key


async def test_address_of_a_person_is_forgotten_with_its_call() -> None:
    """After a call, nothing in memory holds the address of a person that it was counted for."""
    limits = RateLimits(parse_limits("on"), MemoryStorage())
    address = b"camille@exemple.fr".decode()  # A string of this call alone.
    await limits.enforce("createAccountAddress", "203.0.113.7", address)
    assert not [holder for holder in gc.get_referrers(address) if not isinstance(holder, FrameType)]


@pytest.mark.parametrize(
    "url", ["", "memory://", "async+memory://x", "redis://localhost", "async+memcached://x", "https://x"]
)
def test_unknown_storage_is_refused_at_start(url: str) -> None:
    """A URL that names no storage is refused at start, not at the first call."""
    with pytest.raises(ValueError, match=r"must be async\+memory://"):
        parse_storage_url(url)


@pytest.mark.parametrize("url", ["async+redis://:Secret@42@127.0.0.1:port", "async+redis://h?max_connections=-1"])
def test_malformed_redis_url_is_refused_without_being_quoted(url: str) -> None:
    """The refusal of a Redis URL quotes no part of it."""
    with pytest.raises(ValueError, match=r"^must be like async\+redis://USER:PASSWORD@HOST:PORT, with / and @ as %2F"):
        parse_storage_url(url)


def test_settings_are_validated_without_opening_a_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation of the settings checks the URL of a Redis, and makes no client for it."""

    def fail(*_: object, **__: object) -> None:
        pytest.fail("a storage was opened")

    monkeypatch.setattr(rate_limit_storage, "BatchingRedisStorage", fail)
    url = "async+rediss://user:secret@127.0.0.1:1/0"
    assert Settings().replace(rate_limit_url=url).rate_limit_url.text == url


# --- In a storage that may be away ---


class Fickle(MemoryStorage):
    """A shared storage that is down when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.away = False

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        self.asked += 1
        if self.away:
            raise StorageError(OSError("redis://:Secret-42@counts.example is away"))
        return await super().incr(key, expiry, amount)


async def test_memory_replaces_a_storage_that_is_down(stopwatch: Stopwatch, caplog: pytest.LogCaptureFixture) -> None:
    """Without the shared storage, each process counts alone. The log says so once, and again when it is back."""
    shared = Fickle()
    limits = RateLimits(parse_limits("organisation=2/hour"), FallbackStorage(shared))
    shared.away = True
    assert [await is_refused(limits) for _ in range(4)] == [False, False, True, True]
    (record,) = caplog.records
    assert (record.levelname, "OSError" in record.getMessage()) == ("ERROR", True)
    shared.away = False
    stopwatch.now += RETRY_SECONDS
    assert [await is_refused(limits) for _ in range(3)] == [False, False, True]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "Secret-42" not in caplog.text


async def test_callers_do_not_wait_for_a_storage_that_is_down(stopwatch: Stopwatch) -> None:
    """No caller waits for a storage that has just failed. It is tried again every few seconds."""
    shared = Fickle()
    shared.away = True
    limits = RateLimits(parse_limits("on"), FallbackStorage(shared))
    for asked in (1, 2, 3):
        for _ in range(10):
            await limits.enforce("organisation", "somebody")
        assert shared.asked == asked
        stopwatch.now += RETRY_SECONDS


async def test_call_over_the_limit_stays_refused_when_the_storage_fails(stopwatch: Stopwatch) -> None:
    """A call over the limit stays refused for a moment when the storage fails after counting it."""

    class Forgetful(MemoryStorage):
        async def get_expiry(self, key: str) -> float:
            raise StorageError(OSError("away"))

    limits = RateLimits(parse_limits("organisation=1/hour"), FallbackStorage(Forgetful()))
    assert [await is_refused(limits) for _ in range(2)] == [False, True]


async def test_silent_redis_is_abandoned_after_a_second(caplog: pytest.LogCaptureFixture) -> None:
    """A Redis that accepts the connection and stays silent is abandoned after a second."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        storage = open_storage(parse_storage_url(f"async+redis://:Secret-42@127.0.0.1:{server.getsockname()[1]}"))
        limits = RateLimits(parse_limits("organisation=1/hour"), storage)
        async with asyncio.timeout(GUARD_SECONDS):
            assert [await is_refused(limits) for _ in range(2)] == [False, True]
    assert "is away (TimeoutError)" in caplog.text
    assert "Secret-42" not in caplog.text


async def test_count_without_an_answer_holds_up_no_other() -> None:
    """A command that Redis does not answer is abandoned, so that later counts get their turn."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        storage = BatchingRedisStorage(f"async+redis://127.0.0.1:{server.getsockname()[1]}", max_seconds=0.01)
        async with asyncio.timeout(GUARD_SECONDS):
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    await storage.incr("a", HOUR)


async def test_limits_hold_without_redis(caplog: pytest.LogCaptureFixture) -> None:
    """Limits hold even if no Redis listens."""
    storage = open_storage(parse_storage_url(f"async+redis://:Secret-42@127.0.0.1:{free_port()}"))
    limits = RateLimits(parse_limits("organisation=1/hour"), storage)
    assert [await is_refused(limits) for _ in range(2)] == [False, True]
    assert "is away" in caplog.text
    assert "Secret-42" not in caplog.text


# --- In a real Redis ---


@contextmanager
def redis(port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real Redis, which stores nothing on disk."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed")
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "no"}
    command = [binary, *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603  # The system's own.
        try:
            _await_port(port)
            yield process
        finally:
            process.kill()


def _await_port(port: int) -> None:
    deadline = time.monotonic() + GUARD_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("Redis does not start")


@pytest.fixture
async def shared_storages(tmp_path: Path) -> AsyncIterator[list[Storage]]:
    """Two storages at one Redis, as two processes have them. It has as long to answer as a busy machine takes."""
    port = free_port()
    url = parse_storage_url(f"async+redis://127.0.0.1:{port}")
    with redis(port, tmp_path):
        storages = [open_storage(url, max_seconds=GUARD_SECONDS) for _ in range(2)]
        yield storages
        for storage in storages:
            await storage._shared.bridge.storage.aclose()  # type: ignore[attr-defined]  # Of the Redis storage alone.


async def test_processes_share_their_counts_by_redis(shared_storages: list[Storage]) -> None:
    """Processes that share a Redis share their counts, and their time to wait."""
    one, other = (RateLimits(parse_limits("organisation=10/hour"), storage) for storage in shared_storages)
    await one.enforce("organisation", "somebody", cost=6)
    await other.enforce("organisation", "somebody", cost=4)
    for limits in (one, other):
        with pytest.raises(TooManyRequests) as refused:
            await limits.enforce("organisation", "somebody")
        assert 0 < refused.value.retry_after_seconds <= HOUR
    await other.enforce("organisation", "somebody else")


async def test_many_simultaneous_calls_wait_for_redis(
    shared_storages: list[Storage], caplog: pytest.LogCaptureFixture
) -> None:
    """Any number of simultaneous calls wait for their turn at Redis, and the limit holds for them."""
    limits = RateLimits(parse_limits("organisation=5/hour"), shared_storages[0])
    refused = await asyncio.gather(*(is_refused(limits) for _ in range(1_000)))
    assert refused.count(False) == 5
    assert caplog.records == []


async def test_counts_of_one_moment_are_one_command(shared_storages: list[Storage]) -> None:
    """Simultaneous counts are few commands of Redis. Each has its own key, number and end of its window."""
    storage = shared_storages[0]
    client = storage._shared.bridge.get_connection()  # type: ignore[attr-defined]  # Of the Redis storage alone.
    asked = [("a", HOUR, 3), ("b", 2 * HOUR, 5), ("a", 3 * HOUR, 4)]
    assert await asyncio.gather(*(storage.incr(*count) for count in asked)) == [3, 5, 7]
    assert await storage.incr("b", HOUR) == 6
    for key, seconds in (("a", HOUR), ("b", 2 * HOUR)):
        assert seconds - GUARD_SECONDS < await storage.get_expiry(key) - time.time() <= seconds
    await client.config_resetstat()
    await asyncio.gather(*(storage.incr(str(number), HOUR) for number in range(1_000)))
    statistics = await client.info("commandstats")
    assert statistics["cmdstat_incrby"]["calls"] == 1_000
    assert statistics["cmdstat_evalsha"]["calls"] <= 200


def served(server: Server) -> bool:
    """Return whether a look-up passes the limits of a real process."""
    found = server.call(FIND_ORGANISATION, {"identifier": {"type": "SIRET", "value": SIRET}})
    return bool(found["__typename"] == "OrganisationNotFound")


@pytest.mark.process
@sqlite_only
def test_limits_hold_across_processes_and_without_their_redis(database_url: str, tmp_path: Path) -> None:
    """Two servers share a limit. Without their Redis each counts alone, and with it they share again."""
    port = free_port()
    guichet = Guichet(tmp_path)
    guichet.set(
        DATABASE_URL=database_url,
        RATE_LIMIT_URL=f"async+redis://127.0.0.1:{port}",
        RATE_LIMITS="organisation=4/hour",
        RELAY="off",
    )
    with ExitStack() as stack:
        with redis(port, tmp_path):
            one, other = (stack.enter_context(guichet.serving()) for _ in range(2))
            assert [served(server) for server in (one, other, one, other, one, other)] == [True] * 4 + [False] * 2
        for server in (one, other):
            assert [served(server) for _ in range(5)] == [True] * 4 + [False]
            assert "The storage of the rate limits is away" in server.log
        with redis(port, tmp_path):
            _await_return(one, other)
            assert not all(served(server) for server in (one, other, one, other))
            assert not served(one)
            assert not served(other)


def _await_return(*servers: Server) -> None:
    deadline = time.monotonic() + READY_SECONDS
    for server in servers:
        while time.monotonic() < deadline and "is back" not in server.log:
            served(server)
            time.sleep(0.1)
        assert "The storage of the rate limits is back" in server.log
