"""How often the same network, or the same address from one network, may call a resolver."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

from limits import RateLimitItem, parse
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter

from api.refusals import TooManyRequests

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# Names are those of the API's fields. Each limit is for one client network, an IPv4 address or an IPv6 /64;
# those in …Address are for one e-mail address from one network, so that a stranger can't use up a person's. Each
# idempotency key that comes with createAccount is one of createAccountKey, found or not. An operation that asks for the
# schema, however often, is one of introspection.
# `mailbox` is what one mailbox gets from the relay, which defers what is over it.
DEFAULT_LIMITS: Mapping[str, str] = MappingProxyType(
    {
        "organisation": "600/minute",
        "introspection": "60/minute",
        "createAccount": "60/hour",
        "createAccountKey": "300/hour",
        "createAccountAddress": "10/hour",
        "renewCaptcha": "120/hour",
        "verifyCaptcha": "120/hour",
        "resendActivationMail": "60/hour",
        "resendActivationMailAddress": "5/hour",
        "inspectActivationLink": "120/hour",
        "checkPassword": "120/minute",
        "activateAccount": "60/hour",
        "mailbox": "12/hour",
    }
)
# What is counted for a network alone, so that one network may be given a limit of its own.
BY_NETWORK = frozenset(name for name in DEFAULT_LIMITS if name != "mailbox" and not name.endswith("Address"))
SMALLEST_IPV6_NETWORK = 64
LONGEST_MAILBOX_SECONDS = 7 * 86_400


LimitTable: TypeAlias = Mapping[str, RateLimitItem]


def parse_limits(setting: str) -> LimitTable | None:
    """The table that the setting asks for: `on`, `off` (None), or changes as `organisation=100000/minute, …`.

    `organisation@192.0.2.0/24=100000/minute` is a limit of that network's own, which its callers share.

    :raises ValueError: an unknown name, a network or a limit that can't be read; the message names it.
    """
    if setting.strip().lower() == "off":
        return None
    limits = dict(DEFAULT_LIMITS)
    if setting.strip().lower() != "on":
        for change in setting.split(","):
            name, _, limit = (part.strip() for part in change.partition("="))
            name, at, network = name.partition("@")
            if name not in DEFAULT_LIMITS:
                raise ValueError(f"{name!r} is not one of {', '.join(DEFAULT_LIMITS)}")
            limits[f"{name}@{_parse_network(name, network)}" if at else name] = limit
    return {name: _parse(name, limit) for name, limit in limits.items()}


def _parse_network(name: str, network: str) -> Network:
    if name not in BY_NETWORK:
        raise ValueError(f"{name} has no limit by network")
    parsed = ipaddress.ip_network(network)  # Its ValueError names the network.
    if isinstance(parsed, ipaddress.IPv6Network) and parsed.prefixlen > SMALLEST_IPV6_NETWORK:
        raise ValueError(f"{network}: addresses of IPv6 are counted by /{SMALLEST_IPV6_NETWORK}, and never apart")
    return parsed


def _parse(name: str, limit: str) -> RateLimitItem:
    try:
        item = parse(limit)
    except ValueError as exc:
        raise ValueError(f"{name}: {limit!r} is not like 60/hour") from exc
    if item.amount < 1:
        raise ValueError(f"{name}: {limit!r} lets nothing pass")
    if name == "mailbox" and item.get_expiry() > LONGEST_MAILBOX_SECONDS:
        raise ValueError(f"{name}: {limit!r} counts for longer than the seven days that sent messages are kept")
    return item


@lru_cache(maxsize=4096)
def network_of(client: str | None) -> str:
    """What of a client's address limits are counted for: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        address = ipaddress.ip_address((client or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, SMALLEST_IPV6_NETWORK), strict=False))
    return str(address)


@lru_cache(maxsize=4096)
def _is_part(network: str, wider: str) -> bool:
    try:
        part, whole = ipaddress.ip_network(network), ipaddress.ip_network(wider)
    except ValueError:  # An unknown network is part of none.
        return False
    return part.version == whole.version and part.subnet_of(whole)  # type: ignore[arg-type]  # Of one version.


class RateLimits:
    """The table of limits, and the counts so far."""

    def __init__(self, limits: Mapping[str, RateLimitItem] | None, storage: Storage) -> None:
        self._limits = limits
        own = [tuple(name.split("@")) for name in limits or () if "@" in name]
        # The smallest first: a network's own limit goes before that of what it is part of.
        self._own = sorted(own, key=lambda pair: -ipaddress.ip_network(pair[1]).prefixlen)
        self._limiter = FixedWindowRateLimiter(storage)

    async def enforce(self, name: str, *key: str, cost: int = 1) -> None:
        """Count *cost* calls of *name* for *key*. Whatever may identify a person is counted under a digest.

        :raises TooManyRequests: that is more than the limit.
        """
        if self._limits is None:
            return
        name, key = self._counter_of(name, key)
        limit, digest = self._limits[name], hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]
        if not await self._limiter.hit(limit, name, digest, cost=cost):
            reset_at, _ = await self._limiter.get_window_stats(limit, name, digest)
            raise TooManyRequests(math.ceil(reset_at - time.time()))

    def _counter_of(self, name: str, key: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """Where a call is counted: with all of a network that has a limit of its own, else by itself."""
        for own, network in self._own:
            if own == name and _is_part(key[0], network):
                return f"{own}@{network}", ()
        return name, key
