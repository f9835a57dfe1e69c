"""Run Python with the arguments, and let it write no file of more than *N* bytes, the first argument."""

from __future__ import annotations

import os
import resource
import sys


def main() -> None:
    size = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])  # noqa: S606  # A test's own command.


if __name__ == "__main__":
    main()
