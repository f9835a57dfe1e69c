"""Trusted proxies: the peers whose word on their clients is believed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from api.limits.networks import Network, parse_address

UNIX_PEER = "unix"
"""The name of a peer on the Unix socket, which has no address: in the setting, and as the host of a client."""
MAPPED = 96
"""Bits before the IPv4 address in an IPv6 address that stands for one."""
ALL_MAPPED = ipaddress.IPv6Network(f"::ffff:0:0/{MAPPED}")
# A whole provider may be trusted, half of the internet may not: at most as many public addresses as these have.
MAX_PUBLIC_ADDRESSES = {
    4: ipaddress.ip_network("0.0.0.0/8").num_addresses,
    6: ipaddress.ip_network("::/29").num_addresses,
}


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The peers that a setting names: networks, and `unix` for the Unix socket."""

    networks: tuple[Network, ...] = ()
    unix: bool = False

    @classmethod
    def parse(cls, names: Iterable[str]) -> TrustedProxies:
        """Return the proxies with these *names*.

        :raises ValueError: a name is neither a network nor `unix`; the message quotes it.
        """
        names = list(names)
        return cls(tuple(_parse_network(name) for name in names if name != UNIX_PEER), UNIX_PEER in names)

    def __bool__(self) -> bool:
        return self.unix or bool(self.networks)

    def __contains__(self, host: object) -> bool:
        if host == UNIX_PEER:
            return self.unix
        try:
            address = parse_address(str(host))
        except ValueError:
            return False
        return any(address in network for network in self.networks)

    @property
    def names(self) -> list[str]:
        """All names by which the peers may be called, in a header too."""
        mapped = [
            f"::ffff:{network.network_address}/{MAPPED + network.prefixlen}"
            for network in self.networks
            if isinstance(network, ipaddress.IPv4Network)
        ]
        return [*map(str, self.networks), *mapped, *([UNIX_PEER] if self.unix else [])]

    @property
    def include_strangers(self) -> bool:
        """True if they are so many public addresses that others than the operator's own must be among them."""
        if any(map(_holds_all_of_ipv4, self.networks)):
            return True
        for version, most in MAX_PUBLIC_ADDRESSES.items():
            of_version: list[Network] = [network for network in self.networks if network.version == version]
            together: list[Network] = list(ipaddress.collapse_addresses(of_version))  # type: ignore[type-var]
            if sum(network.num_addresses for network in together if not network.is_private) > most:
                return True
        return False


def _parse_network(text: str) -> Network:
    """Return the network; one of IPv4 addresses that are written as IPv6 (`::ffff:10.0.0.0/104`) as that of IPv4."""
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= MAPPED:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((mapped, network.prefixlen - MAPPED))
    return network


def _holds_all_of_ipv4(network: Network) -> bool:
    """Return whether *network* has each address of IPv4, as a socket that serves both kinds writes it (`::/80`)."""
    if isinstance(network, ipaddress.IPv6Network):
        return network.supernet_of(ALL_MAPPED)
    return network.prefixlen == 0
