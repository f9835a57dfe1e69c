"""Where mails go: a mail server, or a mailbox folder."""

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
# Of a mailbox that does not exist, has moved or takes nothing (RFC 3463, 3.2 and 3.3). Other refusals may speak of us:
# Postfix refuses whom it does not know, and a sender that it does not like, in its answer to RCPT TO.
MAILBOX_REFUSAL = re.compile(r"5\.(1\.([12346]|10)|2\.\d+)\b")
ENVELOPE_SECONDS = 30
CONTENT_SECONDS = 600  # RFC 5321, 4.5.3.2.6: who gives up earlier sends what has been taken a second time.
QUIT_SECONDS = 2
MIN_PRIVATE_PART_LENGTH = 3  # Of a local part, in letters: a server may quote a surname alone.
OWNER_ONLY = 0o700


class MailboxRefusedError(Exception):
    """The mail server says that this mailbox does not exist, or takes nothing: no mail to it will ever leave."""


class TransportError(Exception):
    """Anything else: the message may leave another time, and an operator may have something to mend."""


class ContentRefusedError(TransportError):
    """The mail server does not take this mail as it stands: a filter dislikes its words, or us."""


HandOver: TypeAlias = Callable[[], None]
"""Called right before the content leaves; what it raises keeps the content here."""


def at_any_time() -> None:
    """Let the content leave."""


class MailTransport(Protocol):
    """Hands a message on."""

    async def send(self, message: EmailMessage, hand_over: HandOver = at_any_time) -> None:
        """Returns once the message is safe with the next in line.

        Until *hand_over* is called, nobody has the message; from then on, somebody may, whatever is raised.

        :raises MailboxRefusedError: no message to this mailbox will ever be taken.
        :raises ContentRefusedError: this message is not taken as it stands; another to the same mailbox may be.
        :raises TransportError: no message can be handed on now, or not this one yet.
        """

    async def rehearse(self, message: EmailMessage) -> None:
        """Do the work of sending a message that nobody is to get, without handing it on.

        :raises TransportError: no message can be handed on now.
        """


def open_transport(destination: MailDestination, *, helo_name: str | None = None) -> MailTransport:
    """The transport to what `GUICHET_MAIL_URL` names."""
    if isinstance(destination, Maildir):
        return MaildirTransport(destination.path)
    return SmtpTransport(destination, helo_name=helo_name)


class MaildirTransport:
    """A standard Maildir, that any mail program can read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, message: EmailMessage, hand_over: HandOver = at_any_time) -> None:
        hand_over()
        await self._write(self._deliver, message)

    async def rehearse(self, message: EmailMessage) -> None:
        await self._write(self._throw_away, message)

    @staticmethod
    async def _write(write: Callable[[EmailMessage], None], message: EmailMessage) -> None:
        try:
            await asyncio.to_thread(write, message)
        except OSError as exc:
            raise TransportError(f"the mailbox folder can't be written: {exc.strerror}") from exc

    def _deliver(self, message: EmailMessage) -> None:
        self._make_folders()
        mailbox.Maildir(self._path).add(message.as_bytes())

    def _throw_away(self, message: EmailMessage) -> None:
        self._make_folders()
        with tempfile.NamedTemporaryFile(dir=self._path / "tmp", prefix="discarded-") as file:
            file.write(message.as_bytes())
            file.flush()
            os.fsync(file.fileno())

    def _make_folders(self) -> None:
        self._path.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        for folder in ("cur", "new", "tmp"):  # Here, since `mailbox` makes none of them in a folder that is there.
            (self._path / folder).mkdir(mode=OWNER_ONLY, exist_ok=True)


class SmtpTransport:
    """A mail server, over a connection of its own for each message."""

    def __init__(self, server: SmtpServer, *, helo_name: str | None = None) -> None:
        self._helo_name = helo_name
        self._server = server

    async def send(self, message: EmailMessage, hand_over: HandOver = at_any_time) -> None:
        async with self._client(message) as client:
            async with asyncio.timeout(ENVELOPE_SECONDS):
                await client.connect()
                await self._address(client, message)
            async with asyncio.timeout(CONTENT_SECONDS):
                hand_over()
                await self._transmit(client, message)
            await self._take_leave(client)

    async def rehearse(self, message: EmailMessage) -> None:
        async with self._client(message) as client:
            message.as_bytes(policy=WIRE_POLICY)
            async with asyncio.timeout(ENVELOPE_SECONDS):
                await client.connect()
            await self._take_leave(client)

    @asynccontextmanager
    async def _client(self, message: EmailMessage) -> AsyncIterator[aiosmtplib.SMTP]:
        """A client that is not connected yet, and whose failures are a transport's."""
        client = aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            use_tls=self._server.encryption == "tls",
            start_tls=self._server.encryption == "starttls",
            username=self._server.username,
            password=self._server.password,
            local_hostname=self._helo_name or message["From"].addresses[0].domain,
            timeout=None,  # Ours are of whole steps.
        )
        try:
            yield client
        except TimeoutError as exc:
            raise TransportError("no answer in time") from exc
        except (aiosmtplib.SMTPException, OSError) as exc:
            raise TransportError(self._reason(exc, message)) from exc
        finally:
            client.close()

    async def _address(self, client: aiosmtplib.SMTP, message: EmailMessage) -> None:
        """The envelope."""
        await client.mail(message["From"].addresses[0].addr_spec)
        try:
            await client.rcpt(message["To"].addresses[0].addr_spec)
        except aiosmtplib.SMTPResponseException as exc:
            if _is_of_the_mailbox(exc):
                raise MailboxRefusedError(self._reason(exc, message)) from exc
            raise

    async def _transmit(self, client: aiosmtplib.SMTP, message: EmailMessage) -> None:
        """What is in the envelope."""
        try:
            await client.data(message.as_bytes(policy=WIRE_POLICY))
        except aiosmtplib.SMTPResponseException as exc:
            if _is_of_the_mailbox(exc):
                raise MailboxRefusedError(self._reason(exc, message)) from exc
            if exc.code in PERMANENT:
                raise ContentRefusedError(self._reason(exc, message)) from exc
            raise

    def _reason(self, exc: Exception, message: EmailMessage) -> str:
        """For the log."""
        credentials = [self._server.username or "", self._server.password or ""]
        return describe_failure(exc, [*_private_words(message), *credentials])

    @staticmethod
    async def _take_leave(client: aiosmtplib.SMTP) -> None:
        """QUIT, for courtesy: the message is taken, whatever becomes of the connection."""
        with suppress(aiosmtplib.SMTPException, OSError):
            await client.quit(timeout=QUIT_SECONDS)


def _private_words(message: EmailMessage) -> list[str]:
    """What a server may quote of the recipient: the address, or a part of it."""
    recipient = message["To"].addresses[0]
    parts = [part for part in re.split(r"[._+-]", recipient.username) if len(part) >= MIN_PRIVATE_PART_LENGTH]
    return [recipient.addr_spec, recipient.username, recipient.username.partition("+")[0], *parts, recipient.domain]


def _is_of_the_mailbox(exc: aiosmtplib.SMTPResponseException) -> bool:
    return exc.code in PERMANENT and MAILBOX_REFUSAL.match(exc.message) is not None
