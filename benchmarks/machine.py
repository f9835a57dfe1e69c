"""The machine: its cores, and what a reader has to know of it to read the figures."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
PACKAGES = PEERS / "node_modules"


CORES = frozenset(os.sched_getaffinity(0))
SERVER_CORE = min(CORES)
OTHER_CORES = CORES - {SERVER_CORE}


@contextmanager
def server_core_left_alone() -> Iterator[None]:
    """Keep this process, and all that it starts, on the other cores: the load, PostgreSQL, Redis."""
    if not OTHER_CORES:
        sys.exit("At least two cores are needed: one for the server, one for the load and PostgreSQL")
    os.sched_setaffinity(0, OTHER_CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES)


def require_node() -> str:
    """Return the Node that runs the peers. Exit if it or the peers are missing."""
    if not PACKAGES.exists():
        sys.exit(f"The peers are missing: run make {PACKAGES.relative_to(PEERS.parents[1])}/.ready")
    return _node() or sys.exit("Node.js is missing: install it, for example with apt-get install nodejs")


def require(program: str, package: str) -> str:
    """Return the path of *program*, which Debian has in *package*. Exit if it is missing."""
    path = shutil.which(program)
    if path is None:
        sys.exit(f"{program} is missing: install it, for example with apt-get install {package}")
    return path


def describe(postgres_version: str) -> dict[str, str]:
    """Return the machine's parts and the versions of what runs on it."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "CPU": cpu[1] if cpu else platform.processor(),
        "cores": str(os.cpu_count()),
        platform.system(): platform.release().partition("-")[0],
        "Python": platform.python_version(),
        "Node": _version([_node() or "node", "--version"]),
        "PostgreSQL": postgres_version,
        "wrk": _version([require("wrk", "wrk"), "--version"]),
    }


def _node() -> str | None:
    """Return the pinned Node; where npm has none for this machine, the system's."""
    pinned = PACKAGES / ".bin/node"
    return str(pinned) if pinned.exists() else shutil.which("node")


def _version(command: list[str]) -> str:
    """Return the version that *command* prints, or "none" if there is no such program."""
    if shutil.which(command[0]) is None:
        return "none"
    printed = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.search(r"\d+(\.\d+)+", printed)
    return found[0] if found else "unknown"
