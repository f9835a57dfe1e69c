"""Mails over SMTP: to a real server, to servers that refuse, fail and hang, and never unencrypted by accident."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections import Counter
from datetime import timedelta
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from aiosmtpd.smtp import SMTP

from api.delivery import build_relay
from api.mail import sending, transports
from api.mail.transports import SmtpTransport
from api.settings.mail_destination import SmtpServer
from models.account import Account
from models.outbox import MessageKind, MessageState, OutboxMessage
from tests.support.client import Portal, token_in, with_link
from tests.support.mail_server import DROP, HANG, PASSWORD, USER, Mailroom, Script, listening, raw
from tests.support.outbox import drain, promise_mail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from aiosmtpd.smtp import Envelope, Session

    from api.settings.environment import Settings
    from tests.support.doubles import Clock

pytestmark = pytest.mark.anyio

EMAIL = "camille.durand@exemple.fr"
SENDER = "no-reply@portal.example.org"
INDISCREET = f"<{EMAIL}> is unknown to the server"
GUARD_SECONDS = 120


class Fastidious(Mailroom):
    """Accepts *number* mails, but defers *unlucky*, once it may answer."""

    def __init__(self, unlucky: str, number: int) -> None:
        super().__init__()
        self.has_all = asyncio.Event()
        self.may_answer = asyncio.Event()
        self._unlucky = unlucky
        self._number = number

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == self._unlucky:
            await self.may_answer.wait()
            return "450 4.2.0 later"
        return await super().handle_RCPT(server, session, envelope, address, options)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = await super().handle_DATA(server, session, envelope)
        if len(self.envelopes) == self._number:
            self.has_all.set()
        return answer


def at(settings: Settings, port: int) -> Settings:
    """Return *settings* with the mail server at *port*."""
    return settings.replace(mail_url=f"smtp://127.0.0.1:{port}?starttls=off")


async def outcome(settings: Settings, clock: Clock, url: str) -> str:
    """Send waiting messages to the server at *url* by a relay. Return the outcomes."""
    at_url = settings.replace(mail_url=url)
    (result,) = await build_relay(at_url, clock=clock).deliver_due()
    return result


class Waiting:
    """One message that waits to be sent, and its log."""

    def __init__(self, settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
        self.settings = settings
        self.clock = clock
        self.caplog = caplog

    async def sent_to(self, url: str) -> str:
        """Send the message to the server at *url* once it is due. Return the outcome."""
        message = await OutboxMessage.get()
        self.clock.now = max(self.clock.now, message.available_at)
        self.caplog.clear()
        return await outcome(self.settings, self.clock, url)

    async def check(self, expected: str, logged: str) -> None:
        """Check that the message is kept or set aside, and that the log says why without an address."""
        message = await OutboxMessage.get()
        state, level = {
            "abandoned": (MessageState.ABANDONED, "WARNING"),
            "failed": (MessageState.QUEUED, "ERROR"),
        }[expected]
        assert message.state is state
        records = [record for record in self.caplog.records if record.name != "mail.log"]  # The peer's own.
        (record,) = [record for record in records if record.levelname in {"WARNING", "ERROR"}]
        assert (record.name, record.levelname, record.exc_info) == ("api.mail.relay", level, None)
        assert str(message.id) in record.getMessage()
        assert logged in record.getMessage()
        everything = " ".join(record.getMessage() for record in records).lower()
        assert not [word for word in ("@", "camille", "exemple.fr", "portal.example") if word in everything]


@pytest.fixture
async def waiting(stored: None, settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture) -> Waiting:
    await Account.create(
        email=EMAIL,
        email_canonical=EMAIL,
        password_hash="",
        first_name="Camille",
        last_name="Durand",
        contact_email=EMAIL,
        language="fr",
        terms_version="1",
        terms_accepted_at=clock(),
        survey_consent=False,
        created_at=clock(),
    )
    await OutboxMessage.enqueue(MessageKind.RESEND, EMAIL, language="fr", now=clock())
    return Waiting(settings, clock, caplog)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a self-signed certificate of 127.0.0.1, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command")
    folder = tmp_path_factory.mktemp("tls")
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run([openssl, *request.split(), *files], check=True, capture_output=True)  # noqa: S603  # Our own words.
    both = folder / "both.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "certificate.pem").read_text())
    return both


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """Return the server's side of TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this machine trust the server's certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


