"""Run the command in the arguments, print its peak memory in KiB on standard error, and exit with its code."""

from __future__ import annotations

import resource
import subprocess
import sys


def main() -> None:
    code = subprocess.run(sys.argv[1:], check=False).returncode  # noqa: S603  # A test's own command.
    sys.stderr.write(f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
