"""Ports for servers that a test starts in another process."""

from __future__ import annotations

import itertools
import os
import random
import socket

FIRST, SHARE = 20_000, 1_000
"""Lower than the ports that the system hands out; each worker of pytest has its own share."""

_start = FIRST + SHARE * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10)
_ports = itertools.cycle(random.sample(range(_start, _start + SHARE), SHARE))


def free_port() -> int:
    """Return a port on which nothing listens, and which no other test gets soon."""
    for port in itertools.islice(_ports, SHARE):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")
