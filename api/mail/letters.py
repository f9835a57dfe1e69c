"""What an address gets: decided when its mail leaves, out of any caller's sight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from tortoise.transactions import in_transaction

from api.mail.composer import Composer, Link
from api.messages.words import Language
from models.account import Account
from models.identifiers import IdentifierType
from models.outbox import MessageKind, OutboxMessage
from models.registration import ActivationToken, MailOutcome, Registration, RegistrationState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime
    from email.message import EmailMessage

MAX_ENTRIES_PER_MAIL = 30


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail, and whether it *leaves* or is thrown away; None where what it was to be about is over.

    Beside it, the messages that it speaks for, and the attempts that it is about.
    """

    mail: EmailMessage | None
    told: Sequence[OutboxMessage]
    registrations: Sequence[Registration] = ()
    leaves: bool = True


class Heading(TypedDict):
    """What every mail is composed with."""

    to: str
    language: Language
    message_id: str
    now: datetime


class LetterWriter:
    """Makes letters of messages: each says what is so when it leaves, not when it was promised.

    Whether an address has an account makes no difference to the work: the same statements, and the mails of either
    case composed, of which one leaves at most. Else the relay would take its time over one kind of address, and
    whoever shares its machine, its database or its disk could notice.
    """

    def __init__(self, *, composer: Composer, activation_url: str, clock: Callable[[], datetime]) -> None:
        self._composer = composer
        self._activation_url = activation_url
        self._clock = clock

    async def write(self, message: OutboxMessage, owner: str) -> Letter:
        """What *message* comes to, together with those that were deferred with it, which *owner* claims as well."""
        if message.kind is MessageKind.RESEND:
            return await self._links_again(message, owner)
        registration = await self._registration(message)
        if registration is None:
            return Letter(None, [message])
        outcome = await registration.decide_mail()
        told, registrations = [message], [registration]
        async for companion, other in self._companions(message, outcome, owner):
            told.append(companion)
            registrations.append(other)
        account = await Account.get_or_none(email_canonical=message.recipient)
        exists = outcome is MailOutcome.ACCOUNT_EXISTS
        if message.kind is MessageKind.SUMMARY:
            return self._summary(message, told, registrations, account, exists=exists)
        usable = [attempt for attempt in registrations if attempt.state is RegistrationState.VERIFIED]
        mail = await self._activation(usable, message, owner)
        return Letter(mail, told, registrations, leaves=bool(usable) and account is None and not exists)

    def _summary(
        self,
        message: OutboxMessage,
        told: Sequence[OutboxMessage],
        registrations: Sequence[Registration],
        account: Account | None,
        *,
        exists: bool,
    ) -> Letter:
        """What was entered; in its place, where the address had an account then, a word to its owner."""
        summary = self._composer.summary(registrations, **self._heading(registrations[0], message))
        word = self._account_exists(account, message)
        if exists:
            return Letter(word, told, leaves=account is not None)
        return Letter(summary, told, registrations)

    async def _links_again(self, message: OutboxMessage, owner: str) -> Letter:
        """New links for all that waits, or a word to the owner of an account: what any such request comes to."""
        await message.supersede_others(now=self._clock())
        account = await Account.get_or_none(email_canonical=message.recipient)
        waiting = await Registration.waiting_for_activation(
            message.recipient, now=self._clock(), most=MAX_ENTRIES_PER_MAIL
        )
        mail = await self._activation(waiting, message, owner)
        word = self._account_exists(account, message)
        if account is not None:
            return Letter(word, [message])
        return Letter(mail, [message], waiting, leaves=bool(waiting))

    async def _companions(
        self, message: OutboxMessage, outcome: MailOutcome, owner: str
    ) -> AsyncIterator[tuple[OutboxMessage, Registration]]:
        """The messages that were deferred with this one and come to the same mail, and what they are about."""
        if not message.deferred:
            return
        for companion in await message.claim_companions(owner, now=self._clock(), most=MAX_ENTRIES_PER_MAIL - 1):
            registration = await self._registration(companion)
            if registration is not None and await registration.decide_mail() is outcome:
                yield companion, registration
            else:
                await OutboxMessage.postpone([companion], self._clock(), owner)

    async def _registration(self, message: OutboxMessage) -> Registration | None:
        return await Registration.get_or_none(id=message.registration_id, expires_at__gt=self._clock())

    async def _activation(self, usable: Sequence[Registration], message: OutboxMessage, owner: str) -> EmailMessage:
        """New links for *usable* attempts, or for one that nobody has made.

        They are stored in one transaction, which the lease gives something to commit in any case.
        """
        attempts = usable or [_nobody(message, self._clock())]
        async with in_transaction():
            await OutboxMessage.renew([message], owner, now=self._clock())
            tokens = await ActivationToken.issue(attempts, now=self._clock())
        urls = (f"{self._activation_url}#token={token}" for token in tokens)
        links = [Link(attempt, url) for attempt, url in zip(attempts, urls, strict=True)]
        return self._composer.activation(links, **self._heading(attempts[0], message))

    def _account_exists(self, account: Account | None, message: OutboxMessage) -> EmailMessage:
        """A word to the owner of *account*, or of one that nobody has."""
        owner = account or Account(email=message.recipient, language=message.language)
        return self._composer.account_exists(owner, **self._heading(owner, message))

    def _heading(self, addressee: Registration | Account, message: OutboxMessage) -> Heading:
        """To whom, in which language, and under which Message-ID, which stays the same over all attempts."""
        return Heading(
            to=addressee.email,
            language=Language(addressee.language),
            message_id=str(message.id),
            now=self._clock(),
        )


def _nobody(message: OutboxMessage, now: datetime) -> Registration:
    """An attempt that nobody has made, for the mail that is composed and thrown away where nothing waits."""
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
