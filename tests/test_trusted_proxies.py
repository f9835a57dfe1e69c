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
def test_peer_is_recognised_in_each_form_of_its_address(setting: str, host: str, is_trusted: bool) -> None:
    """An IPv4 address equals its form as IPv6, in the setting and from the system."""
    assert (host in TrustedProxies.parse([setting])) is is_trusted


def test_names_include_both_forms_of_each_address() -> None:
    """The names of proxies for headers include both forms of each address."""
    assert TrustedProxies.parse(["10.0.0.0/8", "unix"]).names == ["10.0.0.0/8", "::ffff:10.0.0.0/104", "unix"]


def test_unix_socket_is_configured_like_a_network() -> None:
    """The Unix socket is named as a network is."""
    settings = Settings().replace(trusted_proxies="unix, 10.0.0.0/8")
    assert settings.trusted_proxies.names == ["10.0.0.0/8", "::ffff:10.0.0.0/104", "unix"]
