"""The relay: it empties the outbox, and survives failures of mail servers, databases and other relays."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from tortoise.transactions import in_transaction

from api.logs import trace_of
from api.mail.leases import renewing
from api.mail.sending import CalledOffError, InDoubtError, Sendings
from api.mail.transports import ContentRefusedError, MailboxRefusedError, MailTransport, TransportError
from models.outbox import MessageKind, MessageState, OutboxMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from email.message import EmailMessage

    from limits import RateLimitItem

    from api.mail.letters import Letter, LetterWriter

logger = logging.getLogger(__name__)

CONCURRENT_SENDINGS = 4
RECORDING_SECONDS = 2
"""The part of the time to stop that is left for recording the outcomes of the last mails."""
ABANDON_AFTER = timedelta(days=7)  # As long as a registration waits for its activation.
POLL_SECONDS = (0.4, 0.6)  # Random, so that nobody can tell from the delay what put a message into the outbox.
RETRY_PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 60, 180, 600, 1800, 3600))
RECORDING_PAUSES = (0, 0.5, 2, 5)
SPREAD_SECONDS = 10

Worker: TypeAlias = "asyncio.Task[Counter[str]]"


class Relay:
    """Sends the messages that are due. Several relays may run at once, in one process or many."""

    def __init__(
        self,
        *,
        transport: MailTransport,
        letters: LetterWriter,
        mailbox_limit: RateLimitItem | None,
        clock: Callable[[], datetime],
        seconds_to_stop: float,
        concurrent_sendings: int = CONCURRENT_SENDINGS,
    ) -> None:
        self._sendings = Sendings(transport)
        self._letters = letters
        self._mailbox_limit = mailbox_limit
        self._clock = clock
        self._seconds_to_stop = seconds_to_stop
        self._concurrent_sendings = concurrent_sendings
        self._owner = secrets.token_hex(16)
        self._claiming = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._is_failing = False

    def stop(self) -> None:
        """Claim no more messages, and finish those in hand: then `run` and `deliver_due` return.

        Messages whose mail has not been handed over return to the queue at once. The relay waits for the mail server's
        answer until the deadline; without one, the lease continues, because the server may have accepted the mail.
        """
        self._stopping.set()
        self._sendings.end(self._seconds_to_stop - RECORDING_SECONDS)

    async def run(self) -> None:
        """Deliver until stopped. Wait for a database that is down. No message waits for another to be sent."""
        workers: set[Worker] = set()
        try:
            while not self._stopping.is_set():
                workers = self._add_worker(workers)
                with suppress(TimeoutError):
                    async with asyncio.timeout(random.uniform(*POLL_SECONDS)):  # noqa: S311  # No secret.
                        await self._stopping.wait()
            if workers:
                await asyncio.wait(workers, timeout=self._seconds_to_stop - RECORDING_SECONDS / 2)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    def _add_worker(self, workers: set[Worker]) -> set[Worker]:
        """Return the *workers* that still run, and another if there is room. Each ends when nothing is due."""
        ended = {worker for worker in workers if worker.done()}
        self._log_failures(ended)
        running = workers - ended
        if len(running) < self._concurrent_sendings:
            running.add(asyncio.create_task(self._deliver_while_due()))
        return running

    def _log_failures(self, ended: set[Worker]) -> None:
        """Log when the outbox becomes unreadable, and when it is readable again, but no failure in between."""
        failures = [failure for worker in ended if (failure := worker.exception())]
        if failures and not self._is_failing:
            logger.error("The outbox can't be read; it is tried again and again\n%s", trace_of(failures[0]))
        elif ended and not failures and self._is_failing:
            logger.info("The outbox can be read again")
        if ended:
            self._is_failing = bool(failures)

    async def deliver_due(self) -> Counter[str]:
        """Deliver all messages that are due, a few at once, until stopped. Return the count of each outcome."""
        results = await asyncio.gather(
            *(self._deliver_while_due() for _ in range(self._concurrent_sendings)), return_exceptions=True
        )
        for result in results:  # Only now, so that a failure interrupts no other sending.
            if isinstance(result, BaseException):
                raise result
        return sum((result for result in results if isinstance(result, Counter)), Counter[str]())

    async def _deliver_while_due(self) -> Counter[str]:
        outcomes: Counter[str] = Counter()
        has_begun = False
        while not self._stopping.is_set():
            async with self._claiming:  # Two claims at once could take two messages to one mailbox.
                message = await OutboxMessage.claim(self._owner, now=self._clock())
            if message is None:
                break
            if not has_begun:  # Not at each wake for nothing.
                has_begun = True
                await OutboxMessage.assign_mailboxes()
            outcomes += await self._deliver(message)
        return outcomes

    async def _defer(self, message: OutboxMessage, until: datetime) -> int:
        """Defer *message*, and everything else due for that mailbox until slightly later. Return the count.

        The random delay separates messages that kept each other waiting: together, they would do so again.
        """
        spread = timedelta(seconds=random.uniform(0, SPREAD_SECONDS))  # noqa: S311  # No secret.
        await OutboxMessage.postpone([message], until + spread, self._owner, deferred=True)
        return 1 + await message.defer_others(until + timedelta(seconds=SPREAD_SECONDS), now=self._clock())

    async def _deliver(self, message: OutboxMessage) -> Counter[str]:
        """Deliver or defer one claimed message. Return the count of each outcome. A failure concerns this one alone."""
        try:
            full_until = await self._mailbox_full_until(message)
            if full_until is not None:
                return Counter(deferred=await self._defer(message, full_until))
            return Counter([await self._deliver_or_raise(message)])
        except Exception as exc:
            logger.error("Message %s can't be delivered\n%s", message.id, trace_of(exc))
            await message.separate(self._owner, now=self._clock())
            return Counter([await self._retry_later([message], type(exc).__name__)])

    async def _deliver_or_raise(self, message: OutboxMessage) -> str:
        letter = await self._letters.write(message, self._owner)
        if letter.mail is None:
            await self._finish(letter.messages, MessageState.SUPERSEDED)
            return "superseded"
        try:
            return await self._send(letter, letter.mail)
        except CalledOffError:
            await OutboxMessage.return_unsent(letter.messages, self._owner, now=self._clock())
            return "given back"
        except InDoubtError:
            logger.warning("Message %s has left, and nobody says whether it is taken: a copy may follow", message.id)
            await OutboxMessage.renew(letter.messages, self._owner, now=self._clock())
            return "in doubt"

    async def _send(self, letter: Letter, mail: EmailMessage) -> str:
        """Send or discard *mail*. Record and return the outcome."""
        message = letter.messages[0]
        try:
            async with renewing(letter.messages, self._owner, clock=self._clock):
                await self._sendings.send(mail, discard=letter.discard)
        except MailboxRefusedError as exc:
            logger.warning("Message %s is set aside: the mail server refuses its mailbox (%s)", message.id, exc)
            await self._finish(letter.messages, MessageState.ABANDONED)
            return "abandoned"
        except TransportError as exc:
            if isinstance(exc, ContentRefusedError) and len(letter.registrations) > 1:
                return await self._split(letter, str(exc))
            return await self._retry_later(letter.messages, str(exc))
        outcome = MessageState.DISCARDED if letter.discard else MessageState.SENT
        logger.info("Message %s is %s (%s)", message.id, outcome.lower(), message.kind)
        await self._record(letter.messages, outcome)
        return outcome.lower()

    async def _split(self, letter: Letter, reason: str) -> str:
        """Have each registration of *letter* leave in its own mail: the server may refuse the words of only one."""
        message, now = letter.messages[0], self._clock()
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

    async def _record(self, messages: Sequence[OutboxMessage], outcome: MessageState) -> None:
        """Finish *messages* whose mail has left. If the database stays down, a second copy will follow."""
        for pause in RECORDING_PAUSES:
            await asyncio.sleep(pause)
            try:
                await self._finish(messages, outcome)
            except Exception as exc:
                logger.error("Message %s is sent, but that can't be recorded\n%s", messages[0].id, trace_of(exc))
            else:
                return

    async def _finish(self, messages: Sequence[OutboxMessage], state: MessageState) -> None:
        """Put the leading message into *state* and the merged ones into SUPERSEDED: all or none."""
        if not await OutboxMessage.finish(messages, state, self._owner, now=self._clock()):
            logger.warning("Message %s took longer than its lease: a second copy may leave", messages[0].id)

    async def _retry_later(self, messages: Sequence[OutboxMessage], reason: str) -> str:
        """Postpone the leading message, and the merged ones slightly longer, so that it can claim them again.

        Abandon a message after a week: its recipient has asked again by then, or never will.
        """
        message, *merged = messages
        if self._clock() - message.created_at >= ABANDON_AFTER:
            logger.warning("Message %s is set aside: it could not be sent for a week (%s)", message.id, reason)
            await self._finish([message], MessageState.ABANDONED)
            await OutboxMessage.postpone(merged, self._clock(), self._owner)
            return "abandoned"
        pause = RETRY_PAUSES[min(message.attempts, len(RETRY_PAUSES)) - 1] * random.uniform(1, 1.2)  # noqa: S311  # No secret.
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
