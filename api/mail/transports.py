"""Transports of mails: a mail server, or a mailbox folder."""

from __future__ import annotations

import asyncio
import mailbox
import os
import re
import tempfile
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Protocol, TypeAlias

import aiosmtplib

from api.mail.headers import WIRE_POLICY
from api.mail.replies import describe_failure
from api.settings.mail_destination import MailDestination, Maildir, SmtpServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import EmailMessage
    from pathlib import Path

PERMANENT = range(500, 600)
# The mailbox does not exist, has moved or takes no mail (RFC 3463, 3.2 and 3.3). Other refusals may concern us: Postfix
# refuses unknown clients and unwelcome senders in its answer to RCPT TO, too.
MAILBOX_REFUSAL = re.compile(r"5\.(1\.([12346]|10)|2\.\d+)\b")
ENVELOPE_SECONDS = 30
CONTENT_SECONDS = 600  # RFC 5321, 4.5.3.2.6: a client that gives up earlier sends accepted mails twice.
QUIT_SECONDS = 2
MIN_PRIVATE_PART_LENGTH = 3  # In letters: a server may quote a surname from the local part alone.
OWNER_ONLY = 0o700


class MailboxRefusedError(Exception):
    """The mail server says that this mailbox does not exist or takes no mail: no mail to it will ever leave."""


class TransportError(Exception):
    """Any other failure: the message may leave another time, and an operator may have something to fix."""


class ContentRefusedError(TransportError):
    """The mail server refuses this mail as it stands: a filter objects to its words, or to us."""


HandOver: TypeAlias = Callable[[], None]
"""A function that is called right before the content leaves. If it raises, the content does not leave."""


def at_any_time() -> None:
    """Let the content leave."""


class MailTransport(Protocol):
    """A way to hand messages on."""

    async def send(self, message: EmailMessage, hand_over: HandOver = at_any_time) -> None:
        """Hand *message* on. Return once the receiver is responsible for it.

        Until *hand_over* is called, nobody has the message. Afterwards somebody may, even if an exception follows.

        :raises MailboxRefusedError: this mailbox will never take a message.
        :raises ContentRefusedError: this message is refused as it stands; another to the same mailbox may pass.
        :raises TransportError: no message can be handed on now, or this one can't yet.
        """

    async def rehearse(self, message: EmailMessage) -> None:
        """Do the work of sending *message*, but don't hand it on.

        :raises TransportError: no message can be handed on now.
        """


def open_transport(destination: MailDestination, *, helo_name: str | None = None) -> MailTransport:
    """Return the transport to *destination*, which `GUICHET_MAIL_URL` names."""
    if isinstance(destination, Maildir):
        return MaildirTransport(destination.path)
    return SmtpTransport(destination, helo_name=helo_name)


class MaildirTransport:
    """A standard Maildir, which any mail program can read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, message: EmailMessage, hand_over: HandOver = at_any_time) -> None:
        hand_over()
        await self._write(self._deliver, message)

    async def rehearse(self, message: EmailMessage) -> None:
        await self._write(self._discard, message)

    @staticmethod
    async def _write(write: Callable[[EmailMessage], None], message: EmailMessage) -> None:
        try:
            await asyncio.to_thread(write, message)
        except OSError as exc:
            raise TransportError(f"the mailbox folder can't be written: {exc.strerror}") from exc

    def _deliver(self, message: EmailMessage) -> None:
        self._make_folders()
        mailbox.Maildir(self._path).add(message.as_bytes())

    def _discard(self, message: EmailMessage) -> None:
        self._make_folders()
        with tempfile.NamedTemporaryFile(dir=self._path / "tmp", prefix="discarded-") as file:
            file.write(message.as_bytes())
            file.flush()
            os.fsync(file.fileno())

    def _make_folders(self) -> None:
        self._path.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        for folder in ("cur", "new", "tmp"):  # `mailbox` itself makes none of them in an existing folder.
            (self._path / folder).mkdir(mode=OWNER_ONLY, exist_ok=True)


class SmtpTransport:
    """A mail server. Each message gets a connection of its own."""

    def __init__(self, server: SmtpServer, *, helo_name: str | None = None) -> None:
        self._helo_name = helo_name
        self._server = server

    async def send(self, message: EmailMessage, hand_over: HandOver = at_any_time) -> None:
        async with self._client(message) as client:
            async with asyncio.timeout(ENVELOPE_SECONDS):
                await client.connect()
                await self._send_envelope(client, message)
            async with asyncio.timeout(CONTENT_SECONDS):
                hand_over()
                await self._send_content(client, message)
            await self._quit(client)

    async def rehearse(self, message: EmailMessage) -> None:
        async with self._client(message) as client:
            message.as_bytes(policy=WIRE_POLICY)
            async with asyncio.timeout(ENVELOPE_SECONDS):
                await client.connect()
            await self._quit(client)

    @asynccontextmanager
    async def _client(self, message: EmailMessage) -> AsyncIterator[aiosmtplib.SMTP]:
        """Give a client that is not connected yet. Its failures become those of a transport."""
        client = aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            use_tls=self._server.encryption == "tls",
            start_tls=self._server.encryption == "starttls",
            username=self._server.username,
            password=self._server.password,
            local_hostname=self._helo_name or message["From"].addresses[0].domain,
            timeout=None,  # Our own deadlines cover whole steps.
        )
        try:
            yield client
        except TimeoutError as exc:
            raise TransportError("no answer in time") from exc
        except (aiosmtplib.SMTPException, OSError) as exc:
            raise TransportError(self._reason(exc, message)) from exc
        finally:
            client.close()

    async def _send_envelope(self, client: aiosmtplib.SMTP, message: EmailMessage) -> None:
        await client.mail(message["From"].addresses[0].addr_spec)
        try:
            await client.rcpt(message["To"].addresses[0].addr_spec)
        except aiosmtplib.SMTPResponseException as exc:
            if _refuses_mailbox(exc):
                raise MailboxRefusedError(self._reason(exc, message)) from exc
            raise

    async def _send_content(self, client: aiosmtplib.SMTP, message: EmailMessage) -> None:
        try:
            await client.data(message.as_bytes(policy=WIRE_POLICY))
        except aiosmtplib.SMTPResponseException as exc:
            if _refuses_mailbox(exc):
                raise MailboxRefusedError(self._reason(exc, message)) from exc
            if exc.code in PERMANENT:
                raise ContentRefusedError(self._reason(exc, message)) from exc
            raise

    def _reason(self, exc: Exception, message: EmailMessage) -> str:
        """Return the reason of a failure, fit for the log."""
        credentials = [self._server.username or "", self._server.password or ""]
        return describe_failure(exc, [*_private_words(message), *credentials])

    @staticmethod
    async def _quit(client: aiosmtplib.SMTP) -> None:
        """Send QUIT, for courtesy. The message is accepted, so a failure doesn't matter."""
        with suppress(aiosmtplib.SMTPException, OSError):
            await client.quit(timeout=QUIT_SECONDS)


def _private_words(message: EmailMessage) -> list[str]:
    """Return the words by which a server may quote the recipient: the address, and parts of it."""
    recipient = message["To"].addresses[0]
    parts = [part for part in re.split(r"[._+-]", recipient.username) if len(part) >= MIN_PRIVATE_PART_LENGTH]
    return [recipient.addr_spec, recipient.username, recipient.username.partition("+")[0], *parts, recipient.domain]


def _refuses_mailbox(exc: aiosmtplib.SMTPResponseException) -> bool:
    return exc.code in PERMANENT and MAILBOX_REFUSAL.match(exc.message) is not None
