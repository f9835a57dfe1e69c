"""The log, on standard error. Each line has the id of its request."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections import deque
from contextlib import suppress
from contextvars import ContextVar
from typing import TextIO

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the current request; `-` outside of requests."""
FORMAT = "%(asctime)s %(levelname)s %(request_id)s %(name)s %(message)s"
FLUSH_SECONDS = 0.05
QUIET_LOGGERS = ("tortoise", "aiosqlite", "asyncio", "limits", "PIL")


def configure_logging() -> None:
    """Log everything to standard error; of libraries, only warnings and errors."""
    # Don't collect what no line shows: see "Optimization" in the documentation of logging.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    handler = LogStream()
    handler.addFilter(_add_request_id)
    handler.setFormatter(LineByLine(FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def log_request(logger_name: str, line: str) -> None:
    """Log *line* about a request that has ended, at level INFO.

    On standard error, it may come 50 ms later, in one write with all others of that time, which takes a tenth of the
    CPU. If the process is killed, these lines are lost; errors never are.
    """
    for handler in logging.root.handlers:
        if isinstance(handler, LogStream):
            handler.write_soon(logger_name, line)
            return
    logging.getLogger(logger_name).info("%s", line)


class LogStream(logging.StreamHandler[TextIO]):
    """Writes records at once, and lines about requests soon, in the order in which they come.

    Its lock is the handler's own, which a thread can take twice: while lines are written, the garbage collector may
    find a failure that nobody retrieved, and asyncio logs it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque()
        self._due_in: asyncio.AbstractEventLoop | None = None
        self._second = 0
        self._time = ""

    def write_soon(self, logger_name: str, line: str) -> None:
        """Write *line*, with the time and the request's id, within `FLUSH_SECONDS` of the running event loop."""
        self._lines.append(
            f"{self._format_time(time.time())} INFO {REQUEST_ID.get()} {logger_name} {line}{self.terminator}"
        )
        loop = asyncio.get_running_loop()
        if self._due_in is not loop:
            self._due_in = loop
            loop.call_later(FLUSH_SECONDS, self._write_due)

    def emit(self, record: logging.LogRecord) -> None:
        self._write_lines()
        super().emit(record)

    def flush(self) -> None:
        self._write_lines()
        super().flush()

    def _write_due(self) -> None:
        self._due_in = None
        self._write_lines()

    def _write_lines(self) -> None:
        self.acquire()
        try:
            lines = []
            with suppress(IndexError):
                while True:
                    lines.append(self._lines.popleft())
            with suppress(OSError, ValueError):  # Nobody reads the log, and it can be told nowhere else.
                if lines:
                    self.stream.write("".join(lines))
                    self.stream.flush()
        finally:
            self.release()

    def _format_time(self, now: float) -> str:
        """Format a time as `logging.Formatter` does, each second once."""
        second = int(now)
        if second != self._second:
            self._second, self._time = (
                second,
                time.strftime(logging.Formatter.default_time_format, time.localtime(second)),
            )
        return f"{self._time},{int((now - second) * 1000):03d}"


class LineByLine(logging.Formatter):
    """Begins each line of a record like its first, so that a search for a request finds whole traces."""

    def format(self, record: logging.LogRecord) -> str:
        first, *others = super().format(record).split("\n")
        beginning = first.removesuffix(record.message.partition("\n")[0])
        return "\n".join([first, *(beginning + line for line in others)])


def _add_request_id(record: logging.LogRecord) -> bool:
    if not hasattr(record, "request_id"):  # A record may bring its own.
        record.request_id = REQUEST_ID.get()
    return True


def trace_of(exc: BaseException) -> str:
    """Return the places of *exc*, its class and those of its causes, without messages, which may quote an address."""
    frames = "".join(traceback.format_tb(exc.__traceback__))
    causes: list[str] = []
    cause: BaseException | None = exc
    while cause is not None:
        causes.append(f"{type(cause).__module__}.{type(cause).__qualname__}")
        cause = cause.__cause__ or cause.__context__
    return f"{frames}{', because of '.join(causes)}"
