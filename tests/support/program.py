"""The program as an operator runs it: its commands, and a server that is ready."""

from __future__ import annotations

import mailbox
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import NamedTuple, TypeAlias

import httpx
import pytest

from tests.support import forks
from tests.support.client import (
    CREATE_ACCOUNT,
    VERIFY_CAPTCHA,
    Answer,
    form,
)
from tests.support.ports import free_port

PROJECT = forks.PROJECT
CAPTCHA = "ABC123"
READY_SECONDS = 120
END_SECONDS = forks.END_SECONDS

Process: TypeAlias = subprocess.Popen[str] | forks.Fork


class CommandResult(NamedTuple):
    """A command's output and its exit code."""

    out: str
    err: str
    code: int


class Guichet:
    """The program in its own folder, with its settings."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder, self._afresh = folder, False
        kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("GUICHET_")}
        self.environment = kept | {"PYTHONPATH": str(PROJECT)}
        self.set(**settings)

    def set(self, **settings: str) -> None:
        self.environment |= {f"GUICHET_{name}": value for name, value in settings.items()}

    def start_afresh(self) -> Guichet:
        """From now on, start each process as `python -m api`, and none as a fork. Return this program."""
        self._afresh = True
        return self

    def start(self, *arguments: str, log: int = subprocess.PIPE, module: str = "api") -> Process:
        """Start a command: as a fork, since that is quicker, if nothing is lost by it."""
        if not self._afresh and forks.can_fork(self.environment):
            return forks.start(module, arguments, environment=self.environment, folder=self.folder, log=log)
        return subprocess.Popen(  # noqa: S603  # Our own program.
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> CommandResult:
        """Run one command until it ends."""
        return self.run_together(arguments)[0]

    def run_together(self, *commands: Sequence[str]) -> list[CommandResult]:
        """Run several commands at once until each has ended."""
        processes = [self.start(*command) for command in commands]
        try:
            return [CommandResult(*process.communicate(timeout=READY_SECONDS), process.wait()) for process in processes]
        finally:
            for process in processes:
                process.kill()

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[Server]:
        """Yield a server that is ready, and end it after the block."""
        port = free_port()
        log_file = self.folder / f"server-{port}.log"
        with log_file.open("w") as log:
            process = self.start("serve", "--port", str(port), *arguments, log=log.fileno())
        server = Server(process, port, log_file)
        try:
            server.wait_until_ready()
            yield server
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(END_SECONDS)

    @property
    def mails(self) -> list[EmailMessage]:
        """Return the delivered mails, in the order of their subjects."""
        box = mailbox.Maildir(self.folder / "var" / "mailbox", create=False)
        read = BytesParser(EmailMessage, policy=policy.default).parsebytes
        return sorted((read(box.get_bytes(key)) for key in box.iterkeys()), key=subject)

    def wait_for_mails(self, count: int) -> list[EmailMessage]:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            # The program creates this folder last: the mailbox can't be read earlier.
            if (self.folder / "var" / "mailbox" / "tmp").exists() and len(self.mails) >= count:
                break
            time.sleep(0.05)
        return self.mails


class Server:
    """A server's process, and calls to it."""

    def __init__(self, process: Process, port: int, log: Path) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        pytest.fail(f"the server is not ready: {self.log}")

    def ask(self, query: str, variables: Answer | None = None, *, headers: dict[str, str] | None = None) -> Answer:
        """Return the whole answer."""
        body = {"query": query, "variables": variables}
        response = httpx.post(f"{self.url}/graphql", json=body, headers=headers, timeout=READY_SECONDS)
        answer: Answer = response.json()
        return answer

    def call(self, query: str, variables: Answer) -> Answer:
        """Return the value of the only root field."""
        answer = self.ask(query, variables)
        assert "errors" not in answer, answer
        (value,) = answer["data"].values()
        assert isinstance(value, dict)
        return value

    def sign_up(self) -> None:
        """Sign up until two mails are promised."""
        registration = self.call(CREATE_ACCOUNT, {"input": form()})
        assert registration["__typename"] == "PendingRegistration", registration
        answer = {"registrationId": registration["id"], "answer": CAPTCHA}
        assert self.call(VERIFY_CAPTCHA, {"input": answer})["__typename"] == "ActivationMailSent"

    def end(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(END_SECONDS)


def subject(mail: EmailMessage) -> str:
    return str(mail["Subject"])
