"""The relay in a process of its own beside the server, so that it takes no time from requests."""

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
from api.shutdown import SHUTDOWN_SECONDS, STOP_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.context import SpawnProcess

    from api.settings.environment import Settings

RESTART_SECONDS = 2
NICENESS = 19

logger = logging.getLogger(__name__)


class RelayProcess:
    """Starts the relay, restarts it when it dies, and ends it with the server.

    If the server dies, the relay ends by itself: see `_relay`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: SpawnProcess | None = None
        self._ends_at: float | None = None
        self._ending = threading.Event()

    @contextmanager
    def running(self, *, on: bool = True) -> Iterator[RelayProcess]:
        """Keep the relay running until the block ends, and end it then. Do nothing if it is not *on*."""
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
        """Tell the relay to end. A signal handler may call this at any time, even during another call. Idempotent."""
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
            resource_tracker.ensure_running()  # Else `start` does this, and unblocks the signals that are blocked here.
            # A process inherits blocked signals, so no signal ends it before it can handle them.
            signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
            process = multiprocessing.get_context("spawn").Process(target=_relay, args=(self._settings,), daemon=True)
            process.start()
            self._process = process
            if self._ends_at is not None:  # `stop` was called meanwhile, and knew of no process.
                self._terminate()
            self._wait_for(process)
            if not self._ending.wait(RESTART_SECONDS):
                logger.error("The relay has ended, with exit code %s: it is started again", process.exitcode)

    def _wait_for(self, process: SpawnProcess) -> None:
        """Wait for the end of *process*. Kill it at the deadline after `stop`."""
        while not wait([process.sentinel], timeout=1):
            if self._ends_at is not None and time.monotonic() > self._ends_at:
                logger.error("The relay does not end in time: it is killed")
                process.kill()
        process.join()


def _relay(settings: Settings) -> None:
    """Relay at the lowest priority, until this process is told to end or its parent dies."""
    _lower_priority()
    import uvloop

    from api.delivery import deliver

    configure_logging()
    parent = multiprocessing.parent_process()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(deliver(settings, parent=None if parent is None else parent.sentinel))


def _lower_priority() -> None:
    """Let the processes that answer requests go first."""
    os.nice(NICENESS)
    with suppress(AttributeError, OSError):  # Linux has it.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
