"""Say "ready", wait for the file `go`, then load the settings and print their key."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from api.settings.environment import load_settings


def main() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not Path("go").exists():
        time.sleep(0.001)
    sys.stdout.write(load_settings().key.decode())


if __name__ == "__main__":
    main()
