"""Headers on the wire. A long or odd name never changes the address that it belongs to.

Python's own folding drops the quotes of a long name, which then ends at its comma, and it encodes a long Message-ID.
"""

from __future__ import annotations

import re
from email.header import Header
from email.headerregistry import Address, AddressHeader
from email.policy import EmailPolicy

MAX_LINE_LENGTH = 76  # RFC 2045, 6.7: the limit of quoted-printable.
MAX_ENCODED_LINE_LENGTH = 75  # RFC 2047, 2, with the blank before it.
ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~ -]*")
TEXT = re.compile(r"[ -~]*")
NEVER_FOLDED = frozenset({"message-id"})


class MailPolicy(EmailPolicy):
    """The standard policy, except that addresses and ids are never broken."""

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


MAIL_POLICY = MailPolicy(max_line_length=MAX_LINE_LENGTH)
WIRE_POLICY = MAIL_POLICY.clone(linesep="\r\n")


def _unfolded(name: str, value: str) -> str | None:
    """Return the lines of a header that the library must not fold; None for any other."""
    if isinstance(value, AddressHeader):
        return _addresses(name, value.addresses)
    return str(value) if name.lower() in NEVER_FOLDED else None


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
