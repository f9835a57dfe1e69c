"""Password hashes: what is stored in a password's place."""

from __future__ import annotations

from typing import Protocol

from argon2 import PasswordHasher


class Hasher(Protocol):
    """A way to hash passwords; slow, so that `Passwords` calls it in a thread."""

    def hash(self, password: str) -> str:
        """Return the hash of *password*, with its salt and parameters (PHC string)."""


class Argon2Hasher:
    """argon2id of RFC 9106, low memory: 64 MiB, t=3, p=4."""

    def __init__(self) -> None:
        self._argon2 = PasswordHasher()

    def hash(self, password: str) -> str:
        return self._argon2.hash(password)
