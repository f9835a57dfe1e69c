"""Who the mails come from, as `GUICHET_MAIL_FROM` names them, and what mail servers are told that we are called."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header

from models.domains import in_ascii
from models.visible_text import visible

NAME_AND_ADDRESS = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>|(?P<alone>[^<>]*)")
DOT_ATOM = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
IPV6 = 6
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Sender:
    """A name, which may be empty, and an address in ASCII: its domain in A-labels."""

    name: str
    local_part: str
    domain: str


def parse_sender(text: str) -> Sender:
    """The sender in *text*: `Name <address>`, or the address alone; a name may have any letters and need no quotes.

    :raises ValueError: there is not exactly one address, or it has a local part that is not ASCII.
    """
    text = visible(text)  # A name that was pasted may bring a no-break space.
    parts = NAME_AND_ADDRESS.fullmatch(text)
    if parts is None or not text.isprintable():
        raise ValueError("the sender is no single e-mail address")
    name = _name(parts["name"] or "")
    local_part, _, domain = (parts["address"] or parts["alone"] or "").strip().rpartition("@")
    if not DOT_ATOM.fullmatch(local_part) or "@" in name:
        raise ValueError("the sender is no single e-mail address")
    try:
        return Sender(name, local_part, in_ascii(domain))
    except ValueError as exc:
        raise ValueError("the sender is no single e-mail address") from exc


def parse_helo_name(text: str) -> str:
    """What EHLO says (RFC 5321, 4.1.3): a domain, in ASCII, or an address in brackets.

    :raises ValueError: it is neither, or a domain of one label, which strict servers refuse.
    """
    wrong = ValueError("must be a domain, as mail.example.org, or an address, as [192.0.2.1] or [IPv6:2001:db8::1]")
    try:
        if text.startswith("[") and text.endswith("]"):
            address = ipaddress.ip_address(text[1:-1].removeprefix("IPv6:"))
            return f"[IPv6:{address}]" if address.version == IPV6 else f"[{address}]"
        domain = in_ascii(text)
    except ValueError:
        raise wrong from None
    if "." not in domain.strip(".") or domain.replace(".", "").isdecimal():
        raise wrong
    return domain


def _name(written: str) -> str:
    """The name without its quotes, and without encoded words (RFC 2047), by which some write accents."""
    name = written.strip()
    if quoted := QUOTED.fullmatch(name):
        name = re.sub(r"\\(.)", r"\1", quoted[1])
    try:
        decoded = visible(str(make_header(decode_header(name))))
    except (HeaderParseError, LookupError, ValueError):
        decoded = name
    return " ".join(decoded.split()) if decoded.isprintable() else name
