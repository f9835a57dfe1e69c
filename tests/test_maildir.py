"""The mailbox folder: a Maildir that any mail program can read."""

from __future__ import annotations

import asyncio
import mailbox
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest

from api.mail.transports import MaildirTransport, TransportError, open_transport
from api.settings.mail_destination import Maildir

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


def letter(number: int = 1) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "portail@example.org", "camille@example.com"
    message["Message-ID"] = f"<{number}@example.org>"
    message.set_content("Bonjour,\n.\nÀ bientôt : c’est tout.\n", cte="quoted-printable")
    return message


def letters_in(folder: Path) -> list[EmailMessage]:
    """Return the messages that a mail program finds in *folder*, which it does not create."""
    found = mailbox.Maildir(folder, create=False)
    return [message_from_bytes(mail.as_bytes(), EmailMessage, policy=policy.default) for mail in found]


async def test_a_mail_program_reads_what_was_delivered(tmp_path: Path) -> None:
    """A message arrives whole, as a new one, in the standard's folders."""
    folder = tmp_path / "mailbox"
    await MaildirTransport(folder).send(letter())
    (read,) = letters_in(folder)
    assert dict(read.items()) == dict(letter().items())
    assert read.get_content() == letter().get_content()
    assert {child.name: len(list(child.iterdir())) for child in folder.iterdir()} == {"cur": 0, "new": 1, "tmp": 0}


@pytest.mark.parametrize("existing", ["", "var", "var/mail", "var/mail/new"])
async def test_missing_parts_of_the_folder_are_created(tmp_path: Path, existing: str) -> None:
    """The folder is created when needed, in a missing folder too, and completed if it is empty."""
    (tmp_path / existing).mkdir(parents=True, exist_ok=True)
    await MaildirTransport(tmp_path / "var/mail").send(letter())
    assert len(letters_in(tmp_path / "var/mail")) == 1


async def test_nobody_else_reads_the_mails(tmp_path: Path) -> None:
    """Only the owner can read the folder, since its mails carry working links."""
    await MaildirTransport(tmp_path / "mailbox").send(letter())
    assert (tmp_path / "mailbox").stat().st_mode & 0o077 == 0


async def test_first_messages_at_the_same_moment_all_arrive(tmp_path: Path) -> None:
    """The first messages at the same moment all arrive."""
    for attempt in range(40):
        folder = tmp_path / str(attempt)
        await asyncio.gather(*(MaildirTransport(folder).send(letter(number)) for number in range(4)))
        assert {mail["Message-ID"] for mail in letters_in(folder)} == {f"<{n}@example.org>" for n in range(4)}


@pytest.mark.parametrize("file", ["mailbox", "mailbox/new"])
async def test_a_read_only_folder_keeps_messages_waiting(tmp_path: Path, file: str) -> None:
    """If the folder can't be written, no message is refused for good; the reason names no path and no address."""
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("A file stands in the way, also of root.")
    with pytest.raises(TransportError, match=r"^the mailbox folder can't be written: \D+$") as failure:
        await MaildirTransport(tmp_path / "mailbox").send(letter())
    assert str(tmp_path) not in str(failure.value)
    assert "@" not in str(failure.value)


async def test_the_mail_url_names_the_folder(tmp_path: Path) -> None:
    """`maildir:` names the folder of the relay's mails."""
    await open_transport(Maildir(tmp_path / "mailbox")).send(letter())
    assert len(letters_in(tmp_path / "mailbox")) == 1
