"""Trusted proxies are recognised in each form of their addresses."""

from __future__ import annotations

import pytest

from api.settings.environment import Settings
from api.settings.trusted_proxies import TrustedProxies


@pytest.mark.parametrize(
    ("setting", "host", "is_trusted"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("::ffff:10.0.0.0/104", "10.1.2.3", True),
        ("::ffff:10.0.0.0/104", "11.1.2.3", False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:11.1.2.3", False),
        ("10.0.0.0/8", "::10.1.2.3", False),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:db8::/32", "::ffff:127.0.0.1", False),
        ("unix", "unix", True),
        ("unix", "127.0.0.1", False),
        ("127.0.0.1", "unix", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "localhost", False),
    ],
)
def test_peer_is_known_in_every_form(setting: str, host: str, is_trusted: bool) -> None:
    """An address of IPv4 is the same where it is written as IPv6, in the setting or by the system."""
    assert (host in TrustedProxies.parse([setting])) is is_trusted


def test_names_cover_what_headers_say() -> None:
    """Who reads forwarded addresses by these names knows them in both forms."""
    assert TrustedProxies.parse(["10.0.0.0/8", "unix"]).names == ["10.0.0.0/8", "::ffff:10.0.0.0/104", "unix"]


def test_unix_is_a_setting() -> None:
    """The Unix socket is named as a network is."""
    settings = Settings().replace(trusted_proxies="unix, 10.0.0.0/8")
    assert settings.trusted_proxies.names == ["10.0.0.0/8", "::ffff:10.0.0.0/104", "unix"]
