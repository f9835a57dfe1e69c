"""The relay: empties the outbox, whatever becomes of mail servers, databases and other relays meanwhile."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections import Counter
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from tortoise.transactions import in_transaction

from api.logs import trace_of
from api.mail.sending import CalledOffError, InDoubtError, Sendings
from api.mail.transports import ContentRefusedError, MailboxRefusedError, MailTransport, TransportError
from models.outbox import LEASE, MessageKind, MessageState, OutboxMessage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime
    from email.message import EmailMessage

    from limits import RateLimitItem

    from api.mail.letters import Letter, LetterWriter

logger = logging.getLogger(__name__)

CONCURRENT_SENDINGS = 4
RENEWAL_SECONDS = LEASE.total_seconds() / 3
RECORDING_SECONDS = 2
"""What a stop leaves of its time to note down what has become of the last mails."""
GIVE_UP_AFTER = timedelta(days=7)  # As long as a registration waits for its activation.
POLL_SECONDS = (0.4, 0.6)  # At no fixed time after whatever has put a message into the outbox.
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 60, 180, 600, 1800, 3600))
RECORDING_PAUSES = (0, 0.5, 2, 5)
SPREAD_SECONDS = 10


Turn: TypeAlias = "asyncio.Task[Counter[str]]"


class Relay:
    """Sends what is due; several may run at once, in one process or many."""

    def __init__(
        self,
        *,
        transport: MailTransport,
        letters: LetterWriter,
        mailbox_limit: RateLimitItem | None,
        clock: Callable[[], datetime],
        seconds_to_stop: float,
    ) -> None:
        self._sendings = Sendings(transport)
        self._letters = letters
        self._mailbox_limit = mailbox_limit
        self._clock = clock
        self._seconds_to_stop = seconds_to_stop
        self._owner = secrets.token_hex(16)
        self._claiming = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._is_failing = False

    def stop(self) -> None:
        """Claim nothing more, and end what is in hand: `run` then returns, and `deliver_due` as well.

        What nobody has been given yet is given back at once. An answer of the mail server is waited for until the
        deadline; where there is none, the lease goes on, as the mail may have been taken.
        """
        self._stopping.set()
        self._sendings.end(self._seconds_to_stop - RECORDING_SECONDS)

    async def run(self) -> None:
        """Deliver until stopped. A database that is away is waited for; no message waits for another to be sent."""
        turns: set[Turn] = set()
        try:
            while not self._stopping.is_set():
                turns = self._with_one_more(turns)
                with suppress(TimeoutError):
                    async with asyncio.timeout(random.uniform(*POLL_SECONDS)):  # noqa: S311  # No secret.
                        await self._stopping.wait()
            if turns:
                await asyncio.wait(turns, timeout=self._seconds_to_stop - RECORDING_SECONDS / 2)
        finally:
            for turn in turns:
                turn.cancel()
            await asyncio.gather(*turns, return_exceptions=True)

    def _with_one_more(self, turns: set[Turn]) -> set[Turn]:
        """Those of *turns* that go on, and another where there is room: each ends where nothing is due."""
        ended = {turn for turn in turns if turn.done()}
        self._note_failures(ended)
        going_on = turns - ended
        if len(going_on) < CONCURRENT_SENDINGS:
            going_on.add(asyncio.create_task(self._deliver_in_turn()))
        return going_on

    def _note_failures(self, ended: set[Turn]) -> None:
        """Say when the outbox can't be read, and when it can again; not each time that it is tried."""
        failures = [failure for turn in ended if (failure := turn.exception())]
        if failures and not self._is_failing:
            logger.error("The outbox can't be read; it is tried again and again\n%s", trace_of(failures[0]))
        elif ended and not failures and self._is_failing:
            logger.info("The outbox can be read again")
        if ended:
            self._is_failing = bool(failures)

    async def deliver_due(self) -> Counter[str]:
        """Deliver all that is due, a few at once, until stopped; how many were sent, postponed, and so on."""
        turns = await asyncio.gather(
            *(self._deliver_in_turn() for _ in range(CONCURRENT_SENDINGS)), return_exceptions=True
        )
        for turn in turns:  # A failure breaks off no sending of another.
            if isinstance(turn, BaseException):
                raise turn
        return sum((turn for turn in turns if isinstance(turn, Counter)), Counter[str]())

    async def _deliver_in_turn(self) -> Counter[str]:
        outcomes: Counter[str] = Counter()
        await OutboxMessage.assign_mailboxes()
        while not self._stopping.is_set():
            async with self._claiming:  # Two at the same moment would take two messages to one mailbox.
                message = await OutboxMessage.claim(self._owner, now=self._clock())
            if message is None:
                break
            outcomes += await self._deliver(message)
        return outcomes

    async def _defer(self, message: OutboxMessage, until: datetime) -> int:
        """Put off *message*, which comes back a little before all else that is due at its mailbox; how many they are.

        Those that kept each other from a full mailbox must not come back together.
        """
        spread = timedelta(seconds=random.uniform(0, SPREAD_SECONDS))  # noqa: S311  # No secret.
        await OutboxMessage.postpone([message], until + spread, self._owner, deferred=True)
        return 1 + await message.defer_others(until + timedelta(seconds=SPREAD_SECONDS), now=self._clock())

    async def _deliver(self, message: OutboxMessage) -> Counter[str]:
        """Deliver one claimed message, or put it off; what became of it. A failure is this message's alone."""
        try:
            full_until = await self._mailbox_full_until(message)
            if full_until is not None:
                return Counter(deferred=await self._defer(message, full_until))
            return Counter([await self._deliver_or_raise(message)])
        except Exception as exc:
            logger.error("Message %s can't be delivered\n%s", message.id, trace_of(exc))
            await message.separate(self._owner, now=self._clock())
            return Counter([await self._try_again([message], type(exc).__name__)])

    async def _deliver_or_raise(self, message: OutboxMessage) -> str:
        letter = await self._letters.write(message, self._owner)
        if letter.mail is None:
            await self._finish(letter.told, MessageState.SUPERSEDED)
            return "superseded"
        try:
            return await self._send(letter, letter.mail)
        except CalledOffError:
            await OutboxMessage.return_unsent(letter.told, self._owner, now=self._clock())
            return "given back"
        except InDoubtError:
            logger.warning("Message %s has left, and nobody says whether it is taken: a copy may follow", message.id)
            await OutboxMessage.renew(letter.told, self._owner, now=self._clock())
            return "in doubt"

    async def _send(self, letter: Letter, mail: EmailMessage) -> str:
        """Send *mail*, or throw it away, and note down what has become of it."""
        message = letter.told[0]
        try:
            async with self._renewing(letter.told):
                await self._sendings.send(mail, leaves=letter.leaves)
        except MailboxRefusedError as exc:
            logger.warning("Message %s is set aside: the mail server refuses its mailbox (%s)", message.id, exc)
            await self._finish(letter.told, MessageState.ABANDONED)
            return "abandoned"
        except TransportError as exc:
            if isinstance(exc, ContentRefusedError) and len(letter.registrations) > 1:
                return await self._split(letter, str(exc))
            return await self._try_again(letter.told, str(exc))
        outcome = MessageState.SENT if letter.leaves else MessageState.DISCARDED
        logger.info("Message %s is %s (%s)", message.id, outcome.lower(), message.kind)
        await self._record(letter.told, outcome)
        return outcome.lower()

    @asynccontextmanager
    async def _renewing(self, told: Sequence[OutboxMessage]) -> AsyncIterator[None]:
        """Keep the lease of *told*, however long the mail server takes: nobody else may send what is being sent."""
        over = asyncio.Event()
        renewing = asyncio.create_task(self._renew_until(over, told))
        try:
            yield
        finally:
            over.set()
            await renewing

    async def _renew_until(self, over: asyncio.Event, told: Sequence[OutboxMessage]) -> None:
        while not over.is_set():
            try:
                async with asyncio.timeout(RENEWAL_SECONDS):
                    await over.wait()
            except TimeoutError:
                with suppress(Exception):  # What the lease is for: a second copy may leave, and `_finish` says so.
                    await OutboxMessage.renew(told, self._owner, now=self._clock())

    async def _split(self, letter: Letter, reason: str) -> str:
        """Have each attempt of *letter* leave in a mail of its own: the words of one may be what is refused of all."""
        message, now = letter.told[0], self._clock()
        logger.warning("Message %s is refused (%s): each of its attempts leaves by itself", message.id, reason)
        if message.kind is not MessageKind.RESEND:
            await message.separate(self._owner, now=now)
            await OutboxMessage.postpone([message], now, self._owner)
            return "split"
        async with in_transaction():
            for registration in letter.registrations:
                await OutboxMessage.enqueue(
                    MessageKind.ACTIVATION,
                    message.recipient,
                    language=registration.language,
                    registration_id=registration.id,
                    now=now,
                )
            await OutboxMessage.finish([message], MessageState.SUPERSEDED, self._owner, now=now)
        return "split"

    async def _record(self, told: Sequence[OutboxMessage], outcome: MessageState) -> None:
        """Close what has left. It has, even where the database is away: then, a second copy will follow."""
        for pause in RECORDING_PAUSES:
            await asyncio.sleep(pause)
            try:
                await self._finish(told, outcome)
            except Exception as exc:
                logger.error("Message %s is sent, but that can't be recorded\n%s", told[0].id, trace_of(exc))
            else:
                return

    async def _finish(self, told: Sequence[OutboxMessage], state: MessageState) -> None:
        """Close the message that led, and those that were merged into it: all or none."""
        now = self._clock()
        async with in_transaction():
            in_time = await OutboxMessage.finish(told[:1], state, self._owner, now=now)
            await OutboxMessage.finish(told[1:], MessageState.SUPERSEDED, self._owner, now=now)
        if not in_time:
            logger.warning("Message %s took longer than its lease: a second copy may leave", told[0].id)

    async def _try_again(self, told: Sequence[OutboxMessage], reason: str) -> str:
        """Put off the message that led, and a little longer those that it takes with it when it comes back.

        One that nobody has taken for a week is given up: who waited for it has asked anew, or never will.
        """
        message, *merged = told
        if self._clock() - message.created_at >= GIVE_UP_AFTER:
            logger.warning("Message %s is set aside: it could not be sent for a week (%s)", message.id, reason)
            await self._finish([message], MessageState.ABANDONED)
            await OutboxMessage.postpone(merged, self._clock(), self._owner)
            return "abandoned"
        pause = PAUSES[min(message.attempts, len(PAUSES)) - 1] * random.uniform(1, 1.2)  # noqa: S311  # No secret.
        logger.error(
            "Message %s is not sent (%s); attempt %d, the next follows in %d s",
            message.id, reason, message.attempts, pause.total_seconds(),
        )  # fmt: skip
        again_at = self._clock() + pause
        await OutboxMessage.postpone([message], again_at, self._owner)
        await OutboxMessage.postpone(merged, again_at + timedelta(seconds=SPREAD_SECONDS), self._owner)
        return "failed"

    async def _mailbox_full_until(self, message: OutboxMessage) -> datetime | None:
        if self._mailbox_limit is None:
            return None
        window = timedelta(seconds=self._mailbox_limit.get_expiry())
        return await message.mailbox_full_until(self._mailbox_limit.amount, window, now=self._clock())
