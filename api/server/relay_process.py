"""The relay in a process of its own, beside the server: the time that it takes is taken from no request."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
import time
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from api.logs import configure_logging
from api.shutdown import SHUTDOWN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.context import SpawnProcess

    from api.settings.environment import Settings

RESTART_SECONDS = 2
NICENESS = 19
STOPS = (signal.SIGINT, signal.SIGTERM)

logger = logging.getLogger(__name__)


class RelayProcess:
    """Starts the relay, starts it again where it dies, and ends it with the server.

    It ends by itself where the server has died: see `_relay`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: SpawnProcess | None = None
        self._ends_at: float | None = None
        self._ending = threading.Event()

    @contextmanager
    def running(self, *, on: bool = True) -> Iterator[RelayProcess]:
        """Keep the relay running, unless it is not *on*, until the block ends; then it has ended, too."""
        keeping = threading.Thread(target=self._keep_running, name="relay", daemon=True)
        if on:
            keeping.start()
        try:
            yield self
        finally:
            self.stop()
            if on:
                keeping.join()

    def stop(self) -> None:
        """Tell the relay to end. A signal handler may call this, even while it is called already. Idempotent."""
        if self._ends_at is None:
            self._ends_at = time.monotonic() + SHUTDOWN_SECONDS
            self._terminate()
            self._ending.set()

    def _terminate(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.terminate()

    def _keep_running(self) -> None:
        while self._ends_at is None:
            resource_tracker.ensure_running()  # Else `start` does, and lifts what is blocked here.
            # A process inherits what its starter blocks: so no signal ends it before it can handle them.
            signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
            process = multiprocessing.get_context("spawn").Process(target=_relay, args=(self._settings,), daemon=True)
            process.start()
            self._process = process
            if self._ends_at is not None:  # Since the loop asked: then, `stop` has known of no process.
                self._terminate()
            self._wait_for(process)
            if not self._ending.wait(RESTART_SECONDS):
                logger.error("The relay has ended, with exit code %s: it is started again", process.exitcode)

    def _wait_for(self, process: SpawnProcess) -> None:
        """Wait for the end of *process*; once it is told to end, until the deadline."""
        while not wait([process.sentinel], timeout=1):
            if self._ends_at is not None and time.monotonic() > self._ends_at:
                logger.error("The relay does not end in time: it is killed")
                process.kill()
        process.join()


def _relay(settings: Settings) -> None:
    """What the process does: relay at the lowest priority, until it is told to end or its parent has died."""
    _give_way()
    from api.delivery import deliver

    configure_logging()
    parent = multiprocessing.parent_process()
    asyncio.run(deliver(settings, parent=None if parent is None else parent.sentinel))


def _give_way() -> None:
    """Let whoever answers requests go first."""
    os.nice(NICENESS)
    with suppress(AttributeError, OSError):  # Of Linux.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
