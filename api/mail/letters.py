"""What an address gets: decided when its mail leaves, out of any caller's sight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from api.mail.compose import Composer, Link
from api.messages import Language
from models.account import Account
from models.outbox import MessageKind, OutboxMessage
from models.registration import ActivationToken, MailOutcome, Registration, RegistrationState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime
    from email.message import EmailMessage

MOST_IN_ONE_MAIL = 30


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail, None where there is nothing to say; the messages that it speaks for, and the attempts it is about."""

    mail: EmailMessage | None
    told: Sequence[OutboxMessage]
    registrations: Sequence[Registration] = ()


class Heading(TypedDict):
    """What every mail is composed with."""

    to: str
    language: Language
    message_id: str
    now: datetime


class LetterWriter:
    """Makes letters of messages: each says what is so when it leaves, not when it was promised."""

    def __init__(self, *, composer: Composer, activation_url: str, clock: Callable[[], datetime]) -> None:
        self._composer = composer
        self._activation_url = activation_url
        self._clock = clock

    async def write(self, message: OutboxMessage, owner: str) -> Letter:
        """What *message* comes to, together with those that were deferred with it, which *owner* claims as well."""
        if message.kind is MessageKind.RESEND:
            return await self._links_again(message)
        registration = await self._registration(message)
        if registration is None:
            return Letter(None, [message])
        outcome = await registration.decide_mail()
        told, registrations = [message], [registration]
        async for companion, other in self._companions(message, outcome, owner):
            told.append(companion)
            registrations.append(other)
        if outcome is MailOutcome.ACCOUNT_EXISTS:
            mail = None
            if message.kind is MessageKind.SUMMARY:
                mail = await self._account_exists(registration.email_canonical, message)
            return Letter(mail, told)
        if message.kind is MessageKind.SUMMARY:
            mail = self._composer.summary(registrations, **self._heading(registration, message))
        else:
            mail = await self._activation(registrations, message)
        return Letter(mail, told, registrations)

    async def _links_again(self, message: OutboxMessage) -> Letter:
        """New links for all that waits, or a word to the owner of an account: what any such request comes to."""
        await message.answer_for_others(now=self._clock())
        mail = await self._account_exists(message.recipient, message)
        if mail is not None:
            return Letter(mail, [message])
        waiting = await Registration.waiting_for_activation(message.recipient, now=self._clock(), most=MOST_IN_ONE_MAIL)
        return Letter(await self._activation(waiting, message), [message], waiting)

    async def _companions(
        self, message: OutboxMessage, outcome: MailOutcome, owner: str
    ) -> AsyncIterator[tuple[OutboxMessage, Registration]]:
        """The messages that were deferred with this one and come to the same mail, and what they are about."""
        if not message.deferred:
            return
        for companion in await message.claim_companions(owner, now=self._clock(), most=MOST_IN_ONE_MAIL - 1):
            registration = await self._registration(companion)
            if registration is not None and await registration.decide_mail() is outcome:
                yield companion, registration
            else:
                await OutboxMessage.postpone([companion], self._clock(), owner)

    async def _registration(self, message: OutboxMessage) -> Registration | None:
        return await Registration.get_or_none(id=message.registration_id, expires_at__gt=self._clock())

    async def _activation(self, registrations: Sequence[Registration], message: OutboxMessage) -> EmailMessage | None:
        """New links for those of *registrations* that a link can still activate."""
        usable = [registration for registration in registrations if registration.state is RegistrationState.VERIFIED]
        if not usable or await Account.exists(email_canonical=message.recipient):
            return None
        links = [Link(registration, await self._new_url(registration)) for registration in usable]
        return self._composer.activation(links, **self._heading(usable[0], message))

    async def _new_url(self, registration: Registration) -> str:
        token = await ActivationToken.issue(registration, now=self._clock())
        return f"{self._activation_url}#token={token}"

    async def _account_exists(self, email_canonical: str, message: OutboxMessage) -> EmailMessage | None:
        account = await Account.get_or_none(email_canonical=email_canonical)
        if account is None:
            return None
        return self._composer.account_exists(account, **self._heading(account, message))

    def _heading(self, addressee: Registration | Account, message: OutboxMessage) -> Heading:
        """To whom, in which language, and under which Message-ID, which stays the same over all attempts."""
        return Heading(
            to=addressee.email,
            language=Language(addressee.language),
            message_id=str(message.id),
            now=self._clock(),
        )
