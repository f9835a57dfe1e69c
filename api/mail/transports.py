"""Where mails go: a mail server, or a mailbox folder."""

from __future__ import annotations

import asyncio
import mailbox
from contextlib import suppress
from email.policy import SMTP
from typing import TYPE_CHECKING, Protocol

import aiosmtplib

from api.settings import Maildir, SmtpServer

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

PERMANENT = range(500, 600)
QUIT_SECONDS = 2
OWNER_ONLY = 0o700


class MessageRefusedError(Exception):
    """The mail server refuses this one message for good (5xx to RCPT TO or DATA)."""


class TransportError(Exception):
    """Anything else: the message may leave another time, and an operator may have something to mend."""


class MailTransport(Protocol):
    """Hands a message on."""

    async def send(self, message: EmailMessage) -> None:
        """Returns once the message is safe with the next in line.

        :raises MessageRefusedError: this message will never be taken.
        :raises TransportError: no message can be handed on now, or not this one yet.
        """


def open_transport(destination: Maildir | SmtpServer) -> MailTransport:
    """The transport to what `GUICHET_MAIL_URL` names."""
    if isinstance(destination, Maildir):
        return MaildirTransport(destination.path)
    return SmtpTransport(destination)


class MaildirTransport:
    """A standard Maildir, that any mail program can read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, message: EmailMessage) -> None:
        try:
            await asyncio.to_thread(self._deliver, message)
        except OSError as exc:
            raise TransportError(f"the mailbox folder can't be written: {exc.strerror}") from exc

    def _deliver(self, message: EmailMessage) -> None:
        self._path.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        for folder in ("cur", "new", "tmp"):  # Here, since `mailbox` makes none of them in a folder that is there.
            (self._path / folder).mkdir(mode=OWNER_ONLY, exist_ok=True)
        mailbox.Maildir(self._path).add(message.as_bytes())


class SmtpTransport:
    """A mail server, over a connection of its own for each message."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def send(self, message: EmailMessage) -> None:
        client = aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            use_tls=self._server.encryption == "tls",
            start_tls=self._server.encryption == "starttls",
            username=self._server.username,
            password=self._server.password,
        )
        try:
            await client.connect()
            await self._transmit(client, message)
            await self._take_leave(client)
        except (aiosmtplib.SMTPException, OSError) as exc:
            raise TransportError(_reason(exc)) from exc
        finally:
            client.close()

    @staticmethod
    async def _transmit(client: aiosmtplib.SMTP, message: EmailMessage) -> None:
        """One envelope. Only an answer to RCPT TO or DATA speaks of the message: all others of the server."""
        sender = message["From"].addresses[0].addr_spec
        recipient = message["To"].addresses[0].addr_spec
        await client.mail(sender)
        try:
            await client.rcpt(recipient)
            await client.data(message.as_bytes(policy=SMTP))
        except aiosmtplib.SMTPResponseException as exc:
            if exc.code in PERMANENT:
                raise MessageRefusedError(_reason(exc)) from exc
            raise

    @staticmethod
    async def _take_leave(client: aiosmtplib.SMTP) -> None:
        """QUIT, for courtesy: the message is taken, whatever becomes of the connection."""
        with suppress(aiosmtplib.SMTPException, OSError):
            await client.quit(timeout=QUIT_SECONDS)


def _reason(exc: Exception) -> str:
    """For the log: what failed, without what the server says, which may quote an address."""
    code = f" {exc.code}" if isinstance(exc, aiosmtplib.SMTPResponseException) else ""
    return f"{type(exc).__name__}{code}"
