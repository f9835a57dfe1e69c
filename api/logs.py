"""The log, on standard error. Each line has the id of its request."""

from __future__ import annotations

import logging
import traceback
from contextvars import ContextVar

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the current request; `-` outside of requests."""
FORMAT = "%(asctime)s %(levelname)s %(request_id)s %(name)s %(message)s"
QUIET_LOGGERS = ("tortoise", "aiosqlite", "asyncio", "limits", "PIL")


def configure_logging() -> None:
    """Log everything to standard error; of libraries, only warnings and errors."""
    # Don't collect what no line shows: see "Optimization" in the documentation of logging.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    handler = logging.StreamHandler()
    handler.addFilter(_add_request_id)
    handler.setFormatter(LineByLine(FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


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
