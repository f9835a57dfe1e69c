"""Mails that a test delivers to the development mailbox, and the mailbox's list of mails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from api.mail.transports import MaildirTransport

if TYPE_CHECKING:
    import httpx

    from tests.support.client import Answer

Deliver = Callable[..., Awaitable[None]]
SENT_AT = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
TO = "camille.durand@exemple.fr"


def letter(
    subject: str = "Activez votre compte", *, text: str = "Bonjour à tous", html: str | None = None, **headers: str
) -> EmailMessage:
    message = EmailMessage()
    for name, value in {"Subject": subject, "From": "no-reply@exemple.fr", "To": TO, **headers}.items():
        message[name] = value
    if "Date" not in headers:
        message["Date"] = SENT_AT
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


@pytest.fixture
def mail_folder(tmp_path: Path) -> Path:
    """Return the folder to which `settings` deliver mails."""
    return tmp_path / "mailbox"


@pytest.fixture
def deliver(mail_folder: Path) -> Deliver:
    """Return a function that delivers mails as the relay does."""

    async def deliver_all(*messages: EmailMessage) -> None:
        for message in messages:
            await MaildirTransport(mail_folder).send(message)

    return deliver_all


async def messages_of(http: httpx.AsyncClient) -> list[Answer]:
    response = await http.get("/mailbox/messages")
    assert response.status_code == 200
    messages: list[Answer] = response.json()["messages"]
    return messages
