"""A process that is killed at any point of any step leaves nothing half done and loses nothing promised.

Each step of the sign-up, of the relay and of the purge is killed before each statement that it sends, before and after
each mail, before its answer and right after it: see `tests/support/fault_points.py`. Then the service is started
again, and the person goes on.
"""

from __future__ import annotations

import mailbox
import shutil
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TYPE_CHECKING, ClassVar

import pytest

from api.delivery import build_relay
from api.settings.mail_destination import Maildir
from models.account import Account
from models.outbox import LEASE, MessageState, OutboxMessage
from models.registration import Registration
from models.retention import purge
from tests.support.applications import build_cheap_app
from tests.support.client import (
    ACTIVATE_ACCOUNT,
    CHECK_PASSWORD,
    CREATE_ACCOUNT,
    INSPECT_ACTIVATION_LINK,
    PASSWORD,
    RENEW_CAPTCHA,
    RESEND_ACTIVATION_MAIL,
    VERIFY_CAPTCHA,
    Answer,
    Portal,
    client_of,
    form,
    new_key,
    token_in,
    with_link,
)
from tests.support.doubles import Letterbox
from tests.support.fault_points import Delivery, Purge, Request, Snapshot, Step, run_step
from tests.support.invariants import find_half_done, find_mixed_message_ids, find_unsent, is_answer_true

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from api.settings.environment import Settings
    from tests.support.doubles import Clock

pytestmark = pytest.mark.anyio

EMAIL, OTHER_EMAIL = "camille.durand@exemple.fr", "dominique.petit@exemple.fr"


class FixedAnswer:
    """The captcha of `GUICHET_CAPTCHA=fixed:…`, with the same answer in all processes."""

    answer, wrong_answer = "ABC123", "CBA321"


class Folder:
    """The mailbox folder, which outlives every process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: dict[str, EmailMessage] = {}

    @property
    def messages(self) -> list[EmailMessage]:
        if not self._path.exists():
            return []
        found = mailbox.Maildir(self._path, create=False)
        return [self._read.get(key) or self._parse(found, key) for key in found.iterkeys()]

    def _parse(self, found: mailbox.Maildir, key: str) -> EmailMessage:
        """Parse the mail under *key* and keep it: no mail changes under its key."""
        self._read[key] = message_from_bytes(found.get_bytes(key), EmailMessage, policy=policy.default)
        return self._read[key]

    def empty(self) -> None:
        shutil.rmtree(self._path)


class Journey:
    """A step during which the process dies, and the person's way to the account afterwards."""

    expected: ClassVar[str]
    limits: ClassVar[str] = "off"

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings.replace(captcha=f"fixed:{FixedAnswer.answer}")
        self.clock = clock
        destination = settings.mail_url
        assert isinstance(destination, Maildir)
        self.folder = Folder(destination.path)
        self.id = ""

    async def prepare(self, portal: Portal) -> Step:
        """Walk to the beginning of the step and return it."""
        raise NotImplementedError

    async def go_on(self, portal: Portal) -> None:
        """Repeat the step or do without it, until only the link is left to use."""

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Portal]:
        """Start the service again."""
        settings = self.settings.replace(rate_limits=self.limits)
        relay = build_relay(settings, clock=self.clock, concurrent_sendings=1)
        async with client_of(build_cheap_app(self.settings, clock=self.clock)) as http:
            yield Portal(http, captcha=FixedAnswer(), relay=relay, letterbox=Letterbox())

    async def finish(self, portal: Portal) -> None:
        """Deliver all mails and activate the account, which must exist once in the end."""
        await self.drain(portal)
        if not await Account.exists(email_canonical=EMAIL):
            token = await self.usable_token(portal)
            if token is None:  # The link expired during the wait, for other mails or for the hour of a full mailbox.
                await portal.resend_activation_mail(EMAIL)
                await self.drain(portal)
                token = await self.usable_token(portal)
            assert token is not None
            assert (await portal.activate_account(token))["__typename"] == "AccountActivated"
            await self.drain(portal)
        assert await Account.filter(email_canonical=EMAIL).count() == 1

    async def usable_token(self, portal: Portal) -> str | None:
        for mail in with_link(self.folder.messages):
            link = await portal.inspect_activation_link(token_in(mail))
            if (link["state"], link["email"]) == ("USABLE", EMAIL):
                return token_in(mail)
        return None

    async def drain(self, portal: Portal) -> None:
        """Let time pass, and leases expire, until no message waits."""
        for _ in range(200):
            message = await OutboxMessage.filter(state=MessageState.QUEUED).order_by("available_at").first()
            if message is None:
                return
            self.clock.now = max(self.clock.now, message.available_at)
            if not await portal.relay.deliver_due():  # A dead process holds another message to this mailbox.
                self.clock.now += LEASE
        raise AssertionError("The outbox doesn't get empty.")

    async def begin(self, portal: Portal) -> None:
        self.id = (await portal.create_account())["id"]

    async def verify(self, portal: Portal) -> None:
        verified = await portal.verify_captcha(self.id, portal.captcha.answer)
        assert verified["__typename"] == "ActivationMailSent", verified


