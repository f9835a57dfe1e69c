"""Threads for slow work, with a bounded queue before them: the event loop never waits, and never hoards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from api.refusals import TooManyRequests

T = TypeVar("T")

RETRY_AFTER_SECONDS = 2


class WorkerPool:
    """*workers* threads, and at most *max_waiting* calls that wait for one."""

    def __init__(self, *, workers: int, max_waiting: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix=name)
        self._capacity = workers + max_waiting
        self._in_hand = 0

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """What *function* returns, called in a thread.

        A caller that gives up frees no place: the thread works on, and the place is its own until it ends.

        :raises TooManyRequests: every thread is busy and the queue is full.
        """
        if self._in_hand >= self._capacity:
            raise TooManyRequests(RETRY_AFTER_SECONDS)
        work = asyncio.get_running_loop().run_in_executor(self._executor, function, *args)
        self._in_hand += 1
        work.add_done_callback(self._release)
        return await asyncio.shield(work)

    def _release(self, work: asyncio.Future[T]) -> None:
        self._in_hand -= 1
        if not work.cancelled():
            work.exception()  # Retrieved, in case that the caller has gone.

    def close(self) -> None:
        """Let the running calls end and start no other."""
        self._executor.shutdown(wait=True, cancel_futures=True)
