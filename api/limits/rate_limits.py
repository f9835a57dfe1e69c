"""Rate limits: how often one network, or one address from one network, may call a resolver."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time

from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter

from api.limits.networks import is_part_of
from api.limits.table import LimitTable
from api.refusals import TooManyRequests


class RateLimits:
    """The table of limits, and the counts so far."""

    def __init__(self, limits: LimitTable | None, storage: Storage) -> None:
        self._limits = limits
        by_network = [tuple(name.split("@")) for name in limits or () if "@" in name]
        # The smallest network first: its limit goes before that of a network around it.
        self._by_network = sorted(by_network, key=lambda pair: -ipaddress.ip_network(pair[1]).prefixlen)
        self._limiter = FixedWindowRateLimiter(storage)

    async def enforce(self, name: str, *key: str, cost: int = 1) -> None:
        """Count *cost* calls of *name* for *key*. The storage gets a digest of the key, which may identify a person.

        :raises TooManyRequests: the count exceeds the limit.
        """
        if self._limits is None:
            return
        name, key = self._counter(name, key)
        limit, digest = self._limits[name], hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]
        if not await self._limiter.hit(limit, name, digest, cost=cost):
            reset_at, _ = await self._limiter.get_window_stats(limit, name, digest)
            raise TooManyRequests(math.ceil(reset_at - time.time()))

    def _counter(self, name: str, key: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """Return the limit and the key for a call. A network with a limit of its own shares one count."""
        for limited, network in self._by_network:
            if limited == name and is_part_of(key[0], network):
                return f"{limited}@{network}", ()
        return name, key
