"""Invariants of every database at every moment: nothing is half done, and nothing promised is lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.account import Account, Membership, MembershipRole
from models.activation import ActivationToken
from models.organisation import Organisation
from models.outbox import MessageKind, MessageState, OutboxMessage
from models.registration import CAPTCHA_ATTEMPTS, MailOutcome, Registration, RegistrationState
from tests.support.client import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from email.message import EmailMessage
    from uuid import UUID

    from tests.support.client import Answer

SUMMARY, ACTIVATION, EXISTS = "Récapitulatif de votre inscription", "Activez votre compte", "Vous avez déjà un compte"
BOTH_MAILS = {MessageKind.SUMMARY: 1, MessageKind.ACTIVATION: 1}


@dataclass(frozen=True)
class Stored:
    """All rows of the open database."""

    registrations: list[Registration]
    tokens: list[ActivationToken]
    accounts: list[Account]
    memberships: list[Membership]
    organisations: list[Organisation]
    messages: list[OutboxMessage]

    @classmethod
    async def now(cls) -> Stored:
        return cls(
            registrations=await Registration.all(),
            tokens=await ActivationToken.all(),
            accounts=await Account.all(),
            memberships=await Membership.all(),
            organisations=await Organisation.all(),
            messages=await OutboxMessage.all(),
        )


async def find_half_done(*, now: datetime) -> list[str]:
    """Describe each thing that is only half done. A purge may have deleted parts of expired registrations."""
    stored = await Stored.now()
    return [
        *_registrations(
            stored, [registration for registration in stored.registrations if registration.expires_at > now]
        ),
        *_accounts(stored),
        *_messages(stored),
    ]


def _registrations(stored: Stored, living: Iterable[Registration]) -> Iterator[str]:
    """Check that an ACTIVATED one has an account and a used link, and a VERIFIED one both mails, once each."""
    accounts = {account.email_canonical: account for account in stored.accounts}
    for registration in living:
        activated = registration.state is RegistrationState.ACTIVATED
        verified = activated or registration.state is RegistrationState.VERIFIED
        account = accounts.get(registration.email_canonical)
        promised = Counter(m.kind for m in stored.messages if m.registration_id == registration.id)
        used = [t for t in stored.tokens if _registration_of(t) == registration.id and t.used_at is not None]
        if activated and (account is None or not _came_from(account, registration)):
            yield f"{registration!r} is activated, and its account is not there"
        if promised != (BOTH_MAILS if verified else {}):
            yield f"{registration!r} is {registration.state}, with {dict(promised)} promised"
        if len(used) != (1 if activated else 0):
            yield f"{registration!r} is {registration.state}, with {len(used)} used links"
        if (registration.verified_at is not None, registration.activated_at is not None) != (verified, activated):
            yield f"{registration!r} is {registration.state}, and its times say something else"
        if registration.mail_outcome is not None and not verified:
            yield f"{registration!r} is {registration.state}, and its mail is already decided"


def _accounts(stored: Stored) -> Iterator[str]:
    """Check that each account has one registration and one membership, and each organisation one founder."""
    places = Counter(_account_of(membership) for membership in stored.memberships)
    founders = Counter(
        _organisation_of(membership) for membership in stored.memberships if membership.role is MembershipRole.MANAGER
    )
    for account in stored.accounts:
        of_address = [r for r in stored.registrations if r.email_canonical == account.email_canonical]
        activated = [r for r in of_address if r.state is RegistrationState.ACTIVATED]
        if places[account.id] != 1:
            yield f"{account!r} has {places[account.id]} memberships"
        if of_address and len(activated) != 1:
            yield f"{account!r} comes from {len(activated)} registrations"
    for organisation in stored.organisations:
        if founders[organisation.id] != 1:
            yield f"organisation {organisation.id} has {founders[organisation.id]} founders"


def _messages(stored: Stored) -> Iterator[str]:
    """Check that each message waits or is finished, and that no relay holds a finished one."""
    for message in stored.messages:
        finished = message.state is not MessageState.QUEUED
        if (message.finished_at is not None) != finished or (finished and message.lease_owner is not None):
            yield f"{message!r} is {message.state}, and half in hand"


def _registration_of(token: ActivationToken) -> UUID:
    return token.registration_id  # type: ignore[attr-defined,no-any-return]  # Tortoise adds it to the model.


def _account_of(membership: Membership) -> UUID:
    return membership.account_id  # type: ignore[attr-defined,no-any-return]  # As above.


def _organisation_of(membership: Membership) -> UUID:
    return membership.organisation_id  # type: ignore[attr-defined,no-any-return]  # As above.


def _came_from(account: Account, registration: Registration) -> bool:
    return (account.first_name, account.created_at) == (registration.first_name, registration.activated_at)


async def is_answer_true(answer: Answer, *, registration_id: str = "") -> bool:
    """Return True if the database holds what *answer*, to a request about this registration, reports."""
    match answer["__typename"]:
        case "PendingRegistration":
            return await Registration.exists(id=answer["id"])
        case "CaptchaRejected":
            failures = CAPTCHA_ATTEMPTS - int(answer["registration"]["attemptsLeft"])
            return await Registration.exists(id=registration_id, captcha_failures=failures)
        case "ActivationMailSent":
            over = RegistrationState.AWAITING_CAPTCHA
            promised = await OutboxMessage.filter(registration_id=registration_id).count()
            return promised == len(BOTH_MAILS) and not await Registration.exists(id=registration_id, state=over)
        case "ActivationMailRequested":
            return await OutboxMessage.exists(kind=MessageKind.RESEND, recipient=answer["email"])
        case "AccountActivated":
            (place,) = answer["account"]["memberships"]
            return await Membership.exists(id=place["id"], account_id=answer["account"]["id"])
    return True


async def find_unsent(mails: Iterable[EmailMessage]) -> list[str]:
    """Describe each promised mail that is not among *mails*, once nothing should wait any more."""
    stored, delivered = await Stored.now(), [(str(m["To"]), str(m["Subject"]), text_of(m)) for m in mails]
    missing = [f"{message!r} still waits" for message in stored.messages if message.state is MessageState.QUEUED]
    accounts = {account.email_canonical for account in stored.accounts}
    for registration in stored.registrations:
        if registration.state is RegistrationState.AWAITING_CAPTCHA:
            continue
        if registration.mail_outcome is MailOutcome.ACCOUNT_EXISTS:
            wanted = {(EXISTS, "")}
        else:
            wanted = {(SUMMARY, registration.first_name), (ACTIVATION, registration.first_name)}
        if registration.state is RegistrationState.VERIFIED and registration.email_canonical in accounts:
            wanted.discard((ACTIVATION, registration.first_name))  # Its link would no longer work.
        for subject, name in wanted:
            if not any((to, title) == (registration.email, subject) and name in text for to, title, text in delivered):
                missing.append(f"{registration!r} has not got {subject}")
    return missing


async def find_mixed_message_ids(mails: Iterable[EmailMessage]) -> list[str]:
    """Describe each Message-ID that different mails share, or that belongs to no stored message."""
    known = {f"{message.id}@" for message in await OutboxMessage.all()}
    contents: dict[str, set[tuple[str, str]]] = {}
    for mail in mails:
        contents.setdefault(str(mail["Message-ID"]), set()).add((str(mail["To"]), str(mail["Subject"])))
    return [
        f"{id_} is of {content}"
        for id_, content in contents.items()
        if len(content) > 1 or not any(id_.startswith(f"<{message}") for message in known)
    ]
