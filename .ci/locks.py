"""The requirements that a lock of Python packages pins: name, version, where each applies, digests of its files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name

REQUIREMENT = re.compile(
    r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(?: ; ([^\\]+?))?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"}
PYTHONS = tuple(f"3.{minor}.{micro}" for minor in range(11, 16) for micro in (0, 2, 3, 20))
"""Versions that `requires-python` admits, on either side of each version that a marker may name."""


@dataclass(frozen=True, slots=True)
class Locked:
    """One requirement of a lock."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"

    @property
    def depends_on_python(self) -> bool:
        """True if some versions of Python on Linux need it and others don't."""
        return 0 < sum(self._applies(python) for python in PYTHONS) < len(PYTHONS)

    @property
    def is_for_linux(self) -> bool:
        return any(self._applies(python) for python in PYTHONS)

    def _applies(self, python: str) -> bool:
        environment = LINUX | {"python_full_version": python, "python_version": python.rpartition(".")[0]}
        return not self.marker or Marker(self.marker).evaluate(environment)


def read_lock(lock: Path) -> list[Locked]:
    """Return every requirement of *lock*.

    :raises ValueError: a requirement is not pinned, or has no digest; or there is none.
    """
    text = lock.read_text(encoding="utf-8")
    locked = [
        Locked(canonicalize_name(name), version, marker, tuple(re.findall(r"sha256:(\w+)", hashes)))
        for name, version, marker, hashes in REQUIREMENT.findall(text)
    ]
    begun = [line for line in text.splitlines() if line.strip() and not line.startswith(("#", " "))]
    if len(locked) != len(begun) or not locked:
        raise ValueError(f"{lock}: {len(begun) - len(locked)} of {len(begun)} requirements have no == or no digest")
    return locked