class CreatingAccount(Journey):
    """A person sends createAccount, and sends the form again if there is no answer."""

    expected = "PendingRegistration"
    max_registrations = 2

    async def prepare(self, portal: Portal) -> Step:
        return Request(CREATE_ACCOUNT, {"input": form()})

    async def go_on(self, portal: Portal) -> None:
        await self.begin(portal)
        await self.verify(portal)
        assert await Registration.all().count() <= self.max_registrations


class CreatingAccountUnderKey(CreatingAccount):
    """A person does the same with an idempotency key, which allows one registration only."""

    max_registrations = 1

    def __init__(self, settings: Settings, clock: Clock) -> None:
        super().__init__(settings, clock)
        self.key = new_key()

    async def prepare(self, portal: Portal) -> Step:
        return Request(CREATE_ACCOUNT, {"input": form(idempotencyKey=self.key)})

    async def begin(self, portal: Portal) -> None:
        self.id = (await portal.create_account(idempotencyKey=self.key))["id"]


class CreatingAccountAgain(CreatingAccountUnderKey):
    """A person repeats createAccount under its key."""

    async def prepare(self, portal: Portal) -> Step:
        await self.begin(portal)
        return await super().prepare(portal)


class RenewingCaptcha(Journey):
    """A person sends renewCaptcha; only the picture that they see last counts."""

    expected = "PendingRegistration"

    async def prepare(self, portal: Portal) -> Step:
        await self.begin(portal)
        return Request(RENEW_CAPTCHA, {"registrationId": self.id})

    async def go_on(self, portal: Portal) -> None:
        assert (await portal.renew_captcha(self.id))["attemptsLeft"] == 5
        await self.verify(portal)


class AnsweringRightly(Journey):
    """A person sends verifyCaptcha with the right answer, and repeats it if there is no answer."""

    expected = "ActivationMailSent"

    async def prepare(self, portal: Portal) -> Step:
        await self.begin(portal)
        return self.answering(FixedAnswer.answer)

    async def go_on(self, portal: Portal) -> None:
        await self.verify(portal)

    def answering(self, answer: str) -> Step:
        return Request(VERIFY_CAPTCHA, {"input": {"registrationId": self.id, "answer": answer}})


class AnsweringRightlyAgain(AnsweringRightly):
    """A person repeats the right answer after it was accepted."""

    async def prepare(self, portal: Portal) -> Step:
        step = await super().prepare(portal)
        await self.verify(portal)
        return step


class AnsweringWrongly(AnsweringRightly):
    """A person sends verifyCaptcha with a wrong answer, which costs one attempt or none."""

    expected = "CaptchaRejected"

    async def prepare(self, portal: Portal) -> Step:
        await self.begin(portal)
        return self.answering(FixedAnswer.wrong_answer)

    async def go_on(self, portal: Portal) -> None:
        rejected = await portal.verify_captcha(self.id, portal.captcha.wrong_answer)
        assert rejected["registration"]["attemptsLeft"] in {3, 4}
        await self.verify(portal)


class AskingForLinkAgain(Journey):
    """A person who has no mail, or lost it, sends resendActivationMail."""

    expected = "ActivationMailRequested"

    async def prepare(self, portal: Portal) -> Step:
        await portal.sign_up()
        return Request(RESEND_ACTIVATION_MAIL, {"email": EMAIL})

    async def go_on(self, portal: Portal) -> None:
        requested = await portal.resend_activation_mail(EMAIL)
        assert requested["__typename"] == "ActivationMailRequested"


