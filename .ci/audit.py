"""Ask for known vulnerabilities of all that a lock pins: `audit.py LOCK [PIP_AUDIT]`.

Exit codes: 0, every package was asked about and none is known to be vulnerable; 1, some are; 2, the question can't
even be put; 75 (EX_TEMPFAIL), no answer, or not for every package. Pip-audit alone says "No known vulnerabilities
found", with exit code 0, of packages that its service does not know at all, as behind a mirror.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from locks import Locked, read_lock
from packaging.utils import canonicalize_name

VULNERABLE, UNUSABLE = 1, 2
NOT_AUDITED = os.EX_TEMPFAIL
MAX_SECONDS = 900


class NoAnswerError(Exception):
    """The vulnerability service has not answered."""


def main(lock: Path, pip_audit: str) -> int:
    """Print the result and return the exit code."""
    answers: list[dict[str, Any]] = []
    silence = "the vulnerability service does not know them; is this a mirror?"
    try:
        locked = read_lock(lock)
        for answer in _audit(locked, pip_audit):
            answers.append(answer)  # noqa: PERF402  # What came before a failure counts.
    except NoAnswerError as exc:
        silence = f"the vulnerability service can't be reached ({exc})"
    except (OSError, ValueError) as exc:
        return _say(UNUSABLE, f"Not audited: {exc}")
    vulnerable = [answer for answer in answers if answer.get("vulns")]
    for answer in vulnerable:
        _say(VULNERABLE, _vulnerabilities(answer))
    audited = {(canonicalize_name(answer["name"]), answer["version"]) for answer in answers if "vulns" in answer}
    missing = {(each.name, each.version) for each in locked} - audited
    if missing:
        _say(NOT_AUDITED, f"Not audited: {len(missing)} of {len(locked)} packages: {silence}")
    elif not vulnerable:
        _say(0, f"{len(locked)} packages audited, no vulnerability known")
    return VULNERABLE if vulnerable else NOT_AUDITED if missing else 0


def _audit(locked: Sequence[Locked], pip_audit: str) -> Iterator[dict[str, Any]]:
    """Return what pip-audit finds about each of *locked*, for every platform and Python."""
    with tempfile.TemporaryDirectory() as folder:
        for number, part in enumerate(_without_duplicates(locked)):
            requirements = Path(folder) / f"{number}.txt"
            requirements.write_text("\n".join(f"{each} --hash=sha256:{each.hashes[0]}" for each in part))
            _check_question(_run(pip_audit, requirements, "--dry-run"))
            yield from _read_answer(_run(pip_audit, requirements))


def _without_duplicates(locked: Iterable[Locked]) -> Iterator[list[Locked]]:
    """Split *locked* into lists that have each name once, as pip-audit needs."""
    left = list(locked)
    while left:
        part = {each.name: each for each in reversed(left)}
        yield list(part.values())
        left = [each for each in left if part[each.name] is not each]


def _run(pip_audit: str, requirements: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [pip_audit, "--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json", *options]
    try:
        return subprocess.run(  # noqa: S603  # The program beside this Python, or the one that was named.
            [*command, "--requirement", str(requirements)],
            capture_output=True,
            text=True,
            check=False,
            timeout=MAX_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise NoAnswerError(f"nothing in {MAX_SECONDS} s") from None


def _check_question(dry: subprocess.CompletedProcess[str]) -> None:
    """Check that a dry run works.

    :raises ValueError: it fails, so that the fault is not the vulnerability service's.
    """
    if dry.returncode != 0:
        raise ValueError(f"pip-audit fails: {_last_line(dry.stderr)}")


def _read_answer(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """:raises NoAnswerError: there is none; pip-audit ends by a traceback or by a line, and exit code 1 as well."""
    try:
        answers: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        raise NoAnswerError(_last_line(done.stderr)) from None
    return answers


def _vulnerabilities(answer: dict[str, Any]) -> str:
    told = (f"{each['id']} (mended in {', '.join(each['fix_versions']) or 'none yet'})" for each in answer["vulns"])
    return f"{answer['name']} {answer['version']} is vulnerable: {'; '.join(told)}"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1].strip()[:200]


def _say(code: int, line: str) -> int:
    (sys.stderr if code else sys.stdout).write(f"{line}\n")
    return code


if __name__ == "__main__":
    if len(sys.argv) not in {2, 3}:
        sys.stderr.write(f"{__doc__}\n")
        sys.exit(UNUSABLE)
    beside = str(Path(sys.executable).with_name("pip-audit"))
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else beside))  # noqa: PLR2004
