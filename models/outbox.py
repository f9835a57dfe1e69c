"""The outbox: messages that were promised, and the relay that is sending each.

A message is enqueued in the transaction that makes the promise. A relay claims it with a lease. While the lease runs,
no other relay can claim it; when a relay dies, others can claim it after the lease.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from tortoise import fields
from tortoise.expressions import F, Q
from tortoise.indexes import Index
from tortoise.models import Model

from models.database.statements import fetch, fetch_model, fetch_models, insert, placeholders
from models.outbox_statements import ASSIGN_MAILBOX, CLAIM, FIND_DUE, FINISH, RECENT, RENEW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

LEASE = timedelta(seconds=60)


class MessageKind(StrEnum):
    """The subject of a message. The relay decides, when it sends, whether that still applies."""

    SUMMARY = "SUMMARY"
    ACTIVATION = "ACTIVATION"
    RESEND = "RESEND"


class MessageState(StrEnum):
    """The state of a message; all but QUEUED are final.

    DISCARDED: its mail was composed and thrown away, because the address gets none. SUPERSEDED: another message says
    the same, or its subject is over. ABANDONED: the mail server refuses it for good.
    """

    QUEUED = "QUEUED"
    SENT = "SENT"
    DISCARDED = "DISCARDED"
    SUPERSEDED = "SUPERSEDED"
    ABANDONED = "ABANDONED"


def mailbox_of(canonical: str) -> str:
    """Return the mailbox of the address *canonical*: the address without its subaddress (RFC 5233), `name+…@`."""
    local_part, at, domain = canonical.rpartition("@")
    return f"{local_part.partition('+')[0] or local_part}{at}{domain}"


class OutboxMessage(Model):
    """One message to one address. Limits count by mailbox; only messages to the same address are merged.

    *mailbox* is None only while a release that does not know it runs beside this one; `claim` and
    `assign_mailboxes` assign it.
    """

    id = fields.UUIDField(primary_key=True, default=uuid.uuid4)
    kind = fields.CharEnumField(MessageKind, max_length=20)
    recipient = fields.CharField(max_length=254)
    mailbox = fields.CharField(max_length=254, null=True)
    registration_id = fields.UUIDField(null=True)
    language = fields.CharField(max_length=2)
    state = fields.CharEnumField(MessageState, max_length=20, default=MessageState.QUEUED)
    attempts = fields.IntField(default=0)
    available_at = fields.DatetimeField()
    lease_owner = fields.CharField(max_length=32, null=True)
    deferred = fields.BooleanField(default=False)
    created_at = fields.DatetimeField()
    finished_at = fields.DatetimeField(null=True)

    class Meta:
        table = "outbox_message"
        indexes = (
            Index(fields=("state", "available_at")),
            Index(fields=("recipient", "state")),
            Index(fields=("mailbox", "state")),
        )

    def __repr__(self) -> str:
        return f"<OutboxMessage {self.id} {self.kind}>"

    @classmethod
    async def enqueue(
        cls,
        kind: MessageKind,
        recipient: str,
        *,
        language: str,
        now: datetime,
        registration_id: uuid.UUID | None = None,
    ) -> None:
        """Promise a message to *recipient*, a canonical address. Call this in the transaction of the promise."""
        await cls.enqueue_all([kind], recipient, language=language, now=now, registration_id=registration_id)

    @classmethod
    async def enqueue_all(
        cls,
        kinds: Iterable[MessageKind],
        recipient: str,
        *,
        language: str,
        now: datetime,
        registration_id: uuid.UUID | None = None,
    ) -> None:
        """Promise a message of each of *kinds*, as `enqueue` promises one, in one statement."""
        messages = (
            cls(
                kind=kind,
                recipient=recipient,
                mailbox=mailbox_of(recipient),
                language=language,
                registration_id=registration_id,
                available_at=now,
                created_at=now,
            )
            for kind in kinds
        )
        await insert(*messages)

    @classmethod
    async def assign_mailboxes(cls) -> None:
        """Assign a mailbox to messages of a release without mailboxes: those that it has sent count, too."""
        for message in await cls.filter(mailbox=None).only("id", "recipient"):
            await fetch(ASSIGN_MAILBOX, message.id, mailbox_of(message.recipient))

    @classmethod
    async def claim(cls, owner: str, *, now: datetime) -> OutboxMessage | None:
        """Lease the message that has waited longest to *owner*, and return it; None if nothing is due.

        Skip mailboxes that a relay is sending to: a slow mailbox occupies one sender at most. One conditional UPDATE
        decides between racing relays.
        """
        for candidate in await fetch(FIND_DUE, now):
            if candidate["mailbox"] is None:
                await fetch(ASSIGN_MAILBOX, candidate["id"], mailbox_of(candidate["recipient"]))
            if claimed := await fetch_model(cls, CLAIM, now, owner, now + LEASE, candidate["id"]):
                return claimed
        return None

    async def claim_companions(self, owner: str, *, now: datetime, limit: int) -> list[OutboxMessage]:
        """Lease and return deferred messages of this kind to this address, at most *limit*."""
        deferred = _is_unleased(now) & Q(deferred=True, kind=self.kind, recipient=self.recipient)
        candidates = await OutboxMessage.filter(deferred).order_by("created_at").limit(limit)
        return [message for message in candidates if await message._lease(deferred, owner, now=now)]

    async def supersede_others(self, *, now: datetime) -> int:
        """Supersede all other unleased messages of this kind to this address. Return the count.

        One statement does it: else each of thousands of requests for a link would bring a mail, hour after hour.
        """
        others = OutboxMessage.filter(_is_unleased(now), kind=self.kind, recipient=self.recipient)
        return await others.exclude(id=self.id).update(state=MessageState.SUPERSEDED, finished_at=now, lease_owner=None)

    async def separate(self, owner: str, *, now: datetime) -> None:
        """Make this message, and those that *owner* has claimed with it, leave in separate mails."""
        together = OutboxMessage.filter(recipient=self.recipient, state=MessageState.QUEUED, lease_owner=owner)
        await together.exclude(id=self.id).update(available_at=now, lease_owner=None, deferred=False)
        await together.filter(id=self.id).update(deferred=False)

    async def _lease(self, condition: Q, owner: str, *, now: datetime) -> bool:
        """Lease this message if *condition* still holds. As in `claim`, one conditional UPDATE decides."""
        leased = await OutboxMessage.filter(condition, id=self.id).update(
            lease_owner=owner, available_at=now + LEASE, attempts=F("attempts") + 1
        )
        if leased:
            self.lease_owner, self.available_at, self.attempts = owner, now + LEASE, self.attempts + 1
        return leased == 1

    async def defer_others(self, until: datetime, *, now: datetime) -> int:
        """Defer all other messages due for this mailbox, in one statement. Return the count.

        Otherwise each of thousands would have to be claimed to find that the mailbox is full.
        """
        others = OutboxMessage.filter(mailbox=self.mailbox, state=MessageState.QUEUED, available_at__lte=now)
        return await others.exclude(id=self.id).update(available_at=until, lease_owner=None, deferred=True, attempts=0)

    async def mailbox_full_until(self, limit: int, window: timedelta, *, now: datetime) -> datetime | None:
        """Return the time until which this mailbox has its *limit* of mails in *window*; None if it has room.

        Mails that other relays are sending count as sent, so that racing relays stay under the limit together. Resent
        links get half of it: anybody can ask for them, and must not hold up a sign-up.
        """
        others = await fetch_models(OutboxMessage, RECENT, self.mailbox, self.id, now - window, limit, now)
        recent = [message for message in others if message.state is not MessageState.QUEUED]
        in_hand = len(others) - len(recent)
        recent.sort(key=lambda message: message.finished_at or now, reverse=True)
        if self.kind is MessageKind.RESEND:
            resent = [message for message in recent if message.kind is MessageKind.RESEND]
            if len(resent) >= (share := max(1, limit // 2)):
                return _end_of_window(resent[share - 1], window, now)
        if len(recent) >= limit:
            return _end_of_window(recent[-1], window, now)
        return now + LEASE if len(recent) + in_hand >= limit else None

    @classmethod
    async def renew(cls, messages: Iterable[OutboxMessage], owner: str, *, now: datetime) -> None:
        """Renew the lease of those *messages* that *owner* still has."""
        ids = [message.id for message in messages]
        await fetch(RENEW.format(ids=placeholders(3, len(ids))), owner, now + LEASE, *ids)

    @classmethod
    async def return_unsent(cls, messages: Iterable[OutboxMessage], owner: str, *, now: datetime) -> None:
        """Return *messages* to the queue, as if *owner* had never claimed them."""
        ids = [message.id for message in messages]
        leased = cls.filter(id__in=ids, state=MessageState.QUEUED, lease_owner=owner)
        await leased.update(available_at=now, lease_owner=None, attempts=F("attempts") - 1)

    @classmethod
    async def finish(cls, messages: Sequence[OutboxMessage], state: MessageState, owner: str, *, now: datetime) -> bool:
        """Put the first of *messages* into *state*, and those merged with it into SUPERSEDED, in one statement.

        Return False if *owner* has lost the lease of the first.
        """
        ids = [message.id for message in messages]
        finished = await fetch(FINISH.format(ids=placeholders(4, len(ids))), owner, state, now, *ids)
        return str(ids[0]) in {str(row["id"]) for row in finished}

    @classmethod
    async def postpone(
        cls, messages: Iterable[OutboxMessage], until: datetime, owner: str, *, deferred: bool = False
    ) -> bool:
        """Return *messages* to the queue until then. *deferred* ones may be merged when they are claimed again.

        Return False if *owner* has lost the lease of one.
        """
        changes = {"deferred": True, "attempts": 0} if deferred else {}
        ids = [message.id for message in messages]
        leased = cls.filter(id__in=ids, state=MessageState.QUEUED, lease_owner=owner)
        return len(ids) == await leased.update(lease_owner=None, available_at=until, **changes)


def _is_unleased(now: datetime) -> Q:
    """Return the condition that a message is queued and has no lease, or one that has run out."""
    return Q(state=MessageState.QUEUED) & (Q(lease_owner=None) | Q(available_at__lte=now))


def _end_of_window(message: OutboxMessage, window: timedelta, now: datetime) -> datetime:
    """Return the time from which the finished *message* counts no more."""
    return now + LEASE if message.finished_at is None else message.finished_at + window
