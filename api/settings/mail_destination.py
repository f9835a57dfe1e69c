"""The destination of mails, from `GUICHET_MAIL_URL`: a mailbox folder, or a mail server."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from api.settings.hosts import is_loopback

Encryption: TypeAlias = Literal["tls", "starttls", "none"]

DEFAULT_PORTS = {"smtp": 587, "smtps": 465}
WRONG = "must be maildir:FOLDER, smtp://USER:PASSWORD@HOST:PORT or smtps://…, with ?starttls=required or off"


@dataclass(frozen=True, slots=True)
class Maildir:
    """A local mailbox folder."""

    path: Path


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server, and how to speak to it."""

    host: str
    port: int
    encryption: Encryption
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def gets_mails_in_clear(self) -> bool:
        """True if mails go over a network without encryption."""
        return self.encryption == "none" and not is_loopback(self.host)


MailDestination: TypeAlias = Maildir | SmtpServer


def parse_mail_url(url: str) -> MailDestination:
    """Return the destination that *url* names.

    :raises ValueError: it names none. The message quotes no part of the URL, which may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(WRONG) from None
    if parts.scheme == "maildir" and parts.path:
        return Maildir(Path(parts.path))
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(WRONG)
    if parts.path.strip("/"):  # A slash in the password, which belongs there as %2F, has ended the host too early.
        raise ValueError(WRONG)
    return SmtpServer(
        host=parts.hostname,
        port=port or DEFAULT_PORTS[parts.scheme],
        encryption=_parse_encryption(parts),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def _parse_encryption(parts: SplitResult) -> Encryption:
    starttls = parse_qs(parts.query).get("starttls", ["required"])[-1]
    if starttls not in {"required", "off"}:
        raise ValueError(WRONG)
    if parts.scheme == "smtps":
        return "tls"
    return "none" if starttls == "off" else "starttls"
