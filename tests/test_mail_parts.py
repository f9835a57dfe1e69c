"""Mails are written as Python's own library writes them, only with less work."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.mail.headers import MAIL_POLICY, MAX_LINE_LENGTH, WIRE_POLICY
from api.mail.mime import write_alternatives

if TYPE_CHECKING:
    from email.message import MIMEPart

thorough = settings(database=None, derandomize=True, max_examples=300, deadline=None)
contents = st.text(st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n"), max_size=300).map(
    lambda text: text.rstrip("\n")
)
words = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
LIBRARY_POLICY = EmailPolicy(max_line_length=MAX_LINE_LENGTH, linesep="\r\n")


def parse(message: EmailMessage) -> EmailMessage:
    return message_from_bytes(message.as_bytes(policy=WIRE_POLICY), EmailMessage, policy=policy.default)


def facts(part: MIMEPart) -> tuple[str, str, str, str]:
    content = str(part.get_content())
    return part.get_content_type(), str(part.get_content_charset()), part["Content-Transfer-Encoding"], content


@thorough
@given(contents, contents)
@example("--=_part--\n--=_part", "=_part")
@example(".\n From \nFrom x \n\t", "é" * 200 + " \n" + "=" * 80 + "\n\n.")
def test_both_parts_arrive_as_the_library_would_write_them(text: str, html: str) -> None:
    """A parser reads the same types, encodings and contents as from the library's own mail; no line is too long."""
    message, expected = EmailMessage(MAIL_POLICY), EmailMessage(LIBRARY_POLICY)
    write_alternatives(message, text=text, html=html, language="fr")
    expected.set_content(text, cte="quoted-printable")
    expected.add_alternative(html, subtype="html", cte="quoted-printable")

    parsed = parse(message)

    assert not [defect for part in parsed.walk() for defect in part.defects]
    assert parsed.get_content_type() == "multipart/alternative"
    assert [facts(part) for part in parsed.iter_parts()] == [facts(part) for part in parse(expected).iter_parts()]
    assert max(map(len, message.as_bytes(policy=WIRE_POLICY).split(b"\r\n"))) <= MAX_LINE_LENGTH


@thorough
@given(st.sampled_from(["Subject", "X-Any", "Auto-Submitted"]), st.lists(words, min_size=1, max_size=6).map(" ".join))
@example("Subject", "=?utf-8?q?=C3=A9t=C3=A9?=")
@example("Subject", "a" * (MAX_LINE_LENGTH - len("Subject: ")))
@example("Subject", "a" * 30 + " " + "b" * 36)
def test_headers_are_the_same_as_without_a_shorter_way(name: str, text: str) -> None:
    """A header is written as the library writes it, whether or not it needs to be folded, the second time too."""
    expected = LIBRARY_POLICY.fold_binary(name, HeaderRegistry()(name, text))
    for _ in range(2):
        assert WIRE_POLICY.fold_binary(name, WIRE_POLICY.header_factory(name, text)) == expected
