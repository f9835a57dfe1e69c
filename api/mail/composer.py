"""The composer of e-mails: it fills the templates with a registration or an account.

Mails carry a stranger's words to any address. All entered text is shown as inert text on one line, in a row with its
label: never in a subject, a greeting or a sentence. A blank keeps mail programs from turning it into a link. Mails load
no remote resource, and link only to the activation page and the sign-in page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from api.mail.headers import MAIL_POLICY
from api.mail.mime import write_alternatives
from api.messages.languages import Language
from api.messages.words import translate
from models.activation import LINK_LIFETIME
from models.domains import decode_domain_for_strangers
from models.links import unlinked
from models.personal_data import InputError, is_refused, parse_email_address
from models.registration import ACTIVATION_PERIOD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from api.settings.sender import Sender
    from models.account import Account
    from models.registration import Registration

MONTHS = {
    Language.FR: "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    Language.EN: "January February March April May June July August September October November December",
}


@dataclass(frozen=True, slots=True)
class Link:
    """An activation link: the registration that it activates, and its URL with the token in the fragment."""

    registration: Registration
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """A registration, ready to be shown: texts on one line, times and types in words."""

    email: str
    first_name: str
    last_name: str
    phone: str | None
    contact_email: str
    terms_version: str
    survey_consent: bool
    entered_at: str
    identifier_type: str
    identifier: str
    organisation_name: str | None

    @classmethod
    def of(cls, registration: Registration, language: Language) -> Entry:
        email, contact = shown_address(registration.email), registration.contact_email
        return cls(
            email=email,
            first_name=unlinked(one_line(registration.first_name)),
            last_name=unlinked(one_line(registration.last_name)),
            phone=one_line(registration.phone or "") or None,
            contact_email=shown_address(contact) if contact else email,
            terms_version=one_line(registration.terms_version),
            survey_consent=registration.survey_consent,
            entered_at=in_words(registration.created_at, language),
            identifier_type=translate(language, f"identifier-label-{registration.identifier_type}"),
            identifier=unlinked(one_line(registration.identifier.formatted)),
            organisation_name=unlinked(one_line(registration.organisation_name or "")) or None,
        )

    @property
    def organisation(self) -> str:
        """The name that distinguishes this entry from others in the same mail."""
        return self.organisation_name or f"{self.identifier_type} – {self.identifier}"


@cache
def _templates() -> Environment:
    """Return the templates of all mails; a process compiles each of them once."""
    return Environment(
        loader=PackageLoader("api.mail"),
        autoescape=select_autoescape(["html"], default=False),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class Composer:
    """Writes the mails, from *sender*; sends none."""

    def __init__(self, *, sender: Sender, sign_in_url: str | None) -> None:
        self._sender = Address(sender.name, sender.local_part, sender.domain)
        self._from = MAIL_POLICY.header_factory("From", self._sender)
        self._sign_in_url = sign_in_url

    def summary(
        self,
        registrations: Sequence[Registration],
        *,
        to: str,
        language: Language,
        message_id: str,
        now: datetime,
    ) -> EmailMessage:
        """Compose the summary of what was entered, and of the next steps."""
        entries = [Entry.of(registration, language) for registration in registrations]
        message = self._message("mail-summary-subject", to, language, message_id, now)
        return self._write(message, "summary", language, entries=entries)

    def activation(
        self, links: Sequence[Link], *, to: str, language: Language, message_id: str, now: datetime
    ) -> EmailMessage:
        """Compose the activation mail. Each link comes with its registration, so that a stranger's is recognised."""
        entries = [(Entry.of(link.registration, language), link.url) for link in links]
        message = self._message("mail-activation-subject", to, language, message_id, now)
        return self._write(message, "activation", language, links=entries)

    def account_exists(
        self, account: Account, *, to: str, language: Language, message_id: str, now: datetime
    ) -> EmailMessage:
        """Compose the notice to the owner of *account* that somebody tried to sign up with its address.

        It holds nothing that they entered.
        """
        address = shown_address(account.email)
        message = self._message("mail-account-exists-subject", to, language, message_id, now)
        return self._write(message, "account_exists", language, address=address, url=self._sign_in_url)

    def _message(self, subject: str, to: str, language: Language, message_id: str, now: datetime) -> EmailMessage:
        message = EmailMessage(MAIL_POLICY)
        message["From"] = self._from
        message["To"] = Address(addr_spec=to)
        message["Subject"] = translate(language, subject)
        message["Date"] = now
        message["Message-ID"] = f"<{message_id}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        return message

    def _write(self, message: EmailMessage, name: str, language: Language, **content: object) -> EmailMessage:
        """Fill both templates of *name*, and write them into *message*."""
        context = {
            "language": str(language),
            "words": _templates().get_template(f"words.{language}.jinja").module,
            "subject": str(message["Subject"]),
            "portal": one_line(self._sender.display_name),
            "link_minutes": int(LINK_LIFETIME.total_seconds() // 60),
            "activation_days": ACTIVATION_PERIOD.days,
            **content,
        }
        text, html = (
            _templates().get_template(f"{name}.{language}.{kind}").render(context) for kind in ("txt", "html")
        )
        write_alternatives(message, text=text, html=html, language=str(language))
        return message


def one_line(text: str) -> str:
    """Return *text* on one line: single blanks, and no control character or mark of writing direction."""
    visible = "".join(" " if is_refused(char) else char for char in text)
    return " ".join(visible.split())


def shown_address(address: str) -> str:
    """Return *address* on one line, as it was entered. Mail programs link all of it, as an address, or none of it."""
    try:
        accepted = parse_email_address(address).address
    except InputError:  # It was stored when more was accepted.
        return unlinked(one_line(address))
    return decode_domain_for_strangers(accepted)


def in_words(instant: datetime, language: Language) -> str:
    """Return *instant* as people read it: 23 November 2026 at 09:30 UTC."""
    utc = instant.astimezone(UTC)
    day = "1er" if language is Language.FR and utc.day == 1 else utc.day
    at = {Language.FR: "à", Language.EN: "at"}[language]
    return f"{day} {MONTHS[language].split()[utc.month - 1]} {utc.year} {at} {utc:%H:%M} UTC"
