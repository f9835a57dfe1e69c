"""Addresses of clients and proxies, and networks: the unit that calls are counted for."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

IPV6_PREFIX_LENGTH = 64
"""One subscriber has a whole /64, so its addresses are never counted apart."""


def parse_address(text: str) -> Address:
    """Return the address; one of IPv4 that is written as IPv6 (`::ffff:192.0.2.1`) as that of IPv4.

    :raises ValueError: *text* is no address.
    """
    address = ipaddress.ip_address(text)
    return (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address


@lru_cache(maxsize=4096)
def network_of(client: str | None) -> str:
    """Return the network that calls of *client* are counted for: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        address = parse_address((client or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
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