# ── Delivered ──


async def test_the_mails_arrive_as_they_were_composed(portal: Portal, settings: Settings, clock: Clock) -> None:
    """A server gets both mails whole: envelope, headers, text and HTML, and a link that works."""
    mailroom = Mailroom()
    await portal.sign_up(email="Camille.Durand@exemple.fr")
    async with listening(mailroom) as port:
        assert await outcome(settings, clock, f"smtp://127.0.0.1:{port}?starttls=off") == "sent"
    assert {(envelope.mail_from, *envelope.rcpt_tos) for envelope in mailroom.envelopes} == {
        (SENDER, "Camille.Durand@exemple.fr")
    }
    assert len({mail["Message-ID"] for mail in mailroom.read_mails()}) == 2
    for mail in mailroom.read_mails():
        assert (mail["From"], mail["To"]) == (f"Guichet <{SENDER}>", "Camille.Durand@exemple.fr")
        assert mail["Date"].datetime == clock()
        assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    (link,) = with_link(mailroom.read_mails())
    assert (await portal.inspect_activation_link(token_in(link)))["state"] == "USABLE"


@pytest.mark.parametrize("encoding", ["7bit", "8bit", "quoted-printable"])
async def test_every_line_arrives(encoding: str) -> None:
    """Lines of dots, long lines and empty lines arrive unchanged, each ended by CRLF alone."""
    text = "Bonjour,\n.\n..\n.suite\n\nÀ bientôt\n.\n" if encoding != "7bit" else "Bonjour,\n.\n..\n.suite\n\n.\n"
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, EMAIL, "Été"
    message.set_content(text, cte=encoding)
    mailroom = Mailroom()
    async with listening(mailroom) as port:
        await SmtpTransport(SmtpServer("127.0.0.1", port, "none")).send(message)
    (mail,) = mailroom.read_mails()
    assert mail.get_content() == text
    assert mail["Subject"] == "Été"
    body = raw(mailroom.envelopes[0])
    assert body.count(b"\n") == body.count(b"\r") == body.count(b"\r\n")


