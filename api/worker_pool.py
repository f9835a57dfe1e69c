"""Threads for slow work, with a bounded queue before them: the event loop never waits, and never hoards.

anyio's `to_thread` with a `CapacityLimiter` is no substitute: a caller that asyncio cancels frees its place at once,
while the thread works on.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeVar

from api.refusals import TooManyRequests

T = TypeVar("T")

RETRY_AFTER_SECONDS = 2


class WorkerPool:
    """A pool of *workers* threads, with at most *max_waiting* calls that wait for one.

    On Linux, a *niceness* above zero lets other threads go first. It is for work that does not hold the interpreter's
    lock: else the event loop could wait for a thread that waits for a core.
    """

    def __init__(self, *, workers: int, max_waiting: int, name: str, niceness: int = 0) -> None:
        initializer = partial(_lower_priority, niceness) if niceness else None
        self._executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix=name, initializer=initializer)
        self._capacity = workers + max_waiting
        self._unfinished = 0

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Call *function* in a thread and return its result.

        A caller that gives up frees no place: the thread works on, and keeps the place until it ends.

        :raises TooManyRequests: every thread is busy and the queue is full.
        """
        if self._unfinished >= self._capacity:
            raise TooManyRequests(RETRY_AFTER_SECONDS)
        work = asyncio.get_running_loop().run_in_executor(self._executor, function, *args)
        self._unfinished += 1
        work.add_done_callback(self._finish)
        return await asyncio.shield(work)

    def _finish(self, work: asyncio.Future[T]) -> None:
        self._unfinished -= 1
        if not work.cancelled():
            work.exception()  # Retrieve it, in case the caller has gone: asyncio logs errors that nobody retrieves.

    def close(self) -> None:
        """Wait for the running calls, and start no other."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def _lower_priority(niceness: int) -> None:
    """Lower the priority of this thread, and of the threads that it starts."""
    if sys.platform == "linux":  # Elsewhere, threads have no priority of their own, and their ids may be of processes.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
