"""Settings that can't be used, in the words that an operator reads."""

from __future__ import annotations

PREFIX = "GUICHET_"


class SettingsError(Exception):
    """Settings that are missing, wrong or insecure: *lines* say which, and what to do, one line each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def line(name: str, problem: str) -> str:
    """Return the line that tells of a *problem* with the setting *name*."""
    return f"{PREFIX}{name.upper()}: {problem.removeprefix('Value error, ')}"
