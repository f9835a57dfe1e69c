"""The relay as a process: beside the server, ended with it, restarted; and the mails of a stopped relay."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from api.server.relay_process import NICENESS
from models.outbox import MessageKind, MessageState, OutboxMessage
from tests.support.databases import sqlite_only
from tests.support.mail_server import Mailroom, listening
from tests.support.outbox import an_account
from tests.support.program import CAPTCHA, END_SECONDS, PROJECT, READY_SECONDS, Guichet, Process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiosmtpd.smtp import SMTP, Envelope, Session

pytestmark = pytest.mark.anyio

EMAIL = "camille.durand@exemple.fr"
LATER_THAN_BEFORE = 12
"""Longer than ten seconds, after which an earlier release cut relays off."""


REST_SECONDS = 2
"""Seconds in which a busy loop would show in the use of the processor."""


class Hesitant(Mailroom):
    """A mail server that stays silent at *step* until it may speak."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self._step = step

    async def handle_EHLO(  # noqa: N802  # The names are aiosmtpd's.
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        await self._hesitate("EHLO")
        return responses

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await self._hesitate("RCPT")
        return await super().handle_RCPT(server, session, envelope, address, options)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        await self._hesitate("DATA")
        return await super().handle_DATA(server, session, envelope)

    async def _hesitate(self, step: str) -> None:
        if step == self._step:
            self.asked.set()
            await self.may_answer.wait()


@pytest.fixture
def guichet(tmp_path: Path, database_url: str) -> Guichet:
    """The program with a migrated database, and a captcha for developers."""
    folder = tmp_path / "service"
    folder.mkdir()
    return Guichet(folder, DATABASE_URL=database_url, CAPTCHA=f"fixed:{CAPTCHA}", RATE_LIMITS="off")


async def promise_mail() -> None:
    now = datetime.now(UTC)
    await an_account(EMAIL, now=now)
    await OutboxMessage.enqueue(MessageKind.RESEND, EMAIL, language="fr", now=now)


@contextmanager
def relaying(guichet: Guichet, command: str, port: int) -> Iterator[Process]:
    """Run *command*, whose mails go to the server at *port*, and give its process; it ends with the block."""
    guichet.set(MAIL_URL=f"smtp://127.0.0.1:{port}?starttls=off")
    if command == "serve":
        with guichet.serving() as server:
            yield server.process
        return
    process = guichet.start(command, log=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(END_SECONDS)


def relay_of(server: psutil.Process) -> psutil.Process | None:
    """Return the child with the lowest priority."""
    with suppress(psutil.NoSuchProcess):
        return next((child for child in server.children() if child.nice() == NICENESS), None)
    return None


async def relay_other_than(server: psutil.Process, before: psutil.Process | None = None) -> psutil.Process:
    async with asyncio.timeout(READY_SECONDS):
        while (relay := relay_of(server)) is None or relay == before:  # noqa: ASYNC110  # Processes set no event.
            await asyncio.sleep(0.05)
    return relay


async def have_ended(*processes: psutil.Process) -> None:
    """Wait until none of them runs. Their exit codes may have no reader."""
    async with asyncio.timeout(END_SECONDS):
        for process in processes:
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110  # As above.
                await asyncio.sleep(0.05)


# ── A stop during a sending ──


@sqlite_only
@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("command", ["serve", "deliver-mail"])
async def test_a_mail_whose_answer_is_late_leaves_once(guichet: Guichet, command: str) -> None:
    """After SIGTERM during a slow answer to DATA, the relay awaits the answer, and no copy is sent."""
    mailroom = Hesitant("DATA")
    await promise_mail()
    async with asyncio.timeout(READY_SECONDS), listening(mailroom) as port:
        with relaying(guichet, command, port) as process:
            await mailroom.asked.wait()
            process.send_signal(signal.SIGTERM)
            ending = asyncio.create_task(asyncio.to_thread(process.wait, END_SECONDS))
            await asyncio.wait([ending], timeout=LATER_THAN_BEFORE)
            assert not ending.done()
            mailroom.may_answer.set()
            assert await ending == 0
    assert (await OutboxMessage.get()).state is MessageState.SENT
    assert len(mailroom.envelopes) == 1


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("step", ["EHLO", "RCPT"])
@pytest.mark.parametrize("command", ["serve", "deliver-mail"])
async def test_stop_before_data_leaves_the_mail_claimable_at_once(guichet: Guichet, command: str, step: str) -> None:
    """After SIGTERM before DATA, the relay ends without waiting for the mail server, and another may send at once."""
    mailroom = Hesitant(step)
    await promise_mail()
    async with asyncio.timeout(READY_SECONDS), listening(mailroom) as port:
        with relaying(guichet, command, port) as process:
            await mailroom.asked.wait()
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, END_SECONDS) == 0
        message = await OutboxMessage.get()
        assert (message.state, message.lease_owner, message.attempts) == (MessageState.QUEUED, None, 0)
        assert message.available_at <= datetime.now(UTC)
        mailroom.may_answer.set()
        done = await asyncio.to_thread(guichet.run, "deliver-mail", "--once")
    assert (done.code, done.out) == (0, "1 sent\n"), done.err
    assert len(mailroom.envelopes) == 1


# ── Beside the server ──


def test_the_server_can_not_compose_mails() -> None:
    """No module that the server imports can compose or send mails."""
    command = [sys.executable, "-m", "tests.support.programs.loaded", "api.server.processes"]
    loaded = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603
    assert "api.graphql.schema" in loaded
    assert [name for name in loaded if name.startswith(("api.mail", "jinja2", "aiosmtp"))] == []


@sqlite_only
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_one_relay_for_any_number_of_workers(guichet: Guichet, workers: str) -> None:
    """A server has one relay beside it, which has lower priority and ends with it."""
    with guichet.serving("--workers", workers) as server:
        process = psutil.Process(server.process.pid)
        relay = await relay_other_than(process)
        assert [child for child in process.children(recursive=True) if child.nice() == NICENESS] == [relay]
        server.sign_up()
        assert len(await asyncio.to_thread(guichet.wait_for_mails, 2)) == 2
        assert await asyncio.to_thread(server.end) == 0
        await have_ended(relay)
    assert "Traceback" not in server.log


@sqlite_only
async def test_relay_can_be_disabled(guichet: Guichet) -> None:
    """`GUICHET_RELAY=off` starts none."""
    guichet.set(RELAY="off")
    with guichet.serving() as server:
        assert psutil.Process(server.process.pid).children() == []


@sqlite_only
async def test_a_killed_relay_is_restarted(guichet: Guichet) -> None:
    """A relay that is killed is restarted, and the log says so; mails leave as before."""
    with guichet.serving() as server:
        process = psutil.Process(server.process.pid)
        first = await relay_other_than(process)
        first.kill()
        await relay_other_than(process, first)
        server.sign_up()
        assert len(await asyncio.to_thread(guichet.wait_for_mails, 2)) == 2
        assert "The relay has ended, with exit code -9" in server.log


@sqlite_only
async def test_a_relay_ends_with_its_server(guichet: Guichet) -> None:
    """If the server is killed, its relay ends by itself."""
    with guichet.serving() as server:
        relay = await relay_other_than(psutil.Process(server.process.pid))
        server.process.kill()
        await have_ended(relay)


@sqlite_only
async def test_workers_end_with_their_supervisor(guichet: Guichet) -> None:
    """If the supervisor of several workers is killed, they end by themselves, and the port is free again."""
    with guichet.serving("--workers", "2") as server:
        supervisor = psutil.Process(server.process.pid)
        await relay_other_than(supervisor)
        children = supervisor.children(recursive=True)
        assert len(children) >= 3  # The workers, the relay.
        server.process.kill()
        try:
            await have_ended(*children)
        finally:
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()
    assert "Traceback" not in server.log


@sqlite_only
@pytest.mark.usefixtures("stored")
async def test_a_relay_without_its_server_waits_without_using_the_processor(guichet: Guichet) -> None:
    """After the server is killed, the relay awaits the last answer without using the processor."""
    mailroom = Hesitant("DATA")
    await promise_mail()
    async with asyncio.timeout(READY_SECONDS), listening(mailroom) as port:
        with relaying(guichet, "serve", port) as process:
            await mailroom.asked.wait()
            relay = await relay_other_than(psutil.Process(process.pid))
            process.kill()
            await asyncio.to_thread(process.wait, END_SECONDS)
            before = relay.cpu_times()
            await asyncio.sleep(REST_SECONDS)
            after = relay.cpu_times()
            assert after.user + after.system - before.user - before.system < REST_SECONDS / 4
            mailroom.may_answer.set()
            await have_ended(relay)
    assert len(mailroom.envelopes) == 1


@sqlite_only
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_an_interrupt_from_the_terminal_ends_all_processes(guichet: Guichet, workers: str) -> None:
    """Ctrl-C reaches each process: all end without a traceback, and no relay is restarted."""
    with guichet.serving("--workers", workers) as server:
        relay = await relay_other_than(psutil.Process(server.process.pid))
        os.killpg(server.process.pid, signal.SIGINT)
        assert await asyncio.to_thread(server.process.wait, END_SECONDS) == 0
        await have_ended(relay)
    assert "Traceback" not in server.log
    assert "started again" not in server.log
