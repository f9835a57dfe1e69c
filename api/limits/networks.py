"""Networks of clients: the unit that calls are counted for."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

IPV6_PREFIX_LENGTH = 64
"""One subscriber has a whole /64, so its addresses are never counted apart."""


@lru_cache(maxsize=4096)
def network_of(client: str | None) -> str:
    """Return the network that calls of *client* are counted for: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        address = ipaddress.ip_address((client or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, IPV6_PREFIX_LENGTH), strict=False))
    return str(address)


@lru_cache(maxsize=4096)
def is_part_of(network: str, wider: str) -> bool:
    """Return whether *network* lies in *wider*; an unknown network lies in none."""
    try:
        part, whole = ipaddress.ip_network(network), ipaddress.ip_network(wider)
    except ValueError:
        return False
    return part.version == whole.version and part.subnet_of(whole)  # type: ignore[arg-type]  # Of one version.


def parse_network(text: str) -> Network:
    """Return the network that *text* names.

    :raises ValueError: *text* is no network, or part of an IPv6 /64; the message names it.
    """
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen > IPV6_PREFIX_LENGTH:
        raise ValueError(f"{text}: addresses of IPv6 are counted by /{IPV6_PREFIX_LENGTH}, and never apart")
    return network
