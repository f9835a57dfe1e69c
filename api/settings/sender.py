"""The sender of mails, from `GUICHET_MAIL_FROM`, and our name in EHLO, from `GUICHET_MAIL_HELO_NAME`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header

from models.domains import encode_domain
from models.visible_text import visible

NAME_AND_ADDRESS = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>|(?P<alone>[^<>]*)")
DOT_ATOM = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
IPV6 = 6
WRONG = "must be one address with an ASCII local part, as no-reply@example.org or Name <no-reply@example.org>"
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Sender:
    """A name, which may be empty, and an address in ASCII: its domain in A-labels."""

    name: str
    local_part: str
    domain: str


def parse_sender(text: str) -> Sender:
    """Return the sender in *text*: `Name <address>`, or the address alone. A name may have any letters, without quotes.

    :raises ValueError: there is not exactly one address, or it has a local part that is not ASCII.
    """
    text = visible(text)  # A name that was pasted may bring a no-break space.
    parts = NAME_AND_ADDRESS.fullmatch(text)
    if parts is None or not text.isprintable():
        raise ValueError(WRONG)
    name = _name(parts["name"] or "")
    local_part, _, domain = (parts["address"] or parts["alone"] or "").strip().rpartition("@")
    if not DOT_ATOM.fullmatch(local_part) or "@" in name:
        raise ValueError(WRONG)
    try:
        return Sender(name, local_part, encode_domain(domain))
    except ValueError:
        raise ValueError(WRONG) from None


def parse_helo_name(text: str) -> str:
    """Return the name for EHLO (RFC 5321, 4.1.3): a domain, in ASCII, or an address in brackets.

    :raises ValueError: it is neither, or a domain of one label, which strict servers refuse.
    """
    wrong = ValueError("must be a domain, as mail.example.org, or an address, as [192.0.2.1] or [IPv6:2001:db8::1]")
    try:
        if text.startswith("[") and text.endswith("]"):
            address = ipaddress.ip_address(text[1:-1].removeprefix("IPv6:"))
            return f"[IPv6:{address}]" if address.version == IPV6 else f"[{address}]"
        domain = encode_domain(text)
    except ValueError:
        raise wrong from None
    if "." not in domain.strip(".") or domain.replace(".", "").isdecimal():
        raise wrong
    return domain


def _name(written: str) -> str:
    """Return the name without its quotes, and with encoded words (RFC 2047), which some write for accents, decoded."""
    name = written.strip()
    if quoted := QUOTED.fullmatch(name):
        name = re.sub(r"\\(.)", r"\1", quoted[1])
    try:
        decoded = visible(str(make_header(decode_header(name))))
    except (HeaderParseError, LookupError, ValueError):
        decoded = name
    return " ".join(decoded.split()) if decoded.isprintable() else name