async def test_accepted_mail_is_never_sent_twice(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the server has accepted a message, a broken or hanging connection causes no second copy."""
    monkeypatch.setattr(transports, "QUIT_SECONDS", 0.05)
    for farewell in (DROP, HANG, "500 what?"):
        async with listening(Script(QUIT=farewell)) as port:
            assert await waiting.sent_to(f"smtp://127.0.0.1:{port}?starttls=off") == "sent"
        await OutboxMessage.all().update(state=MessageState.QUEUED)


# ── Refused, for good or for now ──


@pytest.mark.parametrize(
    ("answers", "expected", "logged"),
    [
        ({"RCPT": f"550 5.1.1 {INDISCREET}"}, "abandoned", "RCPT answered 550"),
        ({"RCPT": f"552 5.2.2 {INDISCREET}"}, "abandoned", "RCPT answered 552"),
        ({"RCPT": f"553 5.1.3 {INDISCREET}"}, "abandoned", "RCPT answered 553"),
        ({"RCPT": f"551 5.1.6 {INDISCREET}"}, "abandoned", "RCPT answered 551"),
        ({"RCPT": f"556 5.1.10 {INDISCREET}"}, "abandoned", "RCPT answered 556"),
        ({"DATA": f"552 5.2.2 {INDISCREET}"}, "abandoned", "DATA answered 552"),
        ({"RCPT": f"550 {INDISCREET}"}, "failed", "RCPT answered 550"),
        ({"RCPT": f"554 5.7.1 Relay access denied {INDISCREET}"}, "failed", "RCPT answered 554"),
        ({"RCPT": f"553 5.7.1 Sender not owned by user {INDISCREET}"}, "failed", "RCPT answered 553"),
        ({"RCPT": f"550 5.1.8 Sender's domain not found {INDISCREET}"}, "failed", "RCPT answered 550"),
        ({"RCPT": f"504 5.5.2 HELO rejected {INDISCREET}"}, "failed", "RCPT answered 504"),
        ({"RCPT": f"530 5.7.0 Authentication required {INDISCREET}"}, "failed", "RCPT answered 530"),
        ({"RCPT": f"550 5.4.5 Daily quota exceeded {INDISCREET}"}, "failed", "RCPT answered 550"),
        ({"DATA": f"554 5.7.1 {INDISCREET}"}, "failed", "DATA answered 554"),
        ({"DATA": f"550 5.7.26 Unauthenticated sender {INDISCREET}"}, "failed", "DATA answered 550"),
        ({"RCPT": f"450 4.2.0 {INDISCREET}"}, "failed", "RCPT answered 450"),
        ({"RCPT": f"421 4.3.2 {INDISCREET}"}, "failed", "421"),
        ({"DATA": f"451 4.7.1 {INDISCREET}"}, "failed", "DATA answered 451"),
        ({"MAIL": f"450 4.1.8 {INDISCREET}"}, "failed", "MAIL answered 450"),
        ({"MAIL": f"530 5.7.0 {INDISCREET}"}, "failed", "MAIL answered 530"),
        ({"MAIL": f"550 5.7.1 {INDISCREET}"}, "failed", "MAIL answered 550"),
        ({"MAIL": f"553 5.1.8 {INDISCREET}"}, "failed", "MAIL answered 553"),
    ],
    ids=lambda value: "-".join(value) + next(iter(value.values()))[:9] if isinstance(value, dict) else str(value),
)
async def test_only_a_refusal_of_the_mailbox_abandons_a_message(
    waiting: Waiting, answers: dict[str, str], expected: str, logged: str
) -> None:
    """Only a refusal of the mailbox abandons a message. One of the sender or of the words can be fixed."""
    async with listening(Mailroom(**answers)) as port:
        assert await waiting.sent_to(f"smtp://127.0.0.1:{port}?starttls=off") == expected
    await waiting.check(expected, logged)


@pytest.mark.parametrize(
    ("answers", "expected", "logged"),
    [
        ({"DATA": f"554 {INDISCREET}"}, "failed", "DATA answered 554"),
        ({"GREETING": f"554 {INDISCREET}"}, "failed", "Greeting answered 554"),
        ({"GREETING": f"421 {INDISCREET}"}, "failed", "Greeting answered 421"),
        ({"EHLO": f"550 {INDISCREET}", "HELO": f"550 {INDISCREET}"}, "failed", "EHLO/HELO answered 550"),
        ({"GREETING": DROP}, "failed", "SMTPConnectError"),
        ({"EHLO": DROP}, "failed", "SMTPServerDisconnected"),
        ({"MAIL": DROP}, "failed", "SMTPServerDisconnected"),
        ({"RCPT": DROP}, "failed", "SMTPServerDisconnected"),
        ({"DATA": DROP}, "failed", "SMTPServerDisconnected"),
        ({".": DROP}, "failed", "SMTPServerDisconnected"),
        ({"GREETING": HANG}, "failed", "no answer in time"),
        ({"RCPT": HANG}, "failed", "no answer in time"),
        ({"DATA": HANG}, "failed", "no answer in time"),
        ({".": HANG}, "failed", "no answer in time"),
        ({"GREETING": f"hello {INDISCREET}"}, "failed", "SMTP"),
        ({"RCPT": f"no number {INDISCREET}"}, "failed", "SMTP"),
        ({".": f"\ud83d{INDISCREET}".encode("utf-8", "replace").decode()}, "failed", "SMTP"),
    ],
    ids=lambda value: "-".join(value) + next(iter(value.values()))[:5] if isinstance(value, dict) else str(value),
)
async def test_a_misbehaving_server_loses_no_message(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch, answers: dict[str, str], expected: str, logged: str
) -> None:
    """The message is kept when a server turns all clients away, breaks off, hangs or talks nonsense at any step."""
    if HANG in answers.values():
        monkeypatch.setattr(sending, "SENDING_DEADLINE", timedelta(milliseconds=200))
    async with listening(Script(**answers)) as port:
        assert await waiting.sent_to(f"smtp://127.0.0.1:{port}?starttls=off") == expected
    await waiting.check(expected, logged)


async def test_a_server_that_is_down_loses_no_message(waiting: Waiting) -> None:
    """If no server listens, the message is kept, and leaves when one does."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"smtp://127.0.0.1:{taken.getsockname()[1]}?starttls=off"
        assert await waiting.sent_to(url) == "failed"
    await waiting.check("failed", "SMTPConnectError")
    mailroom = Mailroom()
    async with listening(mailroom) as port:
        assert await waiting.sent_to(f"smtp://127.0.0.1:{port}?starttls=off") == "sent"
    assert len(mailroom.envelopes) == 1


async def test_a_server_that_is_down_for_an_hour_loses_no_message(
    portal: Portal, settings: Settings, clock: Clock
) -> None:
    """If no server listens for an hour, all mails wait, and each is sent once when one does."""
    for number in range(3):
        await portal.sign_up(email=f"personne{number}@exemple.fr")
    back = clock() + timedelta(hours=1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        relay = build_relay(at(settings, taken.getsockname()[1]), clock=clock)
        outcomes: Counter[str] = Counter()
        while clock() < back:
            outcomes += await relay.deliver_due()
            clock.advance(minutes=1)
    assert outcomes.keys() == {"failed"}
    mailroom = Mailroom()
    async with listening(mailroom) as port:
        await drain(build_relay(at(settings, port), clock=clock), clock)
    assert Counter(envelope.rcpt_tos[0] for envelope in mailroom.envelopes) == {
        f"personne{number}@exemple.fr": 2 for number in range(3)
    }
    assert len({mail["Message-ID"] for mail in mailroom.read_mails()}) == 6


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("hangs", [False, True], ids=["450", "hangs"])
async def test_a_slow_or_refused_recipient_delays_no_other(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    """While the server is silent on one recipient, or defers it, all mails to others leave."""
    monkeypatch.setattr(sending, "SENDING_DEADLINE", timedelta(minutes=10))
    others = [f"personne{number}@exemple.fr" for number in range(12)]
    mailroom = Fastidious(EMAIL, len(others))
    if not hangs:
        mailroom.may_answer.set()
    await promise_mail(EMAIL, now=clock())
    clock.advance(seconds=1)
    await promise_mail(*others, now=clock())
    async with listening(mailroom) as port:
        delivering = asyncio.create_task(build_relay(at(settings, port), clock=clock).deliver_due())
        async with asyncio.timeout(GUARD_SECONDS):
            await mailroom.has_all.wait()
            mailroom.may_answer.set()
            assert await delivering == {"failed": 1, "sent": len(others)}
    assert sorted(envelope.rcpt_tos[0] for envelope in mailroom.envelopes) == sorted(others)
    assert (await OutboxMessage.get(state=MessageState.QUEUED)).recipient == EMAIL


async def test_a_mail_refused_for_its_words_delays_no_other_link(
    portal: Portal, settings: Settings, clock: Clock
) -> None:
    """A stranger's sign-up whose words the mail server refuses does not hold back the person's own link."""

    class Prudish(Mailroom):
        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
            if b"Casino" in raw(envelope):
                return "554 5.7.1 looks like spam"
            return await super().handle_DATA(server, session, envelope)

    mailroom = Prudish()
    await portal.sign_up(firstName="Camille")
    await portal.deliver()
    clock.advance(hours=2)  # The link has expired.
    await portal.sign_up(firstName="Casino")
    await portal.resend_activation_mail(EMAIL)
    async with listening(mailroom) as port:
        await build_relay(at(settings, port), clock=clock).deliver_due()
    (mail,) = mailroom.read_mails()
    link = await portal.inspect_activation_link(token_in(mail))
    assert (link["state"], link["firstName"]) == ("USABLE", "Camille")


# ── EHLO and the log ──


class Strict(Script):
    """Refuses any name in EHLO but *expected*, as strict servers do."""

    def __init__(self, expected: str) -> None:
        super().__init__(RCPT="504 5.5.2 <15b0717dc4c2>: Helo command rejected: need fully-qualified hostname")
        self._expected = expected.encode()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.answers = _Answers(self.answers, lambda: [b"EHLO", self._expected] == self.lines[0].split())
        await super().__call__(reader, writer)


class _Answers(dict[str, str]):
    """Accepts the recipient from a client with the expected name."""

    def __init__(self, answers: Mapping[str, str], well_called: Callable[[], bool]) -> None:
        super().__init__(answers)
        self._well_called = well_called

    def get(self, verb: str, default: Any = None) -> Any:
        return default if verb == "RCPT" and self._well_called() else super().get(verb, default)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "portal.example.org"),
        ({"mail_from": "Métropole de Lyon <no-reply@métropole.example>"}, "xn--mtropole-b1a.example"),
        ({"mail_helo_name": "mail.example.net"}, "mail.example.net"),
        ({"mail_helo_name": "[192.0.2.1]"}, "[192.0.2.1]"),
    ],
    ids=str,
)
async def test_ehlo_has_the_senders_domain_or_the_configured_name(
    waiting: Waiting, changes: dict[str, str], expected: str
) -> None:
    """EHLO has the sender's domain, or the name in the setting, and never the name of the machine."""
    waiting.settings = waiting.settings.replace(**changes)
    async with listening(Strict(expected)) as port:
        assert await waiting.sent_to(f"smtp://127.0.0.1:{port}?starttls=off") == "sent"
    await OutboxMessage.all().update(state=MessageState.QUEUED)
    async with listening(Strict("another.example.org")) as port:
        assert await waiting.sent_to(f"smtp://127.0.0.1:{port}?starttls=off") == "failed"
    await waiting.check("failed", "RCPT answered 504 5.5.2: <15b0717dc4c2>: Helo command rejected")


