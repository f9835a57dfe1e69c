"""The table of rate limits: the defaults, and the changes that an operator makes to them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from limits import RateLimitItem, parse

from api.limits.networks import Network, parse_network

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
"""Limits by the names of the API's fields, each for one client network: an IPv4 address or an IPv6 /64.

Names in …Address are limits for one e-mail address from one network, so that a stranger can't use up a person's.
Each idempotency key that createAccount gets uses one of createAccountKey, found or not. An operation that asks for the
schema uses one of introspection, for any number of fields. `mailbox` is the number of mails that the relay sends
to one mailbox; it defers the others.
"""
BY_NETWORK = frozenset(name for name in DEFAULT_LIMITS if name != "mailbox" and not name.endswith("Address"))
"""Limits that count for a network alone, so that an operator may give one network a limit of its own."""
MAX_MAILBOX_SECONDS = 7 * 86_400


LimitTable: TypeAlias = Mapping[str, RateLimitItem]
"""Limits by the names of fields; those of one network's own by `name@network`."""


def parse_limits(setting: str) -> LimitTable | None:
    """Return the table for *setting*: `on`, `off` (None), or changes such as `organisation=100000/minute, …`.

    `organisation@192.0.2.0/24=100000/minute` is a limit that all callers of that network share.

    :raises ValueError: the name is unknown, or the network or the limit can't be read; the message names it.
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
    return {name: _parse_limit(name, limit) for name, limit in limits.items()}


def _parse_network(name: str, network: str) -> Network:
    if name not in BY_NETWORK:
        raise ValueError(f"{name} has no limit by network")
    return parse_network(network)


def _parse_limit(name: str, limit: str) -> RateLimitItem:
    try:
        item = parse(limit)
    except ValueError as exc:
        raise ValueError(f"{name}: {limit!r} is not like 60/hour") from exc
    if item.amount < 1:
        raise ValueError(f"{name}: {limit!r} lets nothing pass")
    if name == "mailbox" and item.get_expiry() > MAX_MAILBOX_SECONDS:
        raise ValueError(f"{name}: {limit!r} counts for longer than the seven days that sent messages are kept")
    return item
