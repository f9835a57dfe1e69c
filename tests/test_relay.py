"""The relay: the mails of an address, in any order of events, after any failure."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tortoise.exceptions import OperationalError

from api.delivery import build_relay
from api.mail import leases
from api.mail import relay as relay_module
from api.mail.composer import Composer
from api.mail.letters import MAX_ENTRIES_PER_MAIL
from api.mail.relay import CONCURRENT_SENDINGS, RECORDING_SECONDS, RETRY_PAUSES, Relay
from api.mail.transports import ContentRefusedError, HandOver, MailboxRefusedError, TransportError, at_any_time
from models.outbox import LEASE, MessageKind, MessageState, OutboxMessage
from models.registration import ACTIVATION_PERIOD, MailOutcome, Registration
from tests.support.client import Portal, text_of, token_in
from tests.support.doubles import Letterbox
from tests.support.outbox import EMAIL, a_registration, an_account, drain, enqueue, promise_mail

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from email.message import EmailMessage

    from api.settings.environment import Settings
    from tests.support.doubles import Clock

pytestmark = pytest.mark.anyio

SUMMARY_FR, SUMMARY_EN = "Récapitulatif de votre inscription", "Summary of your registration"
ACTIVATION_FR, ACTIVATION_EN = "Activez votre compte", "Activate your account"
EXISTS_FR, EXISTS_EN = "Vous avez déjà un compte", "You already have an account"
AWAY = TransportError("the mail server is away")
REFUSED = MailboxRefusedError("550")
DISLIKED = ContentRefusedError("554")
GUARD_SECONDS = 60


class Moody(Letterbox):
    """A transport that raises the result of *mood* for a message, if any. *seen* has every attempt."""

    def __init__(self, mood: Callable[[EmailMessage], Exception | None] = lambda _: None) -> None:
        super().__init__()
        self.mood = mood
        self.seen: list[EmailMessage] = []

    async def send(self, message: EmailMessage, hand_over: HandOver = at_any_time) -> None:
        self.seen.append(message)
        await asyncio.sleep(0)  # Let other tasks run, as a socket would.
        hand_over()
        if (failure := self.mood(message)) is not None:
            raise failure
        await super().send(message)


class Dying(Letterbox):
    """A transport that hands a message on and never returns."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = asyncio.Event()

    async def send(self, message: EmailMessage, hand_over: HandOver = at_any_time) -> None:
        await super().send(message, hand_over)
        self.sent.set()
        await asyncio.Event().wait()


class Slow(Letterbox):
    """A transport that is slow after it has received a message."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()

    async def send(self, message: EmailMessage, hand_over: HandOver = at_any_time) -> None:
        hand_over()
        self.begun.set()
        await self.may_end.wait()
        await super().send(message)


def subjects(mails: list[EmailMessage]) -> list[str]:
    return sorted(mail["Subject"] for mail in mails)


def to(address: str) -> Callable[[EmailMessage], bool]:
    return lambda mail: bool(mail["To"] == address)


def tokens_in(mail: EmailMessage) -> list[str]:
    return re.findall(r"#token=(\S+)$", text_of(mail), re.MULTILINE)


async def fates() -> Counter[str]:
    """Return the count of messages of each kind and state."""
    return Counter(f"{message.kind} {message.state}" for message in await OutboxMessage.all())


def capped(
    settings: Settings,
    clock: Clock,
    letterbox: Letterbox,
    limit: str = "3/hour",
    *,
    concurrent_sendings: int = CONCURRENT_SENDINGS,
) -> Relay:
    """Return a relay with limits on."""
    limited = settings.replace(rate_limits=f"mailbox={limit}")
    return build_relay(limited, clock=clock, transport=letterbox, concurrent_sendings=concurrent_sendings)


# ── The mails of an address ──


@pytest.mark.parametrize(
    ("language", "accept", "expected"),
    [
        ("FR", "en", [ACTIVATION_FR, SUMMARY_FR]),
        ("EN", "fr", [ACTIVATION_EN, SUMMARY_EN]),
        (None, "en", [ACTIVATION_EN, SUMMARY_EN]),
        (None, None, [ACTIVATION_FR, SUMMARY_FR]),
    ],
)
async def test_two_mails_in_the_language_of_the_registration(
    portal: Portal, language: str | None, accept: str | None, expected: list[str]
) -> None:
    """A new address gets the summary and the link, in the chosen language, or else the browser's."""
    registration = await portal.create_account(language=language, accept=accept)
    await portal.verify_captcha(registration["id"], portal.captcha.answer)
    mails = await portal.deliver()
    assert subjects(mails) == expected
    assert {str(mail["To"]) for mail in mails} == {EMAIL}
    assert await portal.deliver() == []
    assert await fates() == {"SUMMARY SENT": 1, "ACTIVATION SENT": 1}


@pytest.mark.parametrize(("language", "expected"), [("FR", EXISTS_FR), ("EN", EXISTS_EN)])
async def test_the_owner_of_an_account_gets_one_mail(portal: Portal, language: str, expected: str) -> None:
    """The owner of an account gets one mail instead of two, in the account's language."""
    await portal.account(language=language)
    await portal.sign_up(email=EMAIL.upper(), firstName="Mallory", language="EN" if language == "FR" else "FR")
    (mail,) = await portal.deliver()
    assert (mail["Subject"], mail["To"]) == (expected, EMAIL)
    assert tokens_in(mail) == []
    assert "Mallory" not in text_of(mail)
    assert (await fates())["ACTIVATION DISCARDED"] == 1


async def test_messages_of_an_expired_registration_are_superseded(portal: Portal, clock: Clock) -> None:
    """Messages about an expired registration are superseded."""
    await portal.sign_up()
    await portal.resend_activation_mail(EMAIL)
    clock.advance(days=7)
    assert await portal.deliver() == []
    assert await fates() == {"SUMMARY SUPERSEDED": 1, "ACTIVATION SUPERSEDED": 1, "RESEND DISCARDED": 1}


