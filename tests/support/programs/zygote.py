"""Run commands of the program, each in a fork of this process, which has imported all that they need.

The argument is the descriptor of a socket. Each message asks for one command, and brings three descriptors: standard
output, standard error, and one for the answer. The answer has two messages: the fork's id, and, once it has ended, its
exit code. A fork differs from `python -m MODULE` only in what is imported. This process ends when nobody can ask.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import selectors
import socket
import sys
import tempfile
from contextlib import suppress
from multiprocessing import process
from typing import TYPE_CHECKING, NamedTuple

import api.cli.application
import api.delivery
import api.server.processes
import models.database.migration
import models.retention

if TYPE_CHECKING:
    from selectors import BaseSelector

# Without DuckDB, which, imported here, would complain at the end of each fork.
IMPORTED = (
    api.cli.application,
    api.delivery,
    api.server.processes,
    models.database.migration,
    models.retention,
)
LONGEST_MESSAGE = 1_000_000
DESCRIPTORS = 3
FIRST_FREE_DESCRIPTOR = 3


class Command(NamedTuple):
    """A module with its arguments, and the place to run it in."""

    words: list[str]
    environment: dict[str, str]
    folder: str
    out: int
    err: int
    answer: int


def main() -> None:
    gc.collect()
    gc.freeze()  # Else each fork's collector would touch, and so copy, all that is imported.
    with socket.socket(fileno=int(sys.argv[1])) as control, selectors.DefaultSelector() as awaited:
        command = _await_command(control, awaited)
    if command is not None:
        _become(command)
        runpy.run_module(command.words[0], run_name="__main__", alter_sys=True)


def _await_command(control: socket.socket, awaited: BaseSelector) -> Command | None:
    """Fork for each command, and return it in the fork. Return nothing when nobody can ask any more."""
    awaited.register(control, selectors.EVENT_READ)
    while True:
        for key, _ in awaited.select():
            if key.fileobj is control:
                command = _read_command(control)
                if command is None or _fork(awaited, command) == 0:
                    return command
            else:
                _report_end(awaited, key)


def _read_command(control: socket.socket) -> Command | None:
    message, descriptors, _, _ = socket.recv_fds(control, LONGEST_MESSAGE, DESCRIPTORS)
    if not message:
        return None
    return Command(*json.loads(message), *descriptors)


def _fork(awaited: BaseSelector, command: Command) -> int:
    """Fork, answer with the child's id, and return it. In the child, return 0."""
    child = os.fork()
    if child:
        os.close(command.out)
        os.close(command.err)
        os.write(command.answer, str(child).encode())
        awaited.register(os.pidfd_open(child), selectors.EVENT_READ, (child, command.answer))
    return child


def _report_end(awaited: BaseSelector, key: selectors.SelectorKey) -> None:
    child, answer = key.data
    awaited.unregister(key.fileobj)
    os.close(key.fd)
    _, status = os.waitpid(child, 0)
    with suppress(BrokenPipeError):  # Perhaps nobody waits for it.
        os.write(answer, str(os.waitstatus_to_exitcode(status)).encode())
    os.close(answer)


def _become(command: Command) -> None:
    """Make this process like one that was started for *command*, in a session of its own."""
    os.setsid()
    os.dup2(command.out, sys.stdout.fileno())
    os.dup2(command.err, sys.stderr.fileno())
    os.closerange(FIRST_FREE_DESCRIPTOR, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(command.environment)
    os.chdir(command.folder)
    sys.path[0] = command.folder
    process.ORIGINAL_DIR = command.folder  # type: ignore[attr-defined]  # No stub has it. Child processes start there.
    tempfile.tempdir = None  # It remembers TMPDIR.
    sys.argv[1:] = command.words[1:]


if __name__ == "__main__":
    main()
