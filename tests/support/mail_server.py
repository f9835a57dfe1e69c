"""Mail servers that answer as a test tells them to."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, AuthResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiosmtpd.smtp import Envelope, LoginPassword, Session


USER, PASSWORD = "relais@portail", "p@ss:w/rd?#%"
DROP, HANG = "(drops the connection)", "(says nothing more)"


class Mailroom:
    """A handler for aiosmtpd that stores deliveries; *answers* replace its acceptance."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.envelopes: list[Envelope] = []
        self.sessions: list[Session] = []

    async def handle_MAIL(  # noqa: N802  # aiosmtpd chose this name and those below.
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if "DATA" not in self.answers:
            self.envelopes.append(envelope)
            self.sessions.append(session)
        return self.answers.get("DATA", "250 OK")

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: LoginPassword
    ) -> AuthResult:
        """Accept the right user and password."""
        right = (login.login, login.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False, auth_data=login.login)

    # A method: aiosmtpd evaluates all properties of its handler at each connection.
    def read_mails(self) -> list[EmailMessage]:
        return [mail_in(envelope) for envelope in self.envelopes]


class Script:
    """A server that gives each verb its scripted answer; *lines* holds what it received."""

    def __init__(self, **answers: str) -> None:
        accepting = {"GREETING": "220 ready", "EHLO": "250 mail", "DATA": "354 go on", "QUIT": "221 bye"}
        self.answers: Mapping[str, str] = accepting | answers
        self.lines: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await self._converse(reader, writer)
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        verb, in_data = "GREETING", False
        while True:
            answer = "" if in_data and verb != "." else self.answers.get(verb, "250 OK")
            if answer == DROP:
                return
            if answer == HANG:
                await reader.read()
                return
            if answer:
                in_data = answer.startswith("354")
                writer.write(f"{answer}\r\n".encode())
            line = await reader.readline()
            if not line:
                return
            self.lines.append(line)
            verb = line.strip().partition(b" ")[0].decode("ascii", "replace").upper()


def raw(envelope: Envelope) -> bytes:
    assert isinstance(envelope.original_content, bytes)
    return envelope.original_content


def mail_in(envelope: Envelope) -> EmailMessage:
    """Return the mail as a mailbox stores it, with this machine's line ends."""
    stored = raw(envelope).replace(b"\r\n", b"\n")
    return message_from_bytes(stored, EmailMessage, policy=policy.default)


@asynccontextmanager
async def listening(to: Mailroom | Script, *, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[int]:
    """Run a mail server on a free port and yield the port; *options* are aiosmtpd's."""
    if isinstance(to, Script):
        server: asyncio.Server = await asyncio.start_server(to, "127.0.0.1", 0, ssl=tls)
    else:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(to, loop=loop, hostname="mail.example.org", **options), "127.0.0.1", 0, ssl=tls
        )
    async with server:
        yield server.sockets[0].getsockname()[1]
