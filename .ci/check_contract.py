"""Refuse a contract that breaks clients, unless CHANGELOG.md names each break: `check_contract.py BASE_REF`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from graphql import GraphQLSchema, build_schema, find_breaking_changes, find_dangerous_changes

SCHEMA = Path("schema.graphql")
CHANGELOG = Path("CHANGELOG.md")


def main(base: str) -> int:
    """Print the changes. Return 0 if each break is announced, 1 if not, 2 if there is no such base."""
    if _git("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}") is None:
        return _say(2, f"{base!r} is no commit")
    before = _git("show", f"{base}:{SCHEMA}")
    if before is None:
        return _say(0, f"{base} has no {SCHEMA}: there is nothing to break")
    old, new = build_schema(before), build_schema(SCHEMA.read_text(encoding="utf-8"))
    for dangerous in find_dangerous_changes(old, new):
        _say(0, f"dangerous: {dangerous.description}")
    announced = list(_announced_breaks())
    unannounced = 0
    for breaking in find_breaking_changes(old, new):
        subject = _subject(breaking.description, old, new)
        named = any(_names(line, subject) for line in announced)
        unannounced += not named
        where = "announced" if named else f"name {subject} under Breaking in the Unreleased part of {CHANGELOG}"
        _say(0, f"breaking: {breaking.description} ({where})")
    return 1 if unannounced else 0


def _git(*arguments: str) -> str | None:
    """Return what git prints, or None if it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return done.stdout if done.returncode == 0 else None


def _say(code: int, line: str) -> int:
    sys.stdout.write(f"{line}\n")
    return code


def _announced_breaks() -> Iterator[str]:
    """Return the lines under the heading Breaking of the part Unreleased."""
    part = heading = ""
    for line in CHANGELOG.read_text(encoding="utf-8").splitlines() if CHANGELOG.exists() else ():
        if line.startswith("## "):
            part, heading = line.strip("# []").lower(), ""
        elif line.startswith("### "):
            heading = line.strip("# ").lower()
        elif part == "unreleased" and heading == "breaking":
            yield line


def _subject(description: str, old: GraphQLSchema, new: GraphQLSchema) -> str:
    """Return the subject of a change as a schema coordinate, like `Account.phone` or `Query.terms(language:)`."""
    names = {*old.type_map, *new.type_map, *(f"@{directive.name}" for directive in (*old.directives, *new.directives))}
    words = (word.rstrip(".") for word in description.split())
    return next((word for word in words if re.split(r"[.(]", word)[0] in names), description)


def _names(line: str, subject: str) -> bool:
    """Return whether *line* names just this, and not only something longer."""
    return re.search(rf"(?<![\w.@]){re.escape(subject)}(?!\w|\.\w|\()", line) is not None


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004  # The program's name, and its argument.
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