# ── Decided once for both mails ──


async def test_no_link_leaves_once_there_is_an_account(portal: Portal, settings: Settings, clock: Clock) -> None:
    """If another attempt is activated between summary and link, the link does not leave, nor anything instead."""
    other = await portal.activation_token()
    transport = Moody(lambda mail: AWAY if mail["Subject"] == ACTIVATION_FR else None)
    relay = build_relay(settings, clock=clock, transport=transport)
    await portal.sign_up()
    await relay.deliver_due()
    assert subjects(transport.messages) == [SUMMARY_FR]
    await portal.activate_account(other)
    transport.mood = lambda _: None
    await drain(relay, clock)
    assert subjects(transport.messages) == [SUMMARY_FR]
    assert (await fates())["ACTIVATION DISCARDED"] == 1


async def test_an_account_between_the_mails_causes_no_third_mail(
    portal: Portal, settings: Settings, clock: Clock
) -> None:
    """A person who uses the link before the summary leaves gets the summary, and no word of an account."""
    transport = Moody(lambda mail: AWAY if mail["Subject"] == SUMMARY_FR else None)
    relay = build_relay(settings, clock=clock, transport=transport)
    await portal.sign_up()
    await relay.deliver_due()
    (link,) = transport.messages
    await portal.activate_account(token_in(link))
    transport.mood = lambda _: None
    await drain(relay, clock)
    assert [mail["Subject"] for mail in transport.messages] == [ACTIVATION_FR, SUMMARY_FR]


async def test_link_and_summary_share_one_decision(portal: Portal, settings: Settings, clock: Clock) -> None:
    """If an account was there first, one mail says so, in any order and after failures of its two messages."""
    await portal.account()
    transport = Moody(lambda _: AWAY)
    relay = build_relay(settings, clock=clock, transport=transport)
    await portal.sign_up()
    for _ in range(3):
        await relay.deliver_due()
        clock.advance(minutes=5)
    transport.mood = lambda _: None
    await drain(relay, clock)
    assert subjects(transport.messages) == [EXISTS_FR]


# ── Failures ──


@pytest.mark.usefixtures("stored")
async def test_retries_are_ever_rarer_under_the_same_message_id(settings: Settings, clock: Clock) -> None:
    """A server that is down is tried again, ever less often, under the same Message-ID."""
    transport = Moody(lambda _: AWAY)
    relay = build_relay(settings, clock=clock, transport=transport)
    await promise_mail(EMAIL, now=clock())
    for attempt, pause in enumerate([*RETRY_PAUSES, RETRY_PAUSES[-1], RETRY_PAUSES[-1]], start=1):
        assert await relay.deliver_due() == {"failed": 1}
        message = await OutboxMessage.get()
        assert (message.attempts, message.state, message.lease_owner) == (attempt, MessageState.QUEUED, None)
        assert pause <= message.available_at - clock() <= pause * 1.2
        clock.now = message.available_at - timedelta(milliseconds=1)
        assert await relay.deliver_due() == {}
        clock.now = message.available_at
    transport.mood = lambda _: None
    assert await relay.deliver_due() == {"sent": 1}
    assert len(transport.seen) == len(RETRY_PAUSES) + 3
    assert {str(mail["Message-ID"]) for mail in transport.seen} == {f"<{message.id}@portal.example.org>"}
    assert list(RETRY_PAUSES) == sorted(RETRY_PAUSES)


async def test_every_copy_of_a_link_works(portal: Portal, settings: Settings, clock: Clock) -> None:
    """If a mail arrived although sending seemed to fail, its link works beside that of the second copy."""
    transport = Moody(lambda _: AWAY)
    relay = build_relay(settings, clock=clock, transport=transport)
    await portal.sign_up()
    await relay.deliver_due()
    transport.mood = lambda _: None
    await drain(relay, clock)
    copies = [mail for mail in transport.seen if mail["Subject"] == ACTIVATION_FR]
    assert len({str(mail["Message-ID"]) for mail in copies}) == 1
    assert len({token_in(mail) for mail in copies}) == 2
    for mail in copies:
        assert (await portal.inspect_activation_link(token_in(mail)))["state"] == "USABLE"


