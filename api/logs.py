"""What is logged: our own access log, one line a request, and everything else, on standard error."""

from __future__ import annotations

import logging
import time
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

NOT_LOGGED = "guichet.not_logged"
QUIET_LOGGERS = ("tortoise", "aiosqlite", "asyncio", "limits", "PIL")


def configure_logging() -> None:
    """Everything on standard error, one line a record; libraries only from warnings on."""
    # What no record shows need not be found out for each: see "Optimization" in the documentation of logging.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def trace_of(exc: BaseException) -> str:
    """Where *exc* comes from, its class and those of its causes, without their words, which may quote an address."""
    frames = "".join(traceback.format_tb(exc.__traceback__))
    causes: list[str] = []
    cause: BaseException | None = exc
    while cause is not None:
        causes.append(f"{type(cause).__module__}.{type(cause).__qualname__}")
        cause = cause.__cause__ or cause.__context__
    return f"{frames}{', because of '.join(causes)}"


class AccessLog:
    """Logs method, path, status and duration in milliseconds of what *app* answers.

    Never a query string: that may carry what nobody should keep. Nor a request whose scope says :data:`NOT_LOGGED`:
    one of many by which a page asks whether there is anything new, and there is not.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            if NOT_LOGGED not in scope:
                milliseconds = (time.perf_counter() - started) * 1000
                logger.info("%s %r %d %.1f ms", scope["method"], scope["path"], status, milliseconds)
