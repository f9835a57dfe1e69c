"""The threads in which passwords are assessed and hashed: both take too long for the event loop."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from api.passwords.policy import Assessment, assess, normalise
from api.worker_pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.passwords.hashing import Hasher

MAX_WAITING = 64
HASHING_NICENESS = 10
"""Hashes have a tenth of the weight of other threads: during a storm of activations, look-ups are answered as ever."""


class Passwords:
    """The policy and a hasher, each with a bounded queue and as many threads as there are cores."""

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher
        cores = os.cpu_count() or 1
        self._assessing = WorkerPool(workers=cores, max_waiting=MAX_WAITING, name="assessing")
        self._hashing = WorkerPool(workers=cores, max_waiting=MAX_WAITING, name="hashing", niceness=HASHING_NICENESS)

    async def assess(self, password: str, personal_data: Sequence[str] = ()) -> Assessment:
        """Check *password* against every rule.

        :raises api.refusals.TooManyRequests: the queue is full.
        """
        return await self._assessing.run(assess, password, personal_data)

    async def hash(self, password: str) -> str:
        """Return the hash of the normalised *password*, with its salt and parameters (PHC string).

        :raises api.refusals.TooManyRequests: the queue is full.
        """
        return await self._hashing.run(self._hasher.hash, normalise(password))

    def close(self) -> None:
        """Wait for the running calls, and start no other."""
        self._assessing.close()
        self._hashing.close()