@pytest.mark.usefixtures("stored")
async def test_a_refused_message_is_abandoned_alone(
    settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A message that the server refuses for good is abandoned, with a warning; all others leave."""
    refused = to("gone@exemple.fr")
    transport = Moody(lambda mail: REFUSED if refused(mail) else None)
    relay = build_relay(settings, clock=clock, transport=transport)
    await promise_mail("a@exemple.fr", "gone@exemple.fr", "b@exemple.fr", now=clock())
    assert await relay.deliver_due() == {"sent": 2, "abandoned": 1}
    assert sorted(str(mail["To"]) for mail in transport.messages) == ["a@exemple.fr", "b@exemple.fr"]
    clock.advance(days=1)
    assert await relay.deliver_due() == {}
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert str((await OutboxMessage.get(state=MessageState.ABANDONED)).id) in warning.getMessage()
    assert "@" not in warning.getMessage()


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("failure", [AWAY, TimeoutError(), RuntimeError("A bug, in words of Camille")], ids=repr)
async def test_a_failing_message_does_not_stop_others(
    settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture, failure: Exception
) -> None:
    """A failing message waits for another try, and the others leave."""
    unlucky = to("unlucky@exemple.fr")
    transport = Moody(lambda mail: failure if unlucky(mail) else None)
    relay = build_relay(settings, clock=clock, transport=transport)
    await promise_mail("a@exemple.fr", "unlucky@exemple.fr", "b@exemple.fr", now=clock())
    assert await relay.deliver_due() == {"sent": 2, "failed": 1}
    assert "ERROR" in {record.levelname for record in caplog.records}
    transport.mood = lambda _: None
    await drain(relay, clock)
    assert await fates() == {"RESEND SENT": 3}


async def test_a_bug_in_one_mail_does_not_stop_others(
    portal: Portal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If one mail can't be composed, its message waits for the bug to be fixed, and the others leave."""
    real = Composer.summary

    def compose(self: Composer, registrations: list[Registration], **heading: Any) -> EmailMessage:
        if registrations[0].first_name == "Dominique":
            raise KeyError("boom")
        return real(self, registrations, **heading)

    await portal.sign_up(email="dominique@exemple.fr", firstName="Dominique")
    await portal.sign_up()
    with monkeypatch.context() as broken:
        broken.setattr(Composer, "summary", compose)
        assert subjects(await portal.deliver()) == [ACTIVATION_FR, ACTIVATION_FR, SUMMARY_FR]
    clock.advance(minutes=1)
    (late,) = await portal.deliver()
    assert (late["Subject"], late["To"]) == (SUMMARY_FR, "dominique@exemple.fr")


# ── Leases ──


@pytest.mark.usefixtures("stored")
async def test_a_claimed_message_has_one_owner_until_its_lease_runs_out(clock: Clock) -> None:
    """During a lease no other relay can claim the message. Afterwards one can, and the first can't change it."""
    await enqueue(MessageKind.RESEND, EMAIL, now=clock())
    message = await OutboxMessage.claim("one", now=clock())
    assert message is not None
    assert await OutboxMessage.claim("other", now=clock()) is None
    clock.now += LEASE - timedelta(milliseconds=1)
    assert await OutboxMessage.claim("other", now=clock()) is None
    clock.advance(milliseconds=1)
    again = await OutboxMessage.claim("other", now=clock())
    assert again is not None
    assert (again.id, again.attempts) == (message.id, 2)
    assert not await OutboxMessage.finish([message], MessageState.ABANDONED, "one", now=clock())
    assert not await OutboxMessage.postpone([message], clock(), "one")
    assert await OutboxMessage.finish([again], MessageState.SENT, "other", now=clock())
    assert not await OutboxMessage.postpone([again], clock(), "other")
    assert await OutboxMessage.claim("one", now=clock() + timedelta(days=1)) is None


@pytest.mark.usefixtures("stored")
async def test_the_oldest_message_comes_first(clock: Clock) -> None:
    """Messages are claimed in the order in which they were promised, the summary before its link."""
    for email in ("first@exemple.fr", "second@exemple.fr"):
        await enqueue(MessageKind.ACTIVATION, email, now=clock())
        await enqueue(MessageKind.SUMMARY, email, now=clock())
        clock.advance(seconds=1)
    claimed = []
    while message := await OutboxMessage.claim("one", now=clock()):
        claimed.append((message.recipient, message.kind))
        await OutboxMessage.finish([message], MessageState.SENT, "one", now=clock())
    assert claimed == [
        ("first@exemple.fr", MessageKind.SUMMARY),
        ("first@exemple.fr", MessageKind.ACTIVATION),
        ("second@exemple.fr", MessageKind.SUMMARY),
        ("second@exemple.fr", MessageKind.ACTIVATION),
    ]


@pytest.mark.usefixtures("stored")
async def test_a_mailbox_has_one_sender_at_a_time(clock: Clock) -> None:
    """While a message to a mailbox is being sent, others to it wait; those to other mailboxes do not."""
    for email in (EMAIL, EMAIL, "dominique@exemple.fr"):
        await enqueue(MessageKind.RESEND, email, now=clock())
    claimed = [await OutboxMessage.claim(owner, now=clock()) for owner in ("one", "other", "third")]
    assert [message and message.recipient for message in claimed] == [EMAIL, "dominique@exemple.fr", None]
    clock.now += LEASE
    again = await OutboxMessage.claim("third", now=clock())
    assert again is not None
    assert again.recipient == EMAIL


@pytest.mark.usefixtures("stored")
async def test_a_slow_mail_server_gets_no_second_copy(
    settings: Settings, clock: Clock, letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a mail server is slow over a mail, for minutes, no other relay sends it as well."""
    slow = Slow()
    monkeypatch.setattr(leases, "RENEWAL_SECONDS", 0.01)
    await promise_mail(EMAIL, now=clock())
    sending = asyncio.create_task(build_relay(settings, clock=clock, transport=slow).deliver_due())
    await slow.begun.wait()
    for _ in range(10):
        clock.now += LEASE - timedelta(seconds=1)
        async with asyncio.timeout(GUARD_SECONDS):
            while (await OutboxMessage.get()).available_at < clock() + LEASE:  # noqa: ASYNC110  # In another task.
                await asyncio.sleep(0.01)
        assert await build_relay(settings, clock=clock, transport=letterbox).deliver_due() == {}
    slow.may_end.set()
    assert await sending == {"sent": 1}
    assert (len(slow.messages), letterbox.messages, await fates()) == (1, [], {"RESEND SENT": 1})


@pytest.mark.usefixtures("stored")
async def test_simultaneous_relays_send_each_message_once(settings: Settings, clock: Clock) -> None:
    """Two relays that empty an outbox of twenty messages send each once."""
    transports = [Moody(), Moody()]
    relays = [build_relay(settings, clock=clock, transport=transport) for transport in transports]
    await promise_mail(*(f"person{number}@exemple.fr" for number in range(20)), now=clock())
    outcomes = await asyncio.gather(*(relay.deliver_due() for relay in relays))
    assert sum(outcomes, Counter[str]()) == {"sent": 20}
    sent = [str(mail["Message-ID"]) for transport in transports for mail in transport.seen]
    assert len(sent) == len(set(sent)) == 20
    assert {message.attempts for message in await OutboxMessage.all()} == {1}


@pytest.mark.usefixtures("stored")
async def test_a_relay_that_dies_after_sending_causes_a_second_copy(
    settings: Settings, clock: Clock, letterbox: Letterbox
) -> None:
    """If a relay dies between sending and recording, the mail leaves again under the same Message-ID."""
    dying = Dying()
    await promise_mail(EMAIL, now=clock())
    life = asyncio.create_task(build_relay(settings, clock=clock, transport=dying).deliver_due())
    await dying.sent.wait()
    life.cancel()
    await asyncio.wait([life])
    successor = build_relay(settings, clock=clock, transport=letterbox)
    assert await successor.deliver_due() == {}
    clock.now += LEASE
    assert await successor.deliver_due() == {"sent": 1}
    ((first,), (second,)) = dying.messages, letterbox.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert await fates() == {"RESEND SENT": 1}


@pytest.mark.usefixtures("stored")
async def test_a_relay_whose_lease_expired_changes_nothing(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A relay whose lease ran out during sending changes nothing that the next relay has claimed, and logs it."""

    class Late(Letterbox):
        async def send(self, message: EmailMessage, hand_over: HandOver = at_any_time) -> None:
            clock.now += LEASE
            assert await OutboxMessage.claim("next", now=clock()) is not None

    await promise_mail(EMAIL, now=clock())
    await build_relay(settings, clock=clock, transport=Late(), concurrent_sendings=1).deliver_due()
    message = await OutboxMessage.get()
    assert (message.state, message.lease_owner) == (MessageState.QUEUED, "next")
    assert "a second copy may leave" in caplog.text


@pytest.mark.usefixtures("stored")
async def test_a_sent_mail_is_recorded_when_the_database_is_back(
    settings: Settings, clock: Clock, letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is down for a moment after a sending causes no second copy, and no log of a failure."""
    failures = [OperationalError("away"), OperationalError("away")]
    finish = OutboxMessage.finish

    async def fail_first(*arguments: Any, **options: Any) -> bool:
        if failures:
            raise failures.pop()
        return await finish(*arguments, **options)

    monkeypatch.setattr(OutboxMessage, "finish", fail_first)
    monkeypatch.setattr(relay_module, "RECORDING_PAUSES", (0, 0, 0))
    await promise_mail(EMAIL, now=clock())
    assert await build_relay(settings, clock=clock, transport=letterbox).deliver_due() == {"sent": 1}
    assert await fates() == {"RESEND SENT": 1}
    assert len(letterbox.messages) == 1


@pytest.mark.usefixtures("stored")
async def test_messages_of_a_dead_relay_are_merged_again(
    settings: Settings, clock: Clock, letterbox: Letterbox
) -> None:
    """Messages to be merged into one mail are merged even if the first relay to try has died."""
    for number in range(3):
        registration = await a_registration(now=clock(), first_name=f"Personne{number}")
        await enqueue(MessageKind.ACTIVATION, EMAIL, now=clock(), about=registration)
    await OutboxMessage.all().update(deferred=True, lease_owner="dead", available_at=clock())
    assert await build_relay(settings, clock=clock, transport=letterbox, concurrent_sendings=1).deliver_due() == {
        "sent": 1
    }
    assert len(tokens_in(letterbox.messages[0])) == 3


# ── The limit of a mailbox ──


async def test_mails_over_the_limit_are_merged_and_never_dropped(
    portal: Portal, settings: Settings, clock: Clock, letterbox: Letterbox
) -> None:
    """Three mails leave in an hour, and the rest in one of each kind after it: every link is there and works."""
    relay = capped(settings, clock, letterbox, concurrent_sendings=1)
    names = {f"Personne{letter}" for letter in "ABCD"}
    for name in sorted(names):
        await portal.sign_up(firstName=name)
    assert await relay.deliver_due() == {"sent": 3, "deferred": 5}
    assert subjects(letterbox.messages) == [SUMMARY_FR] * 3
    clock.advance(minutes=59)
    assert await relay.deliver_due() == {}
    clock.advance(minutes=2)
    assert await relay.deliver_due() == {"sent": 2}
    late = {mail["Subject"]: mail for mail in letterbox.messages[3:]}
    assert sorted(late) == [ACTIVATION_FR, SUMMARY_FR]
    links = [await portal.inspect_activation_link(token) for token in tokens_in(late[ACTIVATION_FR])]
    assert Counter((link["state"], link["firstName"]) for link in links) == dict.fromkeys(
        (("USABLE", name) for name in names), 1
    )
    assert await fates() == {"SUMMARY SENT": 4, "ACTIVATION SENT": 1, "ACTIVATION SUPERSEDED": 3}


async def test_a_full_mailbox_delays_no_other(
    portal: Portal, settings: Settings, clock: Clock, letterbox: Letterbox
) -> None:
    """A full mailbox delays no mails of another."""
    relay = capped(settings, clock, letterbox)
    for _ in range(4):
        await portal.sign_up()
    await relay.deliver_due()
    await portal.sign_up(email="dominique@exemple.fr")
    await relay.deliver_due()
    mails = Counter(str(mail["To"]) for mail in letterbox.messages)
    assert mails["dominique@exemple.fr"] == 2
    assert mails[EMAIL] <= 3


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("relays", [1, 2])
async def test_a_mailbox_never_gets_more_in_any_hour(settings: Settings, clock: Clock, relays: int) -> None:
    """No hour brings one mailbox more than the limit, for any number of relays, and every link arrives."""
    sent: list[datetime] = []
    transport = Moody(lambda _: sent.append(clock()))
    several = [capped(settings, clock, transport) for _ in range(relays)]
    for number in range(15):
        registration = await a_registration(now=clock(), first_name=f"Personne{number}")
        for kind in (MessageKind.SUMMARY, MessageKind.ACTIVATION):
            await enqueue(kind, EMAIL, now=clock(), about=registration)
    await asyncio.gather(*(relay.deliver_due() for relay in several))
    for relay in several:
        await drain(relay, clock)
    for start in sent:
        assert sum(start <= instant < start + timedelta(hours=1) for instant in sent) <= 3
    links = [token for mail in transport.messages for token in tokens_in(mail)]
    named = {name for mail in transport.messages for name in re.findall(r"Personne\d+", text_of(mail))}
    assert len(links) == 15
    assert len(named) == 15
    assert len(sent) < 30


@pytest.mark.usefixtures("stored")
async def test_a_full_mailbox_defers_all_its_messages_at_once(
    settings: Settings, clock: Clock, letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All messages that wait for a full mailbox are deferred at once, not one by one."""
    relay = capped(settings, clock, letterbox, "1/hour", concurrent_sendings=1)
    for _ in range(50):
        await enqueue(MessageKind.ACTIVATION, EMAIL, now=clock(), about=await a_registration(now=clock()))
    assert await relay.deliver_due() == {"sent": 1, "deferred": 49}
    assert sorted({message.attempts for message in await OutboxMessage.filter(state=MessageState.QUEUED)}) == [0]
    clock.advance(minutes=61)
    claimed = 0
    claim = OutboxMessage.claim

    async def counted(owner: str, *, now: datetime) -> OutboxMessage | None:
        nonlocal claimed
        message = await claim(owner, now=now)
        claimed += message is not None
        return message

    monkeypatch.setattr(OutboxMessage, "claim", counted)
    assert await relay.deliver_due() == {"sent": 1, "deferred": 50 - 1 - MAX_ENTRIES_PER_MAIL}
    assert claimed == 2


@pytest.mark.usefixtures("stored")
async def test_a_merged_mail_has_links_of_one_mailbox(settings: Settings, clock: Clock, letterbox: Letterbox) -> None:
    """If several mailboxes are full at once, each gets the links of its own attempts and no others."""
    people = ("aurore", "blaise", "chloe")
    for number in range(9):
        name = people[number % 3]
        registration = await a_registration(f"{name}@exemple.fr", now=clock(), first_name=name.title())
        await enqueue(MessageKind.ACTIVATION, f"{name}@exemple.fr", now=clock(), about=registration)
    await OutboxMessage.all().update(deferred=True)
    assert await build_relay(settings, clock=clock, transport=letterbox, concurrent_sendings=1).deliver_due() == {
        "sent": 3
    }
    for mail in letterbox.messages:
        names = [name for name in people for _ in re.findall(name, text_of(mail), re.IGNORECASE)]
        assert names == [str(mail["To"]).partition("@")[0]] * len(names)
        assert len(tokens_in(mail)) == 3


@pytest.mark.usefixtures("stored")
async def test_a_merged_mail_has_a_maximum_of_links(
    settings: Settings, clock: Clock, letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links beyond the maximum of one mail come in the next."""
    for number in range(MAX_ENTRIES_PER_MAIL + 3):
        registration = await a_registration(now=clock(), first_name=f"Personne{number}")
        await enqueue(MessageKind.ACTIVATION, EMAIL, now=clock(), about=registration)
    await drain(capped(settings, clock, letterbox, "1/hour", concurrent_sendings=1), clock)
    assert [len(tokens_in(mail)) for mail in letterbox.messages] == [1, MAX_ENTRIES_PER_MAIL, 2]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("failure", "delivered"), [(AWAY, 4), (DISLIKED, 4), (REFUSED, 1)], ids=["away", "disliked", "refused"]
)
async def test_a_merged_mail_that_fails_loses_nothing(
    settings: Settings, clock: Clock, failure: Exception, delivered: int
) -> None:
    """Links of a merged mail that fails leave later; if the mailbox is refused, none is tried again."""
    transport = Moody()
    relay = capped(settings, clock, transport, "1/hour", concurrent_sendings=1)
    for number in range(4):
        registration = await a_registration(now=clock(), first_name=f"Personne{number}")
        await enqueue(MessageKind.ACTIVATION, EMAIL, now=clock(), about=registration)
    await relay.deliver_due()
    transport.mood = lambda _: failure
    clock.advance(minutes=61)
    await relay.deliver_due()
    assert max(len(tokens_in(mail)) for mail in transport.seen) == 3
    transport.mood = lambda _: None
    await drain(relay, clock)
    named = {name for mail in transport.messages for name in re.findall(r"Personne\d+", text_of(mail))}
    assert len(named) == delivered


async def a_flood_with_one_victim(kind: MessageKind, *, now: datetime) -> None:
    """Make three attempts wait for one mail: one of the person, two of strangers with words that a filter refuses."""
    for name in ("Stranger", "Camille", "Stranger"):
        attempt = await a_registration(now=now, first_name=name)
        if kind is not MessageKind.RESEND:
            await enqueue(kind, EMAIL, now=now, about=attempt)
    if kind is MessageKind.RESEND:
        await enqueue(kind, EMAIL, now=now)
    await OutboxMessage.all().update(deferred=True)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("kind", MessageKind)
async def test_refused_words_of_one_attempt_delay_no_other(settings: Settings, clock: Clock, kind: MessageKind) -> None:
    """If a mail of several attempts is refused, each leaves alone; one that is refused alone ends unsent."""
    transport = Moody(lambda mail: DISLIKED if "Stranger" in text_of(mail) else None)
    relay = build_relay(settings, clock=clock, transport=transport, concurrent_sendings=1)
    began = clock()
    await a_flood_with_one_victim(kind, now=began)
    assert await relay.deliver_due() == {"split": 1, "failed": 2, "sent": 1}
    (mail,) = transport.messages
    assert "Camille" in text_of(mail)
    for _ in range(4 * len(RETRY_PAUSES)):
        assert await retry_next(relay, clock)
    clock.now = began + ACTIVATION_PERIOD - 2 * max(RETRY_PAUSES)  # The days between have one retry an hour.
    while await retry_next(relay, clock):
        pass
    assert transport.messages == [mail]
    assert timedelta(0) <= clock() - began - ACTIVATION_PERIOD < max(RETRY_PAUSES) * 2


async def retry_next(relay: Relay, clock: Clock) -> bool:
    """Wait until the next message is due and deliver it. Return whether one was waiting."""
    waiting = await OutboxMessage.filter(state=MessageState.QUEUED).order_by("available_at").first()
    if waiting is None:
        return False
    clock.now = max(clock.now, waiting.available_at)
    await relay.deliver_due()
    return True


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("kind", [MessageKind.SUMMARY, MessageKind.ACTIVATION])
async def test_a_bug_in_one_attempt_delays_no_other(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, kind: MessageKind
) -> None:
    """If a mail of several attempts can't be composed, each leaves alone, but for the one with the bug."""

    real = getattr(Composer, kind.lower())

    def compose(self: Composer, attempts: list[Any], **heading: Any) -> EmailMessage:
        if any(getattr(attempt, "registration", attempt).first_name == "Stranger" for attempt in attempts):
            raise KeyError("boom")
        mail: EmailMessage = real(self, attempts, **heading)
        return mail

    monkeypatch.setattr(Composer, kind.lower(), compose)
    transport = Moody()
    relay = build_relay(settings, clock=clock, transport=transport, concurrent_sendings=1)
    await a_flood_with_one_victim(kind, now=clock())
    assert await relay.deliver_due() == {"failed": 2, "sent": 1}
    assert ["Camille" in text_of(mail) for mail in transport.messages] == [True]


@pytest.mark.usefixtures("stored")
async def test_requests_for_a_link_are_answered_together(
    settings: Settings, clock: Clock, letterbox: Letterbox
) -> None:
    """Hundreds of requests for a link of one mailbox bring one mail; a later request brings another."""
    relay = build_relay(settings, clock=clock, transport=letterbox, concurrent_sendings=1)
    await a_registration(now=clock())
    await an_account("other@exemple.fr", now=clock())
    for _ in range(100):
        await enqueue(MessageKind.RESEND, EMAIL, now=clock())
        await enqueue(MessageKind.RESEND, "other@exemple.fr", now=clock())
    assert await relay.deliver_due() == {"sent": 2}
    assert await fates() == {"RESEND SENT": 2, "RESEND SUPERSEDED": 198}
    await enqueue(MessageKind.RESEND, EMAIL, now=clock())
    assert await relay.deliver_due() == {"sent": 1}


@pytest.mark.usefixtures("stored")
async def test_the_message_that_supersedes_others_is_not_lost(settings: Settings, clock: Clock) -> None:
    """Superseded requests are answered by the one that superseded them, even if its first sending fails."""
    transport = Moody(lambda _: AWAY)
    relay = build_relay(settings, clock=clock, transport=transport, concurrent_sendings=1)
    await a_registration(now=clock())
    for _ in range(3):
        await enqueue(MessageKind.RESEND, EMAIL, now=clock())
    assert await relay.deliver_due() == {"failed": 1}
    transport.mood = lambda _: None
    await drain(relay, clock)
    assert await fates() == {"RESEND SENT": 1, "RESEND SUPERSEDED": 2}


@pytest.mark.usefixtures("stored")
async def test_every_attempt_gets_a_link_in_turn(
    settings: Settings, clock: Clock, letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If more attempts wait than one mail has links, another request brings the links of the others."""
    monkeypatch.setattr("api.mail.letters.MAX_ENTRIES_PER_MAIL", 3)
    relay = build_relay(settings, clock=clock, transport=letterbox)
    await a_registration(now=clock(), first_name="Camille")
    for number in range(5):
        clock.advance(seconds=1)
        await a_registration(now=clock(), first_name=f"Stranger{'abcde'[number]}")
    for _ in range(2):
        await enqueue(MessageKind.RESEND, EMAIL, now=clock())
        assert await relay.deliver_due() == {"sent": 1}
    first, second = (set(re.findall(r"Camille|Stranger[a-e]", text_of(mail))) for mail in letterbox.messages)
    assert first == {"Strangerc", "Strangerd", "Strangere"}
    assert second == {"Camille", "Strangera", "Strangerb"}


@pytest.mark.exhaustive
@pytest.mark.usefixtures("stored")
async def test_a_message_is_abandoned_after_a_week(
    settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A message that could not be sent for seven days is abandoned with a warning, not an hour earlier."""
    relay = build_relay(settings, clock=clock, transport=Moody(lambda _: DISLIKED))
    await promise_mail(EMAIL, now=clock())
    promised = clock()
    while (message := await OutboxMessage.get()).state is MessageState.QUEUED:
        clock.now = message.available_at
        assert clock() - promised < timedelta(days=7, hours=2)
        await relay.deliver_due()
    assert clock() - promised >= timedelta(days=7)
    assert message.state is MessageState.ABANDONED
    assert "for a week" in caplog.records[-1].getMessage()


async def test_many_attempts_on_an_account_bring_one_mail(
    portal: Portal, settings: Settings, clock: Clock, letterbox: Letterbox
) -> None:
    """Attempts over the limit on an address with an account come to one mail for its owner."""
    await portal.account()
    clock.advance(hours=2)
    for _ in range(5):
        await portal.sign_up()
    await drain(capped(settings, clock, letterbox, "1/hour", concurrent_sendings=1), clock)
    assert subjects(letterbox.messages[2:]) == [EXISTS_FR] * 2
    assert not await OutboxMessage.exists(state=MessageState.QUEUED)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("first", MailOutcome)
async def test_different_mails_are_not_merged(
    settings: Settings, clock: Clock, letterbox: Letterbox, first: MailOutcome
) -> None:
    """Two deferred attempts, one older than the account and one younger, get a mail each."""
    await an_account(now=clock())
    for outcome in sorted(MailOutcome, key=lambda outcome: outcome is not first):
        registration = await a_registration(now=clock(), mail_outcome=outcome)
        await enqueue(MessageKind.SUMMARY, EMAIL, now=clock(), about=registration)
        clock.advance(seconds=1)
    await OutboxMessage.all().update(deferred=True)
    await build_relay(settings, clock=clock, transport=letterbox, concurrent_sendings=1).deliver_due()
    assert subjects(letterbox.messages) == [SUMMARY_FR, EXISTS_FR]


# ── The loop ──


@pytest.mark.usefixtures("stored")
async def test_the_relay_survives_a_database_that_fails(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing database ends no relay: when it answers again, waiting messages are sent."""
    transport = Dying()
    relay = build_relay(settings, clock=clock, transport=transport, concurrent_sendings=1)
    real, failures = OutboxMessage.claim, iter(range(3))

    async def claim(owner: str, *, now: datetime) -> OutboxMessage | None:
        if next(failures, None) is not None:
            raise OperationalError("the database is away")
        return await real(owner, now=now)

    monkeypatch.setattr(OutboxMessage, "claim", claim)
    await promise_mail(EMAIL, now=clock())
    running = asyncio.create_task(relay.run())
    async with asyncio.timeout(10):
        await transport.sent.wait()
    running.cancel()
    await asyncio.wait([running])
    assert "The outbox can't be read" in caplog.text


@pytest.mark.usefixtures("stored")
async def test_a_slow_mailbox_delays_no_other(settings: Settings, clock: Clock) -> None:
    """While the mail server is slow with the mails of one mailbox, all others get theirs."""
    patience = asyncio.Event()

    class Hanging(Letterbox):
        async def send(self, message: EmailMessage, hand_over: HandOver = at_any_time) -> None:
            if message["To"] == EMAIL:
                await patience.wait()
            await super().send(message, hand_over)

    transport = Hanging()
    relay = build_relay(settings, clock=clock, transport=transport)
    await promise_mail(EMAIL, now=clock())
    for _ in range(2 * CONCURRENT_SENDINGS):
        await enqueue(MessageKind.RESEND, EMAIL, now=clock())
    async with asyncio.timeout(60):
        running = asyncio.create_task(relay.run())
        for number in range(10):
            await promise_mail(f"person{number}@exemple.fr", now=clock())
            while len(transport.messages) == number:  # noqa: ASYNC110  # This state sets no event.
                await asyncio.sleep(0.01)
        assert {str(mail["To"]) for mail in transport.messages} == {
            f"person{number}@exemple.fr" for number in range(10)
        }
        patience.set()
        relay.stop()
        await running


@pytest.mark.usefixtures("stored")
async def test_a_stopping_relay_finishes_its_sendings(settings: Settings, clock: Clock) -> None:
    """A relay that stops begins nothing new and finishes its sendings: no mail is lost or sent twice."""
    relay: Relay

    def stop(_: EmailMessage) -> None:
        relay.stop()

    transport = Moody(stop)
    relay = build_relay(settings, clock=clock, transport=transport)
    await promise_mail(*(f"person{number}@exemple.fr" for number in range(10)), now=clock())
    async with asyncio.timeout(10):
        await relay.run()
    assert 1 <= len(transport.messages) <= CONCURRENT_SENDINGS
    assert (await fates())["RESEND SENT"] == len(transport.messages)
    assert (await OutboxMessage.filter(lease_owner__isnull=False).count()) == 0


class InEnvelope(Letterbox):
    """A transport that has begun with a message and has not asked for its content."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    async def send(self, message: EmailMessage, hand_over: HandOver = at_any_time) -> None:
        self.begun.set()
        await asyncio.Event().wait()


@pytest.mark.usefixtures("stored")
async def test_a_mail_not_handed_over_is_claimable_at_once(
    settings: Settings, clock: Clock, letterbox: Letterbox
) -> None:
    """A relay that stops before the content leaves makes the message claimable at once, as if it had never tried."""
    transport = InEnvelope()
    relay = build_relay(settings, clock=clock, transport=transport)
    await promise_mail(EMAIL, now=clock())
    async with asyncio.timeout(GUARD_SECONDS):
        running = asyncio.create_task(relay.run())
        await transport.begun.wait()
        relay.stop()
        await running
    message = await OutboxMessage.get()
    assert (message.state, message.lease_owner, message.attempts) == (MessageState.QUEUED, None, 0)
    assert await build_relay(settings, clock=clock, transport=letterbox).deliver_due() == {"sent": 1}


@pytest.mark.usefixtures("stored")
async def test_merged_messages_return_to_the_queue_together(
    settings: Settings, clock: Clock, letterbox: Letterbox
) -> None:
    """Messages claimed for one mail can all be claimed again after a stop, and leave in one mail."""
    for _ in range(3):
        registration = await a_registration(now=clock())
        await enqueue(MessageKind.ACTIVATION, EMAIL, now=clock(), about=registration)
    await OutboxMessage.all().update(deferred=True)
    transport = InEnvelope()
    relay = build_relay(settings, clock=clock, transport=transport, concurrent_sendings=1)
    async with asyncio.timeout(GUARD_SECONDS):
        delivering = asyncio.create_task(relay.deliver_due())
        await transport.begun.wait()
        relay.stop()
        assert await delivering == {"given back": 1}
    assert {(message.lease_owner, message.attempts) for message in await OutboxMessage.all()} == {(None, 0)}
    assert await build_relay(settings, clock=clock, transport=letterbox, concurrent_sendings=1).deliver_due() == {
        "sent": 1
    }
    assert len(tokens_in(letterbox.messages[0])) == 3


@pytest.mark.usefixtures("stored")
async def test_a_mail_that_may_have_been_taken_keeps_its_lease(
    settings: Settings, clock: Clock, letterbox: Letterbox, caplog: pytest.LogCaptureFixture
) -> None:
    """If the mail server has not answered by the end of the stop, a copy leaves after the lease."""
    transport = Slow()
    relay = build_relay(settings, clock=clock, transport=transport, seconds_to_stop=RECORDING_SECONDS)
    await promise_mail(EMAIL, now=clock())
    async with asyncio.timeout(GUARD_SECONDS):
        running = asyncio.create_task(relay.run())
        await transport.begun.wait()
        relay.stop()
        await running
    assert "a copy may follow" in caplog.text
    successor = build_relay(settings, clock=clock, transport=letterbox)
    assert await successor.deliver_due() == {}
    clock.now += LEASE
    assert await successor.deliver_due() == {"sent": 1}


@pytest.mark.usefixtures("stored")
async def test_a_stopping_relay_awaits_the_answer_of_the_server(settings: Settings, clock: Clock) -> None:
    """A mail that the server has received is awaited during a stop and recorded as sent; no other is claimed."""
    transport = Slow()
    relay = build_relay(settings, clock=clock, transport=transport)
    await promise_mail(EMAIL, now=clock())
    async with asyncio.timeout(GUARD_SECONDS):
        running = asyncio.create_task(relay.run())
        await transport.begun.wait()
        relay.stop()
        await promise_mail("dominique@exemple.fr", now=clock())
        transport.may_end.set()
        await running
    assert await fates() == {"RESEND SENT": 1, "RESEND QUEUED": 1}


# ── Subaddresses ──


@pytest.mark.usefixtures("stored")
async def test_subaddresses_are_counted_together(settings: Settings, clock: Clock) -> None:
    """name+1@, name+2@ … lead to one mailbox, which gets no more mails in an hour than under one address."""
    sent: list[datetime] = []
    transport = Moody(lambda _: sent.append(clock()))
    relay = capped(settings, clock, transport)
    emails = [EMAIL, *(EMAIL.replace("@", f"+{number}@") for number in range(6))]
    for number, email in enumerate(emails):
        registration = await a_registration(email, now=clock(), first_name=f"Personne{number}")
        await enqueue(MessageKind.ACTIVATION, email, now=clock(), about=registration)
    await drain(relay, clock)
    for start in sent:
        assert sum(start <= instant < start + timedelta(hours=1) for instant in sent) <= 3
    assert sorted(str(mail["To"]) for mail in transport.messages) == sorted(emails)


@pytest.mark.usefixtures("stored")
async def test_subaddresses_are_never_merged(settings: Settings, clock: Clock, letterbox: Letterbox) -> None:
    """Deferred messages for several subaddresses of one mailbox leave in a mail for each, with its own links."""
    emails = [EMAIL, EMAIL.replace("@", "+un@"), EMAIL.replace("@", "+deux@")]
    names = dict(zip(emails, ("Aurore", "Blaise", "Chloe"), strict=True))
    for email in emails * 2:
        registration = await a_registration(email, now=clock(), first_name=names[email])
        await enqueue(MessageKind.ACTIVATION, email, now=clock(), about=registration)
        await enqueue(MessageKind.RESEND, email, now=clock())
    await OutboxMessage.all().update(deferred=True)
    await build_relay(settings, clock=clock, transport=letterbox, concurrent_sendings=1).deliver_due()
    assert Counter(str(mail["To"]) for mail in letterbox.messages) == dict.fromkeys(emails, 2)
    for mail in letterbox.messages:
        assert [name for name in names.values() if name in text_of(mail)] == [names[str(mail["To"])]]
        assert len(tokens_in(mail)) == 2


@pytest.mark.usefixtures("stored")
async def test_a_mailbox_has_one_sender_whatever_its_subaddress(clock: Clock) -> None:
    """While a message to a mailbox is being sent, those to its subaddresses wait."""
    for email in (EMAIL.replace("@", "+1@"), EMAIL, EMAIL.replace("@", "+2@")):
        await enqueue(MessageKind.RESEND, email, now=clock())
    assert await OutboxMessage.claim("one", now=clock()) is not None
    assert await OutboxMessage.claim("other", now=clock()) is None


@pytest.mark.usefixtures("stored")
async def test_messages_of_the_release_before_are_delivered(settings: Settings, clock: Clock) -> None:
    """Messages of a release without mailboxes, stored while it runs beside this one, are counted and leave."""
    transport = Moody()
    await promise_mail(EMAIL, EMAIL.replace("@", "+1@"), now=clock())
    await OutboxMessage.all().update(mailbox=None)
    assert await capped(settings, clock, transport, "1/hour").deliver_due() == {"sent": 1, "deferred": 1}


@pytest.mark.usefixtures("stored")
async def test_messages_that_the_release_before_has_sent_count(settings: Settings, clock: Clock) -> None:
    """A release without mailboxes, which runs beside this one, fills a mailbox as this one does."""
    transport = Moody()
    await promise_mail(EMAIL, now=clock())
    await capped(settings, clock, transport, "1/hour").deliver_due()
    await OutboxMessage.all().update(mailbox=None)
    await promise_mail(EMAIL.replace("@", "+1@"), now=clock())
    assert await capped(settings, clock, transport, "1/hour").deliver_due() == {"deferred": 1}


# ── Discarded mails ──


@pytest.mark.usefixtures("stored")
async def test_discarded_mails_count_towards_the_limit(settings: Settings, clock: Clock, letterbox: Letterbox) -> None:
    """Discarded mails fill a mailbox as much as sent ones."""
    outcomes = []
    await an_account(now=clock())
    for email in (EMAIL, "nobody@exemple.fr"):
        relay = capped(settings, clock, letterbox, "4/hour")
        for _ in range(4):
            await enqueue(MessageKind.RESEND, email, now=clock())
            (outcome,) = await relay.deliver_due()
            outcomes.append(outcome)
    assert outcomes == ["sent", "sent", "deferred", "deferred", "discarded", "discarded", "deferred", "deferred"]
    assert len(letterbox.messages) == len(letterbox.discarded) == 2


@pytest.mark.usefixtures("stored")
async def test_requests_for_links_delay_no_sign_up(settings: Settings, clock: Clock, letterbox: Letterbox) -> None:
    """Requests for links, which take no captcha, never delay a sign-up's own mails."""
    relay = capped(settings, clock, letterbox, "12/hour")
    for _ in range(20):
        await enqueue(MessageKind.RESEND, EMAIL, now=clock())
        await relay.deliver_due()
    registration = await a_registration(now=clock())
    for kind in (MessageKind.SUMMARY, MessageKind.ACTIVATION):
        await enqueue(kind, EMAIL, now=clock(), about=registration)
    assert (await relay.deliver_due())["sent"] == 2
    assert subjects(letterbox.messages) == [ACTIVATION_FR, SUMMARY_FR]
