"""Answers of a mail server, made fit for the log: they show an operator the fault, and nobody an address."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import aiosmtplib

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_QUOTATION_LENGTH = 200
COMMANDS: dict[type[aiosmtplib.SMTPResponseException], str] = {
    aiosmtplib.SMTPConnectResponseError: "Greeting",
    aiosmtplib.SMTPHeloError: "EHLO/HELO",
    aiosmtplib.SMTPAuthenticationError: "AUTH",
    aiosmtplib.SMTPSenderRefused: "MAIL",
    aiosmtplib.SMTPRecipientRefused: "RCPT",
    aiosmtplib.SMTPDataError: "DATA",
}
ENHANCED_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.)\S+", re.IGNORECASE)
ADDRESS = re.compile(r"[^\s<>\"'(),;:\[\]]*(?:@|%40|=40)[^\s<>\"'(),;:\[\]]*", re.IGNORECASE)
LONG_TOKEN = re.compile(r"[\w+/=%-]{24,}", re.ASCII)


def describe_failure(exc: Exception, private: Iterable[str]) -> str:
    """Return the command, the codes and the words of the server, without addresses, links and *private* words.

    Without an answer, return the kind of failure.
    """
    if not isinstance(exc, aiosmtplib.SMTPResponseException):
        return type(exc).__name__
    enhanced = ENHANCED_CODE.match(exc.message)
    codes = f"{exc.code} {enhanced[0]}" if enhanced else str(exc.code)
    words = _redact(exc.message, private)
    answer = f"{COMMANDS.get(type(exc), 'A command')} answered {codes}"
    return f"{answer}: {words}" if words else answer


def _redact(message: str, private: Iterable[str]) -> str:
    """Return *message* on one line of bounded length, without *private* words and the enhanced code of each line."""
    lines = (re.sub(rf"^{ENHANCED_CODE.pattern}", "", line) for line in message.splitlines())
    visible = "".join(char if char.isprintable() else " " for char in " ".join(lines))
    text = URL.sub("[link]", visible)
    text = ADDRESS.sub("[address]", text)
    for secret in sorted(filter(None, private), key=len, reverse=True):
        text = re.sub(rf"(?<![^\W_]){re.escape(secret)}(?![^\W_])", "[address]", text, flags=re.IGNORECASE)
    text = " ".join(LONG_TOKEN.sub("[…]", text).split())
    return text if len(text) <= MAX_QUOTATION_LENGTH else f"{text[:MAX_QUOTATION_LENGTH]}…"
