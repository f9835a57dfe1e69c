"""Rate limits: how often one network, or one address from one network, may call a resolver."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from functools import lru_cache
from typing import NamedTuple

from limits.aio.storage import Storage

from api.limits.networks import is_part_of
from api.limits.table import LimitTable
from api.refusals import TooManyRequests

MAX_REMEMBERED_NETWORKS = 4096


class Counter(NamedTuple):
    """The count that a call goes to, and the number at which it ends."""

    key: str
    seconds: int
    limit: int


class RateLimits:
    """The table of limits, and the counts so far."""

    def __init__(self, limits: LimitTable | None, storage: Storage) -> None:
        self._limits = limits or {}
        by_network = [tuple(name.split("@")) for name in limits or () if "@" in name]
        # The smallest network first: its limit goes before that of a network around it.
        self._by_network = sorted(by_network, key=lambda pair: -ipaddress.ip_network(pair[1]).prefixlen)
        self._storage = storage
        # `network_of` remembers networks too; an address of a person is forgotten with its call.
        self._counter_of_network = lru_cache(MAX_REMEMBERED_NETWORKS)(self._counter)

    async def enforce(self, name: str, *key: str, cost: int = 1) -> None:
        """Count *cost* calls of *name* for *key*. The storage gets a digest of the key, which may identify a person.

        :raises TooManyRequests: the count exceeds the limit.
        """
        if not self._limits:
            return
        counter = (self._counter_of_network if len(key) == 1 else self._counter)(name, *key)
        if await self._storage.incr(counter.key, counter.seconds, cost) > counter.limit:
            reset_at = await self._storage.get_expiry(counter.key)
            raise TooManyRequests(math.ceil(reset_at - time.time()))

    def _counter(self, name: str, *key: str) -> Counter:
        """Return the counter of a call. A network with a limit of its own shares one count."""
        for limited, network in self._by_network:
            if limited == name and is_part_of(key[0], network):
                name, key = f"{limited}@{network}", ()
                break
        limit, digest = self._limits[name], hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]
        return Counter(limit.key_for(name, digest), limit.get_expiry(), limit.amount)
