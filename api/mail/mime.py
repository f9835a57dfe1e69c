"""The two parts of a mail: text, and HTML as the richer alternative.

`EmailMessage.set_content` gives the same, but parses and folds the same few headers again for each mail, and encodes in
Python: that took most of the time of a mail.
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from email.message import EmailMessage

from api.mail.headers import MAIL_POLICY

BOUNDARY = "=_part"
"""The line between parts. Quoted-printable never contains `=_`, so that no content can end its part (RFC 2045, 6.7)."""
BLANK_BEYOND_LIMIT = re.compile(r"^(.{74,})(=20|=09)$", re.MULTILINE)
"""A blank at the end of a long line: `b2a_qp` encodes it and doesn't break the line before it."""


def write_alternatives(message: EmailMessage, *, text: str, html: str, language: str) -> None:
    """Write both parts of *message*. The richer one comes last, as RFC 2046 asks."""
    message["MIME-Version"] = "1.0"
    message["Content-Type"] = f'multipart/alternative; boundary="{BOUNDARY}"'
    message["Content-Language"] = language
    for subtype, content in (("plain", text), ("html", html)):
        message.attach(_part(subtype, content, language))


def _part(subtype: str, content: str, language: str) -> EmailMessage:
    part = EmailMessage(MAIL_POLICY)
    part["Content-Type"] = f'text/{subtype}; charset="utf-8"'
    part["Content-Transfer-Encoding"] = "quoted-printable"
    part["Content-Language"] = language
    part.set_payload(_quoted_printable(content))
    return part


def _quoted_printable(content: str) -> str:
    """Return *content*, and a line end, in lines of at most 76 characters."""
    encoded = b2a_qp(f"{content}\n".encode()).decode("ascii")
    return BLANK_BEYOND_LIMIT.sub(r"\1=\n\2", encoded)
