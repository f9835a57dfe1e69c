"""Headers on the wire. A long or odd name never changes the address that it belongs to.

Python's own folding drops the quotes of a long name, which then ends at its comma, and it encodes a long Message-ID. It
also takes longer than all other work on a mail, for headers that are the same in each.
"""

from __future__ import annotations

import re
from email.header import Header
from email.headerregistry import Address, AddressHeader, HeaderRegistry
from email.policy import EmailPolicy
from functools import cache, lru_cache
from typing import Any

MAX_LINE_LENGTH = 76  # RFC 2045, 6.7: the limit of quoted-printable.
MAX_ENCODED_LINE_LENGTH = 75  # RFC 2047, 2, with the blank before it.
ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~ -]*")
TEXT = re.compile(r"[ -~]*")
NEVER_FOLDED = frozenset({"message-id"})
MAX_REMEMBERED_HEADERS = 128


class HeaderFactory(HeaderRegistry):
    """The standard factory; it remembers classes, and the last headers that were made of texts."""

    def __init__(self) -> None:
        super().__init__()
        self._class = cache(super().__getitem__)
        self._header = lru_cache(MAX_REMEMBERED_HEADERS)(super().__call__)

    def __getitem__(self, name: str) -> Any:
        return self._class(name)

    def __call__(self, name: str, value: Any) -> Any:
        return self._header(name, value) if isinstance(value, str) else super().__call__(name, value)


class MailPolicy(EmailPolicy):
    """The standard policy, except that addresses and ids are never broken, and that short headers are not folded."""

    def fold(self, name: str, value: str) -> str:
        """Return the header as lines of ASCII, each ended by the policy's line separator."""
        unfolded = _unfolded(name, value)
        return super().fold(name, value) if unfolded is None else self._lines(name, unfolded)

    def fold_binary(self, name: str, value: str) -> bytes:
        """Return the folded header as bytes."""
        unfolded = _unfolded(name, value)
        return super().fold_binary(name, value) if unfolded is None else self._lines(name, unfolded).encode("ascii")

    def _lines(self, name: str, value: str) -> str:
        return f"{name}: {value}".replace("\n", self.linesep) + self.linesep


MAIL_POLICY = MailPolicy(header_factory=HeaderFactory(), max_line_length=MAX_LINE_LENGTH)
WIRE_POLICY = MAIL_POLICY.clone(linesep="\r\n")


def _unfolded(name: str, value: str) -> str | None:
    """Return the lines of a header that the library must not, or need not, fold; None for any other."""
    if isinstance(value, AddressHeader):
        return _addresses(name, value.addresses)
    return str(value) if name.lower() in NEVER_FOLDED or _is_plain_line(f"{name}: {value}") else None


def _is_plain_line(header: str) -> bool:
    return len(header) <= MAX_LINE_LENGTH and TEXT.fullmatch(header) is not None and "=?" not in header


def _addresses(name: str, addresses: tuple[Address, ...]) -> str:
    return ",\n ".join(_address(name, address) for address in addresses)


def _address(header: str, address: Address) -> str:
    """Return the address with its name: plain or in quotes if it is short enough, else in encoded words."""
    if not address.display_name:
        return address.addr_spec
    written = _short_name(address.display_name)
    if written is not None and len(f"{header}: {written} <{address.addr_spec}>") <= MAX_LINE_LENGTH:
        return f"{written} <{address.addr_spec}>"
    encoded = Header(address.display_name, "utf-8", MAX_ENCODED_LINE_LENGTH, header).encode(linesep="\n")
    return f"{encoded}\n <{address.addr_spec}>"


def _short_name(name: str) -> str | None:
    if not TEXT.fullmatch(name) or "=?" in name:
        return None
    if ATOMS.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
