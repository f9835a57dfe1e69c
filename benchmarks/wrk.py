"""Load from wrk, which replays requests on the cores that the server does not have."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import require

REPLAY = Path(__file__).with_name("replay.lua")
CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Answered:
    """What wrk saw: requests sent, and answered, in how many seconds; milliseconds that an answer took.

    Those sent last are on their way when wrk ends: the server works on them without anybody to answer.
    """

    sent: int
    answered: int
    seconds: float
    p50: float
    p99: float


def replay(requests: Path, port: int, seconds: int, connections: int = CONNECTIONS) -> Answered:
    """Send *requests* again and again for some seconds. Fail if one of them is not answered, or with an error."""
    program = require("wrk", "wrk")
    options = ["--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", "--timeout", "30s"]
    command = [program, *options, "--script", str(REPLAY), f"http://127.0.0.1:{port}", "--", str(requests)]
    output = subprocess.check_output(command, text=True)  # noqa: S603
    seen = json.loads(output.strip().rpartition("\n")[2])
    assert seen["broken"] == 0, f"{seen['broken']} connections broke or timed out:\n{output}"
    assert seen["refused"] == 0, f"{seen['refused']} answers were errors:\n{output}"
    assert seen["answered"] > 0, f"no answer in {seconds} seconds:\n{output}"
    return Answered(seen["sent"], seen["answered"], seen["microseconds"] / 1e6, seen["p50"] / 1e3, seen["p99"] / 1e3)