@pytest.mark.parametrize(
    ("answers", "logged"),
    [
        ({"RCPT": f"554 5.7.1 <{EMAIL}>: Relay access denied"}, "RCPT answered 554 5.7.1: <[address]>: Relay access"),
        ({"RCPT": "450 unknown DURAND, camille: later"}, "RCPT answered 450: unknown [address], [address]: later"),
        ({"RCPT": "450 Camille.Durand: over quota at exemple.fr"}, "RCPT answered 450: [address]: over quota at [addr"),
        (
            {
                "RCPT": "550-5.7.1 The account does not exist. Learn more at\r\n"
                "550 5.7.1  https://support.example/?p=NoSuchUser&u=camille.durand%40exemple.fr d2e1a72-gsmtp"
            },
            "RCPT answered 550 5.7.1: The account does not exist. Learn more at [link] d2e1a72-gsmtp",
        ),
        ({".": "554 5.7.1 Spam: portal/#token=" + "Zm9v_LW1" * 6}, "DATA answered 554 5.7.1: Spam: portal/#"),
        ({"MAIL": "553 5.7.1 sender camille.durand=40exemple.fr refused"}, "MAIL answered 553 5.7.1: sender [address]"),
        ({"EHLO": "504 5.5.2 who?", "HELO": "504 5.5.2 who?"}, "EHLO/HELO answered 504 5.5.2: who?"),
        ({"GREETING": "554 5.7.1 Client host [192.0.2.9] blocked"}, "Greeting answered 554 5.7.1: Client host [192.0"),
        ({"DATA": "451 4.3.0 \x1b[31mred\x07 " + "so long " * 60}, "DATA answered 451 4.3.0: [31mred so long"),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else "",
)
async def test_the_log_quotes_the_answer_of_the_server(waiting: Waiting, answers: dict[str, str], logged: str) -> None:
    """The log has the command, the codes and the words: on one bounded line, without addresses and links."""
    async with listening(Script(**answers)) as port:
        assert await waiting.sent_to(f"smtp://127.0.0.1:{port}?starttls=off") == "failed"
    await waiting.check("failed", logged)
    (line,) = [record.getMessage() for record in waiting.caplog.records if logged in record.getMessage()]
    assert line.isprintable()
    assert len(line) < 400
    assert "://" not in line
    assert "Zm9v" not in line


# ── Encryption ──


def with_login(scheme: str, port: int, *, password: str = PASSWORD, host: str = "127.0.0.1", query: str = "") -> str:
    return f"{scheme}://{quote(USER, safe='')}:{quote(password, safe='')}@{host}:{port}{query}"


@pytest.mark.parametrize("ehlo", ["250 mail", "250-mail\r\n250 AUTH PLAIN LOGIN"])
async def test_nothing_is_sent_unencrypted_if_tls_is_required(waiting: Waiting, ehlo: str) -> None:
    """A server without STARTTLS gets no password, sender or message: TLS is required by default."""
    server = Script(EHLO=ehlo, STARTTLS="502 what?")
    async with listening(server) as port:
        assert await waiting.sent_to(with_login("smtp", port)) == "failed"
    assert {line.split()[0].upper() for line in server.lines} <= {b"EHLO", b"STARTTLS", b"QUIT"}
    await waiting.check("failed", "SMTP")


async def test_an_untrusted_certificate_is_refused(waiting: Waiting, tls: ssl.SSLContext) -> None:
    """With a certificate that the machine doesn't trust, nothing is sent and the message is kept."""
    mailroom = Mailroom()
    async with listening(mailroom, tls_context=tls, authenticator=mailroom.authenticate) as port:
        assert await waiting.sent_to(with_login("smtp", port)) == "failed"
    await waiting.check("failed", "SSLCertVerificationError")
    async with listening(mailroom, tls=tls) as port:
        assert await waiting.sent_to(with_login("smtps", port)) == "failed"
    await waiting.check("failed", "SMTPConnectError")
    assert mailroom.envelopes == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_certificate_of_another_host_is_refused(waiting: Waiting, tls: ssl.SSLContext, scheme: str) -> None:
    """A trusted certificate of another host is refused."""
    mailroom = Mailroom()
    options: dict[str, Any] = {"tls": tls} if scheme == "smtps" else {"tls_context": tls}
    async with listening(mailroom, **options) as port:
        assert await waiting.sent_to(with_login(scheme, port, host="localhost")) == "failed"
    assert mailroom.envelopes == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_user_and_password_go_over_tls(waiting: Waiting, tls: ssl.SSLContext, scheme: str) -> None:
    """STARTTLS and implicit TLS carry the message, after a sign-in with the user and password of the URL."""
    mailroom = Mailroom()
    options: dict[str, Any] = {"tls": tls} if scheme == "smtps" else {"tls_context": tls, "require_starttls": True}
    if scheme == "smtps":
        options["auth_require_tls"] = False  # aiosmtpd only knows of the TLS that it starts itself.
    async with listening(mailroom, authenticator=mailroom.authenticate, **options) as port:
        assert await waiting.sent_to(with_login(scheme, port)) == "sent"
    (session,) = mailroom.sessions
    assert session.authenticated
    assert PASSWORD not in waiting.caplog.text


@pytest.mark.usefixtures("trusted")
async def test_a_wrong_password_loses_no_message_and_is_logged(waiting: Waiting, tls: ssl.SSLContext) -> None:
    """A server that refuses the password keeps all messages waiting, and the log says why, without the password."""
    mailroom = Mailroom()
    async with listening(mailroom, tls_context=tls, authenticator=mailroom.authenticate) as port:
        assert await waiting.sent_to(with_login("smtp", port, password="wrong-password")) == "failed"
    await waiting.check("failed", "AUTH answered 535")
    assert "wrong-password" not in waiting.caplog.text
    assert mailroom.envelopes == []


async def test_a_server_without_tls_gets_nothing(waiting: Waiting) -> None:
    """With `smtps://` to a server without TLS, neither password nor message is sent."""
    server = Script()
    async with listening(server) as port:
        assert await waiting.sent_to(with_login("smtps", port)) == "failed"
    await waiting.check("failed", "SMTPConnectError")
    assert not [line for line in server.lines if line.startswith((b"AUTH ", b"MAIL "))]
