"""Commands of the program in forks of one process, the zygote, which has imported what they need."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

OWN_PREFIXES = ("GUICHET_", "PYTEST_", "TMPDIR", "USE_TZ", "TIMEZONE")
"""How the variables begin that nothing reads when it is imported. Tortoise sets the last two in this process."""
END_SECONDS = 60
LONGEST_ANSWER = 20
PROJECT = Path(__file__).parents[2]


class Fork:
    """A process of the program that the zygote has forked, with the methods of `Popen` that tests use."""

    def __init__(self, answer: socket.socket, out: int | None, err: int | None) -> None:
        self._answer, self._answer_lock = answer, threading.Lock()
        self._outputs = [None if file is None else os.fdopen(file, encoding="utf-8") for file in (out, err)]
        self.pid = int(answer.recv(LONGEST_ANSWER))
        self.returncode: int | None = None

    @property
    def stderr(self) -> TextIO | None:
        return self._outputs[1]

    def __del__(self) -> None:
        self._answer.close()
        for output in self._outputs:
            if output is not None:
                output.close()

    def poll(self) -> int | None:
        return self._end_within(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code.

        :raises subprocess.TimeoutExpired: the process still runs after *timeout* seconds.
        """
        code = self._end_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("guichet", timeout or 0)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Return all that the process and its children have written, and wait until it has ended.

        :raises subprocess.TimeoutExpired: the process still runs after *timeout* seconds.
        """
        reading = ThreadPoolExecutor(len(self._outputs))
        texts = reading.map(_read, self._outputs)
        reading.shutdown(wait=False)  # Else the end of the outputs would be awaited even after the time is up.
        self.wait(timeout)
        out, err = texts
        return out, err

    def send_signal(self, number: int) -> None:
        """Send the signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _end_within(self, seconds: float | None) -> int | None:
        """Wait at most *seconds* for the end, and return the exit code."""
        answered = select.poll()
        answered.register(self._answer, select.POLLIN)
        if self.returncode is None and answered.poll(None if seconds is None else seconds * 1000):
            with self._answer_lock:
                if self.returncode is None:
                    self.returncode = int(self._answer.recv(LONGEST_ANSWER))
        return self.returncode


def can_fork(environment: Mapping[str, str]) -> bool:
    """Return whether a fork is like a fresh start: on Linux, in an environment that no import would find changed."""
    return sys.platform == "linux" and _seen_by_imports(environment) == _zygote().environment


def start(module: str, arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: int) -> Fork:
    """Run the module in *folder*. Its output goes to *log*, which is as for `Popen`."""
    return _zygote().fork([module, *arguments], dict(environment), folder, log)


class _Zygote:
    """The process that forks, and ends with this one."""

    def __init__(self) -> None:
        self.environment = _seen_by_imports(os.environ | {"PYTHONPATH": str(PROJECT)})
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # Our own program.
                [sys.executable, "-m", "tests.support.programs.zygote", str(theirs.fileno())],
                env=self.environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def fork(self, command: Sequence[str], environment: dict[str, str], folder: Path, log: int) -> Fork:
        answer, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ExitStack() as ours:
            ours.enter_context(theirs)
            (out, to_out), (err, to_err) = _output(ours, log), _output(ours, log)
            message = json.dumps([command, environment, str(folder)]).encode()
            socket.send_fds(self._control, [message], [to_out, to_err, theirs.fileno()])
        return Fork(answer, out, err)

    def end(self) -> None:
        self._control.close()
        self._process.wait(END_SECONDS)


@cache
def _zygote() -> _Zygote:
    zygote = _Zygote()
    atexit.register(zygote.end)
    return zygote


def _seen_by_imports(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.upper().startswith(OWN_PREFIXES)}


def _output(ours: ExitStack, log: int) -> tuple[int | None, int]:
    """Return the end of a pipe to read from, if *log* asks for one, and a descriptor to write to while *ours* lasts."""
    if log == subprocess.PIPE:
        to_read, to_write = os.pipe()
        ours.callback(os.close, to_write)
        return to_read, to_write
    if log == subprocess.DEVNULL:
        return None, ours.enter_context(Path(os.devnull).open("w")).fileno()
    return None, log


def _read(output: TextIO | None) -> str:
    return output.read() if output else ""
