"""The log, on standard error. Each line has the id of its request."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import traceback
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
    """Writes records at once, and lines about requests soon, in the order in which they come."""

    def __init__(self) -> None:
        super().__init__()
        self._access = threading.Lock()
        self._lines: list[str] = []
        self._second = 0
        self._time = ""

    def write_soon(self, logger_name: str, line: str) -> None:
        """Write *line*, with the time and the request's id, within `FLUSH_SECONDS` of the running event loop."""
        written = f"{self._format_time(time.time())} INFO {REQUEST_ID.get()} {logger_name} {line}{self.terminator}"
        with self._access:
            is_first = not self._lines
            self._lines.append(written)
        if is_first:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._write_lines)

    def emit(self, record: logging.LogRecord) -> None:
        self._write_lines()
        super().emit(record)

    def flush(self) -> None:
        self._write_lines()
        super().flush()

    def _write_lines(self) -> None:
        with self._access:
            lines, self._lines = self._lines, []
            if lines:
                with suppress(OSError, ValueError):  # Nobody reads the log, and it can be told nowhere else.
                    self.stream.write("".join(lines))
                    self.stream.flush()

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
