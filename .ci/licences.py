"""Write the licences of what the service needs into LICENCES.md: `licences.py LOCK FILE`; the rest of FILE stays.

The list follows from the lock: it has whatever the lock pins for Linux, on any Python. Pip-licenses reads what the
installed releases say of themselves; where that is nothing, or not an SPDX licence, `READ` has what their licence says.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from locks import Locked, read_lock
from packaging.utils import canonicalize_name

BEGIN, END = "<!-- make licences: begin -->", "<!-- make licences: end -->"
UNKNOWN = "UNKNOWN"
# What names one licence of SPDX and no other; "BSD License", say, may be any of several.
SPDX = {
    "Apache-2.0": "Apache-2.0",
    "BSD-3-Clause": "BSD-3-Clause",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT": "MIT",
    "MIT License": "MIT",
    "Unlicense": "Unlicense",
}
# Read by a person, in the place that is named; of another version, it has to be read again.
READ = {
    "async-timeout==5.0.1": ("Apache-2.0", "`LICENSE` of the wheel"),
    "deprecated==1.3.1": ("MIT", "`LICENSE.rst` of the wheel"),
    "deprecated==3.0.1": ("MIT", "`License-Expression` and `LICENSE.md` of the wheel"),
    "fluent-runtime==0.4.0": (
        "Apache-2.0",
        "`LICENSE` of github.com/projectfluent/python-fluent; the wheel says `APL 2`",
    ),
    "fluent-syntax==0.19.0": (
        "Apache-2.0",
        "`LICENSE` of github.com/projectfluent/python-fluent; the wheel says `APL 2`",
    ),
    "jinja2==3.1.6": ("BSD-3-Clause", "`LICENSE.txt` of the wheel, which has three clauses"),
    "python-stdnum==2.2": ("LGPL-2.1-or-later", "the head of each module, and `COPYING` of the wheel"),
    "uvloop==0.23.0": ("MIT OR Apache-2.0", "`LICENSE-MIT` and `LICENSE-APACHE` of the wheel"),
}


def main(lock: Path, file: Path) -> None:
    """Replace the text between the two marks of *file*.

    :raises SystemExit: a licence is not known, or what is installed is not what the lock pins.
    """
    needed = [each for each in read_lock(lock) if each.is_for_linux]
    table = _table(needed, _stated(needed))
    before, begin, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{file} lacks a mark: {BEGIN} or {END}")
    file.write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}", encoding="utf-8")


def _stated(needed: Sequence[Locked]) -> dict[str, dict[str, str]]:
    """Return the licences that pip-licenses finds for *needed* in this environment, by `name==version`."""
    program = Path(sys.executable).with_name("pip-licenses")
    command = [str(program), "--from=all", "--with-system", "--format=json", "--packages"]
    names = [each.name for each in needed]
    found = json.loads(subprocess.check_output([*command, *names], text=True))  # noqa: S603
    return {f"{canonicalize_name(each['Name'])}=={each['Version']}": each for each in found}


def _table(needed: Iterable[Locked], stated: dict[str, dict[str, str]]) -> str:
    lines = ["| package | version | licence (SPDX) |", "| --- | --- | --- |"]
    by_hand = ["| package | where its licence was read |", "| --- | --- |"]
    for each in needed:
        licence, place = READ.get(str(each)) or (_licence(each, stated.get(str(each))), None)
        lines.append(f"| {each.name} | {each.version} | {licence} |")
        if place:
            by_hand.append(f"| {each.name} {each.version} | {place} |")
    return "\n".join([*lines, "", "Their metadata leave these open:", "", *by_hand, ""])


def _licence(locked: Locked, stated: dict[str, str] | None) -> str:
    """Return the licence that a release states, if it is one of SPDX beyond doubt."""
    if locked.depends_on_python:
        sys.exit(f"{locked}: some versions of Python don't need it: read its licence, and add it to READ")
    if stated is None:
        sys.exit(f"{locked} is not installed: set up anew with make test")
    if stated["License-Expression"] != UNKNOWN:
        return stated["License-Expression"]
    told = {stated["License-Metadata"], stated["License-Classifier"]} - {UNKNOWN}
    known = {SPDX[each] for each in told if each in SPDX}
    several = ";" in stated["License-Classifier"]
    if several or len(known) != 1:
        sys.exit(f"{locked} says {sorted(told) or 'nothing'} of its licence: read it, and add it to READ")
    return known.pop()


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004  # The program's name, and its two arguments.
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
