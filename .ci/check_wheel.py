"""Refuse a wheel that lacks a file of `api` or `models`: templates, words, voices, migrations."""

from __future__ import annotations

import sys
from pathlib import Path
from zipfile import ZipFile

ROOMS = ("api", "models")


def main(wheel: str) -> None:
    packed = set(ZipFile(wheel).namelist())
    files = {file.as_posix() for room in ROOMS for file in Path(room).rglob("*") if file.is_file()}
    missing = sorted(file for file in files if "__pycache__" not in file and file not in packed)
    strangers = sorted(name for name in packed if name.partition("/")[0] not in ROOMS and ".dist-info/" not in name)
    if missing or strangers:
        sys.exit(f"{wheel}: missing {missing}, not expected {strangers}")


if __name__ == "__main__":
    main(sys.argv[1])
