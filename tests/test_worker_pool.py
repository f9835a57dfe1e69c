"""The bounded pool of threads: who is refused, who keeps a place, and how it closes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from api.refusals import TooManyRequests
from api.worker_pool import WorkerPool

pytestmark = pytest.mark.anyio
GUARD_SECONDS = 30


class Work:
    """A call that runs until it is told to end, and signals its start."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self) -> str:
        self.has_begun.set()
        assert self.may_end.wait(GUARD_SECONDS)
        return "done"

    def fail(self) -> None:
        self()
        raise LookupError("nobody hears of this")

    async def begin(self) -> None:
        assert await asyncio.to_thread(self.has_begun.wait, GUARD_SECONDS)


@pytest.fixture
def work() -> Iterator[Work]:
    work = Work()
    yield work
    work.may_end.set()


@pytest.fixture
def pool(work: Work) -> Iterator[WorkerPool]:
    """A pool with one thread and no queue."""
    pool = WorkerPool(workers=1, max_waiting=0, name="test")
    yield pool
    work.may_end.set()
    pool.close()


async def give_up(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelled_caller_keeps_its_place_until_the_thread_ends(pool: WorkerPool, work: Work) -> None:
    """A caller that gives up frees no place for another, so that two calls never run at once."""
    caller = asyncio.create_task(pool.run(work))
    await work.begin()
    await give_up(caller)
    with pytest.raises(TooManyRequests):
        await pool.run(str)
    work.may_end.set()
    async with asyncio.timeout(GUARD_SECONDS):
        while True:
            try:
                assert await pool.run(str) == ""
            except TooManyRequests:
                await asyncio.sleep(0)  # The thread is about to end.
            else:
                break


async def test_timed_out_caller_keeps_its_place(pool: WorkerPool, work: Work) -> None:
    """A timeout frees no place either."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await pool.run(work)
    with pytest.raises(TooManyRequests):
        await pool.run(str)


async def test_error_of_an_abandoned_call_is_not_logged(
    pool: WorkerPool, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    """An error that no caller waits for any more stays out of the log: it could quote a password."""
    caller = asyncio.create_task(pool.run(work.fail))
    await work.begin()
    await give_up(caller)
    work.may_end.set()
    await asyncio.to_thread(pool.close)
    await asyncio.sleep(0)
    assert caplog.records == []


async def test_closing_waits_for_the_running_call_and_starts_no_other(work: Work) -> None:
    """A running call ends with its result; a waiting call is cancelled."""
    pool, other = WorkerPool(workers=1, max_waiting=1, name="test"), Work()
    running = asyncio.create_task(pool.run(work))
    await work.begin()
    waiting = asyncio.create_task(pool.run(other))
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(pool.close))
    with pytest.raises((asyncio.CancelledError, CancelledError)):
        await waiting
    assert not closing.done()
    work.may_end.set()
    assert await running == "done"
    await closing
    assert not other.has_begun.is_set()
