"""Ports for servers that a test starts in another process."""

from __future__ import annotations

import itertools
import os
import random
import socket

FIRST, SHARE = 20_000, 1_000
"""Below the ports that the system hands out by itself; each worker of pytest has a share of its own."""

_start = FIRST + SHARE * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10)
_ports = itertools.cycle(random.sample(range(_start, _start + SHARE), SHARE))


def free_port() -> int:
    """A port that nothing listens to, and that no other test is given soon."""
    for port in itertools.islice(_ports, SHARE):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")
