"""Headers on the wire: one sender and one recipient, for any name of the portal and any length of address."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.headerregistry import AddressHeader
from email.utils import getaddresses
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.mail.composer import Composer
from api.mail.headers import MAIL_POLICY, WIRE_POLICY
from api.mail.transports import SmtpTransport
from api.messages.languages import Language
from api.settings.mail_destination import SmtpServer
from api.settings.sender import parse_sender
from tests.support.mail_server import Mailroom, listening, raw
from tests.support.mails import MESSAGE_ID, registration

if TYPE_CHECKING:
    from email.message import EmailMessage

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
ADDRESS = "no-reply@lyon.example"
RECIPIENT = "camille@example.com"
LONG_DOMAIN = f"{'d' * 63}.{'e' * 63}.{'f' * 61}"
MAX_LENGTH_ADDRESS = f"{'a' * 64}@{LONG_DOMAIN}"
LONG_NAME = "Direction des finances, service des marchés, bureau des inscriptions et des comptes de la métropole"
NAMES = (
    "Guichet",
    "Métropole de Lyon",
    "Portail, Inc.",
    LONG_NAME,
    LONG_NAME.encode("ascii", "ignore").decode(),
    "S.A. (Exemple); \"cité\" \\ 'x'",
    "=?utf-8?q?",
    "été " * 60,
)
thorough = settings(database=None, derandomize=True, max_examples=80, deadline=None)


def mail(sender: str, *, to: str = RECIPIENT) -> EmailMessage:
    composer = Composer(sender=parse_sender(sender), sign_in_url=None)
    return composer.summary([registration()], to=to, language=Language.FR, message_id=MESSAGE_ID, now=NOW)


def quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def check(content: bytes, name: str, address: str, to: str) -> None:
    """Check for one sender and one recipient, as two parsers read them, in lines of ASCII."""
    head = content.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    assert max(map(len, head.split(b"\r\n"))) <= 998
    parsed = message_from_bytes(content, policy=policy.default)
    for header, expected in (("From", address), ("To", to)):
        (field,) = parsed.get_all(header, [])
        assert field.defects == ()
        assert isinstance(field, AddressHeader)
        assert [one.addr_spec for one in field.addresses] == [expected]
    compat = message_from_bytes(content)
    ((written, found),) = getaddresses([str(compat["From"])])
    assert (str(make_header(decode_header(written))), found) == (name, address)
    assert str(compat["Message-ID"]) == f"<{MESSAGE_ID}@{address.rpartition('@')[2]}>"


@thorough
@given(st.sampled_from(NAMES) | st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="@<>")))
@example(LONG_NAME)
@example('A, "B" C, ' * 9)
def test_a_name_makes_no_second_address(name: str) -> None:
    """The sender's name arrives unchanged, and the sender is one address, with both kinds of line ends."""
    expected = parse_sender(f"{quoted(name)} <{ADDRESS}>").name
    message = mail(f"{quoted(name)} <{ADDRESS}>")
    for content in (message.as_bytes(policy=WIRE_POLICY), message.as_bytes().replace(b"\n", b"\r\n")):
        check(content, expected, ADDRESS, RECIPIENT)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
async def test_envelope_and_header_name_one_sender(name: str) -> None:
    """Over SMTP, the envelope and the header name the same single sender."""
    mailroom = Mailroom()
    sender = f"{quoted(name)} <{ADDRESS}>"
    async with listening(mailroom) as port:
        await SmtpTransport(SmtpServer("127.0.0.1", port, "none")).send(mail(sender, to=MAX_LENGTH_ADDRESS))
    (envelope,) = mailroom.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == (ADDRESS, [MAX_LENGTH_ADDRESS])
    check(raw(envelope), parse_sender(sender).name, ADDRESS, MAX_LENGTH_ADDRESS)


@pytest.mark.parametrize(
    ("sender", "name", "address"),
    [
        ("Métropole de Lyon <no-reply@lyon.example>", "Métropole de Lyon", ADDRESS),
        ("Impôts, service en ligne <no-reply@lyon.example>", "Impôts, service en ligne", ADDRESS),
        ("=?utf-8?q?M=C3=A9tropole?= <no-reply@lyon.example>", "Métropole", ADDRESS),
        ("Métropole\u00a0de\u202fLyon\u00a0<no-reply@lyon.example>", "Métropole de Lyon", ADDRESS),
        ("=?utf-8?q?Grand=C2=A0Lyon?= <no-reply@lyon.example>", "Grand Lyon", ADDRESS),
        (r'"Le \"guichet\"" <no-reply@lyon.example>', 'Le "guichet"', ADDRESS),
        ("<no-reply@lyon.example>", "", ADDRESS),
        ("no-reply@Métropole-ÉTÉ.fr", "", "no-reply@xn--mtropole-t-b7aib.fr"),
        (f"Été <{MAX_LENGTH_ADDRESS}>", "Été", MAX_LENGTH_ADDRESS),
    ],
)
def test_setting_of_the_sender_accepts_usual_notations(sender: str, name: str, address: str) -> None:
    """The setting accepts accents, commas without quotes, encoded words, pasted blanks and any domain."""
    check(mail(sender).as_bytes(policy=WIRE_POLICY), name, address, RECIPIENT)


def test_a_short_name_is_legible_on_the_wire() -> None:
    """A plain name stands as it is, one with a comma in quotes: encoding is used only where needed."""
    assert b"From: Guichet <no-reply@lyon.example>\r\n" in mail(f"Guichet <{ADDRESS}>").as_bytes(policy=WIRE_POLICY)
    head = mail(f"Portail, Inc. <{ADDRESS}>").as_bytes(policy=MAIL_POLICY)
    assert b'From: "Portail, Inc." <no-reply@lyon.example>\n' in head