class WithLink(Journey):
    """A person who has the link takes a step that uses nothing up."""

    async def prepare(self, portal: Portal) -> Step:
        self.token = await self.get_token(portal)
        return self.step()

    def step(self) -> Step:
        raise NotImplementedError

    async def get_token(self, portal: Portal, email: str = EMAIL, **changes: str) -> str:
        """Sign up once more with *email* and return the token of that link."""
        before = {token_in(mail) for mail in with_link(self.folder.messages)}
        await portal.sign_up(email=email, **changes)
        await portal.relay.deliver_due()
        (token,) = {token_in(mail) for mail in with_link(self.folder.messages)} - before
        return token

    async def go_on(self, portal: Portal) -> None:
        assert (await portal.inspect_activation_link(self.token))["state"] == "USABLE"


class InspectingLink(WithLink):
    """A person sends inspectActivationLink."""

    expected = "ActivationLink"

    def step(self) -> Step:
        return Request(INSPECT_ACTIVATION_LINK, {"token": self.token})


class CheckingPassword(WithLink):
    """A person sends checkPassword with the token of a link."""

    expected = "PasswordCheck"

    def step(self) -> Step:
        return Request(CHECK_PASSWORD, {"input": {"password": PASSWORD, "activationToken": self.token}})


class Founding(WithLink):
    """The first person of an organisation sends activateAccount; a repetition reports that it has happened."""

    expected = "AccountActivated"
    code_afterwards: ClassVar[str] = "ACTIVATION_LINK_USED"

    def step(self) -> Step:
        entered = {"token": self.token, "password": PASSWORD, "passwordConfirmation": PASSWORD}
        return Request(ACTIVATE_ACCOUNT, {"input": entered})

    async def go_on(self, portal: Portal) -> None:
        done = await Account.exists(email_canonical=EMAIL)
        answer = await portal.activate_account(self.token)
        assert (answer["__typename"], answer.get("code")) == (
            ("ActivationLinkRefused", self.code_afterwards) if done else ("AccountActivated", None)
        )


class FoundingWithoutIdentifier(Founding):
    """A person does the same for an organisation that can't be looked up."""

    async def get_token(self, portal: Portal, email: str = EMAIL, **changes: str) -> str:
        unlisted: Answer = {"organisation": {"identifier": {"type": "AUTRE", "value": "EN-COURS"}, "name": "Exemple"}}
        return await super().get_token(portal, email, **unlisted)


class Joining(Founding):
    """A person whose organisation is on the portal sends activateAccount."""

    async def prepare(self, portal: Portal) -> Step:
        await portal.activate_account(await self.get_token(portal, OTHER_EMAIL, firstName="Dominique"))
        return await super().prepare(portal)


class FollowingSecondLink(Founding):
    """A person follows the link of a second attempt; afterwards, the unused first link is tried."""

    code_afterwards = "ACTIVATION_LINK_SUPERSEDED"

    async def prepare(self, portal: Portal) -> Step:
        first = await self.get_token(portal, firstName="Aurore")
        step = await super().prepare(portal)
        self.token = first
        return step


class FollowingLateLink(Founding):
    """A person follows the link of a second attempt after the first became the account."""

    expected = "ActivationLinkRefused"
    code_afterwards = "ACTIVATION_LINK_SUPERSEDED"

    async def prepare(self, portal: Portal) -> Step:
        first = await self.get_token(portal, firstName="Aurore")
        step = await super().prepare(portal)
        await portal.activate_account(first)
        return step


class SendingBothMails(Journey):
    """The relay sends the summary and the link."""

    expected = "sent"
    step: ClassVar[Step] = Delivery()

    async def prepare(self, portal: Portal) -> Step:
        await portal.sign_up()
        return self.step


class FailingToSend(SendingBothMails):
    """The relay works while the mail server is away."""

    expected = "failed"
    step = Delivery(is_away=True)


class TellingOfAccount(SendingBothMails):
    """The relay handles a sign-up by somebody who has an account."""

    async def prepare(self, portal: Portal) -> Step:
        await portal.sign_up()
        await self.finish(portal)
        await portal.sign_up(firstName="Mallory")
        return self.step


class SendingLinkAgain(SendingBothMails):
    """The relay sends the link once more, as asked for."""

    async def prepare(self, portal: Portal) -> Step:
        await portal.sign_up()
        await portal.relay.deliver_due()
        await portal.resend_activation_mail(EMAIL)
        return self.step


