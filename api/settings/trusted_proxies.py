"""Which peers are proxies whose word on their clients is believed."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

UNIX_PEER = "unix"
"""The name of whoever connects over the Unix socket, as a setting and as the host of a client: it has no address."""
MAPPED = 96
"""Bits before the IPv4 address in an IPv6 address that stands for one."""
ALL_MAPPED = ipaddress.IPv6Network(f"::ffff:0:0/{MAPPED}")


def parse_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Return the network; one of IPv4 addresses that are written as IPv6 (`::ffff:10.0.0.0/104`) as that of IPv4.

    :raises ValueError: the text is no network; the message names it.
    """
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= MAPPED:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((mapped, network.prefixlen - MAPPED))
    return network


def holds_all_of_ipv4(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """Whether *network* has each address of IPv4, as a socket that serves both kinds writes it (`::/80`)."""
    if isinstance(network, ipaddress.IPv6Network):
        return network.supernet_of(ALL_MAPPED)
    return network.prefixlen == 0


class TrustedProxies:
    """The peers that a setting names: networks, and `unix` for the Unix socket."""

    def __init__(self, names: Collection[str]) -> None:
        self._trusts_unix = UNIX_PEER in names
        self._networks = [parse_network(name) for name in names if name != UNIX_PEER]

    def __bool__(self) -> bool:
        return self._trusts_unix or bool(self._networks)

    def __contains__(self, host: object) -> bool:
        if host == UNIX_PEER:
            return self._trusts_unix
        try:
            address = ipaddress.ip_address(str(host))
        except ValueError:
            return False
        return any((getattr(address, "ipv4_mapped", None) or address) in network for network in self._networks)

    @property
    def names(self) -> list[str]:
        """All names by which the peers may be called, in a header too."""
        mapped = [
            f"::ffff:{network.network_address}/{MAPPED + network.prefixlen}"
            for network in self._networks
            if isinstance(network, ipaddress.IPv4Network)
        ]
        return [*map(str, self._networks), *mapped, *([UNIX_PEER] if self._trusts_unix else [])]
