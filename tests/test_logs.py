"""The log: lines about requests are written together and in order, and errors at once."""

from __future__ import annotations

import asyncio
import io
import logging
import re
import threading

import pytest

from api.logs import FLUSH_SECONDS, LogStream, configure_logging, log_request
from tests.support.lines import GUARD_SECONDS

pytestmark = pytest.mark.anyio

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO - api.http.middleware GET '/' 200\n")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A log as the server has it, in the place of standard error."""
    root, written = logging.getLogger(), io.StringIO()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr("sys.stderr", written)
    configure_logging()
    return written


async def test_lines_of_requests_are_written_together(log: io.StringIO) -> None:
    """Lines about requests wait for each other, for a moment."""
    for status in (200, 404):
        log_request("api.http.middleware", f"GET '/' {status}")
    assert log.getvalue() == ""
    await asyncio.sleep(2 * FLUSH_SECONDS)
    assert [line.split()[-1] for line in log.getvalue().splitlines()] == ["200", "404"]


async def test_error_is_written_at_once_after_earlier_lines(log: io.StringIO) -> None:
    """An error waits for nothing, and its place in the log is that of its time."""
    log_request("api.http.middleware", "GET '/' 200")
    logging.getLogger("api.mail.relay").error("the mailbox is full")
    assert [line.split()[2] for line in log.getvalue().splitlines()] == ["INFO", "ERROR"]


async def test_lines_are_written_before_the_end(log: io.StringIO) -> None:
    """A process that ends writes the lines that wait."""
    log_request("api.http.middleware", "GET '/' 200")
    logging.shutdown()
    assert LOG_LINE.fullmatch(log.getvalue())


async def test_log_that_nobody_reads_stops_no_request(log: io.StringIO) -> None:
    """Where the log can't be written, requests are answered."""
    log_request("api.http.middleware", "GET '/' 200")
    log.close()
    await asyncio.sleep(2 * FLUSH_SECONDS)
    log_request("api.http.middleware", "GET '/' 200")


class Chatty(io.StringIO):
    """A stream that logs while it is written to, as the garbage collector can at any time."""

    def write(self, text: str) -> int:
        if "collected" not in text:
            logging.getLogger("asyncio").error("Task was destroyed but it is pending! It was collected.")
        return super().write(text)


@pytest.mark.parametrize("written", ["line", "record"])
def test_record_while_the_log_is_written_stops_nothing(log: io.StringIO, written: str) -> None:
    """A failure that is logged in the middle of a write is written, too, and the thread goes on."""
    (handler,) = (one for one in logging.getLogger().handlers if isinstance(one, LogStream))
    chatty = Chatty()
    handler.setStream(chatty)

    async def write() -> None:
        log_request("api.http.middleware", "GET '/' 200")
        handler.flush()

    work = (lambda: asyncio.run(write())) if written == "line" else (lambda: logging.getLogger().error("failed"))
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(GUARD_SECONDS)
    assert not thread.is_alive()
    assert len(chatty.getvalue().splitlines()) == 2


def test_lines_of_an_event_loop_that_has_ended_are_written(log: io.StringIO) -> None:
    """Lines that one event loop leaves behind are written by the next."""

    async def ask(seconds: float) -> None:
        log_request("api.http.middleware", "GET '/' 200")
        await asyncio.sleep(seconds)

    asyncio.run(ask(0))
    asyncio.run(ask(2 * FLUSH_SECONDS))
    assert len(log.getvalue().splitlines()) == 2
