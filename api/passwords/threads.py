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


class Passwords:
    """The policy and a hasher behind one bounded queue, with as many threads as there are cores."""

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher
        self._pool = WorkerPool(workers=os.cpu_count() or 1, max_waiting=MAX_WAITING, name="passwords")

    async def assess(self, password: str, personal_data: Sequence[str] = ()) -> Assessment:
        """Check *password* against every rule.

        :raises api.refusals.TooManyRequests: the queue is full.
        """
        return await self._pool.run(assess, password, personal_data)

    async def hash(self, password: str) -> str:
        """Return the hash of the normalised *password*, with its salt and parameters (PHC string).

        :raises api.refusals.TooManyRequests: the queue is full.
        """
        return await self._pool.run(self._hasher.hash, normalise(password))

    def close(self) -> None:
        """Wait for the running calls, and start no other."""
        self._pool.close()
