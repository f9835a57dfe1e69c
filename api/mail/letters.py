"""Letters: the mail that an address gets is decided when it leaves, out of sight of any caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from tortoise.transactions import in_transaction

from api.mail.composer import Composer, Link
from api.messages.languages import Language
from models.account import Account
from models.activation import ActivationToken
from models.identifiers import IdentifierType
from models.outbox import MessageKind, OutboxMessage
from models.registration import MailOutcome, Registration, RegistrationState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime
    from email.message import EmailMessage

MAX_ENTRIES_PER_MAIL = 30


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail for the *messages* that it answers, the first of which leads, and the *registrations* that it is about.

    The mail is None if its subject is over. One to *discard* is composed, and thrown away.
    """

    mail: EmailMessage | None
    messages: Sequence[OutboxMessage]
    registrations: Sequence[Registration] = ()
    discard: bool = False


class Heading(TypedDict):
    """The arguments that every mail is composed with."""

    to: str
    language: Language
    message_id: str
    now: datetime


class LetterWriter:
    """Turns messages into letters. A letter states the facts at the time it leaves, not when it was promised.

    The work is the same whether or not an address has an account: the same statements, and both mails composed, of
    which at most one leaves. Otherwise the relay would take longer over one kind of address, and anybody who shares its
    machine, its database or its disk could notice.
    """

    def __init__(self, *, composer: Composer, activation_url: str, clock: Callable[[], datetime]) -> None:
        self._composer = composer
        self._activation_url = activation_url
        self._clock = clock

    async def write(self, message: OutboxMessage, owner: str) -> Letter:
        """Return the letter for *message* and for the messages deferred with it, which *owner* claims as well."""
        if message.kind is MessageKind.RESEND:
            return await self._write_new_links(message, owner)
        registration = await self._registration(message)
        if registration is None:
            return Letter(None, [message])
        outcome = registration.mail_outcome
        messages, registrations = [message], [registration]
        async for companion, other in self._claim_companions(message, outcome, owner):
            messages.append(companion)
            registrations.append(other)
        account = registration.account
        exists = outcome is MailOutcome.ACCOUNT_EXISTS
        if message.kind is MessageKind.SUMMARY:
            return self._write_summary(messages, registrations, account, exists=exists)
        usable = [attempt for attempt in registrations if attempt.state is RegistrationState.VERIFIED]
        mail = await self._compose_activation(usable, message, owner)
        return Letter(mail, messages, registrations, discard=not usable or account is not None or exists)

    def _write_summary(
        self,
        messages: Sequence[OutboxMessage],
        registrations: Sequence[Registration],
        account: Account | None,
        *,
        exists: bool,
    ) -> Letter:
        """Write the summary or, if the address had an account at the decision, a notice to its owner."""
        summary = self._composer.summary(registrations, **self._heading(registrations[0], messages[0]))
        notice = self._compose_account_exists(account, messages[0])
        if exists:
            return Letter(notice, messages, discard=account is None)
        return Letter(summary, messages, registrations)

    async def _write_new_links(self, message: OutboxMessage, owner: str) -> Letter:
        """Write new links for all waiting registrations or, if the address has an account, a notice to its owner."""
        await message.supersede_others(now=self._clock())
        account = await Account.find(message.recipient)
        waiting = await Registration.waiting_for_activation(
            message.recipient, now=self._clock(), limit=MAX_ENTRIES_PER_MAIL
        )
        mail = await self._compose_activation(waiting, message, owner)
        notice = self._compose_account_exists(account, message)
        if account is not None:
            return Letter(notice, [message])
        return Letter(mail, [message], waiting, discard=not waiting)

    async def _claim_companions(
        self, message: OutboxMessage, outcome: MailOutcome | None, owner: str
    ) -> AsyncIterator[tuple[OutboxMessage, Registration]]:
        """Claim the messages deferred with this one that lead to the same mail. Yield each with its registration."""
        if not message.deferred:
            return
        for companion in await message.claim_companions(owner, now=self._clock(), limit=MAX_ENTRIES_PER_MAIL - 1):
            registration = await self._registration(companion)
            if registration is not None and registration.mail_outcome is outcome:
                yield companion, registration
            else:
                await OutboxMessage.postpone([companion], self._clock(), owner)

    async def _registration(self, message: OutboxMessage) -> Registration | None:
        return await Registration.decide_mail(message.registration_id, now=self._clock())

    async def _compose_activation(
        self, usable: Sequence[Registration], message: OutboxMessage, owner: str
    ) -> EmailMessage:
        """Compose new links for *usable* registrations, or for an invented one.

        One transaction stores the links and renews the lease, so that it always has something to commit.
        """
        attempts = usable or [_invented_registration(message, self._clock())]
        async with in_transaction():
            await OutboxMessage.renew([message], owner, now=self._clock())
            tokens = await ActivationToken.issue(attempts, now=self._clock())
        urls = (f"{self._activation_url}#token={token}" for token in tokens)
        links = [Link(attempt, url) for attempt, url in zip(attempts, urls, strict=True)]
        return self._composer.activation(links, **self._heading(attempts[0], message))

    def _compose_account_exists(self, account: Account | None, message: OutboxMessage) -> EmailMessage:
        """Compose a notice to the owner of *account*, or of an invented one."""
        owner = account or Account(email=message.recipient, language=message.language)
        return self._composer.account_exists(owner, **self._heading(owner, message))

    def _heading(self, addressee: Registration | Account, message: OutboxMessage) -> Heading:
        """Return the arguments for a mail to *addressee*. Its Message-ID is the same at each attempt to send it."""
        return Heading(
            to=addressee.email,
            language=Language(addressee.language),
            message_id=str(message.id),
            now=self._clock(),
        )


def _invented_registration(message: OutboxMessage, now: datetime) -> Registration:
    """Return a registration that nobody made, for the mail that is discarded when no real one waits."""
    return Registration(
        email=message.recipient,
        email_canonical=message.recipient,
        first_name="Camille",
        last_name="Durand",
        language=message.language,
        terms_version="1",
        survey_consent=False,
        survey_consent_version="1",
        identifier_type=IdentifierType.SIRET,
        identifier_value="73282932000074",
        organisation_name="Exemple SA",
        created_at=now,
    )