class Deferring(SendingBothMails):
    """The relay has more mails than the mailbox may get in an hour."""

    limits = "mailbox=1/hour"
    step = Delivery(limits=limits)

    async def prepare(self, portal: Portal) -> Step:
        for name in ("Aurore", "Blaise"):
            await portal.sign_up(firstName=name)
        return self.step


class Merging(Deferring):
    """The relay merges deferred messages into one mail."""

    async def prepare(self, portal: Portal) -> Step:
        step = await super().prepare(portal)
        await portal.relay.deliver_due()
        self.clock.advance(minutes=62)
        return step


class Purging(WithLink):
    """The purge handles an old attempt with an account, an old one without, and a new one."""

    expected = "registrations"

    async def prepare(self, portal: Portal) -> Step:
        await portal.activate_account(await self.get_token(portal, OTHER_EMAIL))
        await portal.create_account(email="nobody@exemple.fr")
        self.folder.empty()
        self.clock.advance(days=8)
        return await super().prepare(portal)

    def step(self) -> Step:
        return Purge()

    async def go_on(self, portal: Portal) -> None:
        await purge(now=self.clock())
        assert [registration.email for registration in await Registration.all()] == [EMAIL]
        assert await OutboxMessage.all().count() == 2
        await super().go_on(portal)


def journeys() -> list[type[Journey]]:
    """Return all journeys that have a step."""
    found: list[type[Journey]] = []
    families = [Journey]
    while families:
        families.extend(families[0].__subclasses__())
        found.append(families.pop(0))
    return [journey for journey in found if hasattr(journey, "expected")]


@pytest.mark.parametrize("kind", journeys(), ids=lambda kind: kind.__name__)
async def test_killed_step_happens_completely_or_not_at_all(
    settings: Settings, clock: Clock, tmp_path: Path, kind: type[Journey]
) -> None:
    """A step killed at any point is whole or undone; the person goes on, and gets both mails and one account."""
    journey = kind(settings, clock)
    async with journey.service() as portal:
        step = await journey.prepare(portal)
    started_at, snapshot = clock(), await Snapshot.take(settings, tmp_path)
    undisturbed = await run_step(step, journey.settings, started_at)
    await check(journey, undisturbed.answer)
    for kill_at, statement in enumerate(undisturbed.reached, start=1):
        clock.now = started_at
        await snapshot.restore()
        life = await run_step(step, journey.settings, started_at, kill_at=kill_at)
        assert (life.reached[-1], life.answer) == (statement, None)
        await check(journey, None)


async def test_processes_are_killed_at_every_statement_and_mail(settings: Settings, clock: Clock) -> None:
    """Every part of a transaction and every mail counts as a point; a changed driver that hides one fails here."""
    for kind, parts in (
        (Founding, ["BEGIN", "UPDATE", "UPDATE", "INSERT", "INSERT", "INSERT", "COMMIT", "the answer"]),
        (SendingBothMails, ["SELECT", "a mail to send", "a mail that is sent", "UPDATE", "the answer"]),
    ):
        journey = kind(settings, clock)
        async with journey.service() as portal:
            step = await journey.prepare(portal)
        reached = iter((await run_step(step, journey.settings, clock())).reached)
        assert [part for part in parts if any(statement.lstrip().startswith(part) for statement in reached)] == parts


async def check(journey: Journey, answer: Answer | None) -> None:
    """Check that all is whole and the answer true after a new start, and that the person gets to the end."""
    async with journey.service() as portal:
        assert await find_half_done(now=journey.clock()) == []
        if answer is not None:
            await check_answer(journey, answer)
        await journey.go_on(portal)
        await journey.finish(portal)
        assert await find_half_done(now=journey.clock()) == []
        assert await find_unsent(journey.folder.messages) == []
        assert await find_mixed_message_ids(journey.folder.messages) == []


async def check_answer(journey: Journey, answer: Answer) -> None:
    if "data" not in answer:  # The answer of the relay or of the purge.
        assert answer[journey.expected] > 0
        assert answer.get("sent", 0) <= len(journey.folder.messages)
        return
    (value,) = answer["data"].values()
    assert value["__typename"] == journey.expected
    assert await is_answer_true(value, registration_id=journey.id)
