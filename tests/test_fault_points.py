"""A process that is killed at any moment of anything it does: nothing is half done, nothing promised is lost.

Each step of the sign-up, of the relay and of the purge is killed before each statement that it sends, before and after
each mail, before its answer and right after it: see `tests/support/fault_points.py`. Then somebody starts the service
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

from api.app import build_app
from api.delivery import build_relay
from api.settings.mail_destination import Maildir
from models.account import Account
from models.outbox import LEASE, MessageState, OutboxMessage
from models.registration import Registration
from models.retention import purge
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
from tests.support.fault_points import Delivery, Purge, Request, Saved, Step, live
from tests.support.hashing import CHEAP_HASHER
from tests.support.invariants import half_done, is_kept, not_sent, not_the_same

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from api.settings.environment import Settings
    from tests.support.doubles import Clock

pytestmark = pytest.mark.anyio

EMAIL, ELSE = "camille.durand@exemple.fr", "dominique.petit@exemple.fr"


class FixedAnswer:
    """The captcha of `GUICHET_CAPTCHA=fixed:…`, which is the same in all processes."""

    answer, wrong_answer = "ABC123", "CBA321"


class Folder:
    """The mailbox folder, which is there whatever dies."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def messages(self) -> list[EmailMessage]:
        if not self._path.exists():
            return []
        found = mailbox.Maildir(self._path, create=False)
        return [
            message_from_bytes(found.get_bytes(key), EmailMessage, policy=policy.default) for key in found.iterkeys()
        ]

    def empty(self) -> None:
        shutil.rmtree(self._path)


class Journey:
    """What is under way when the process dies, and how it goes on with the next."""

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
        """Walk to where the step begins."""
        raise NotImplementedError

    async def go_on(self, portal: Portal) -> None:
        """Repeat the step, or do without; to the point where only the link is left to be used."""

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Portal]:
        """The service, started anew."""
        settings = self.settings.replace(rate_limits=self.limits)
        relay = build_relay(settings, clock=self.clock, concurrent_sendings=1)
        async with client_of(build_app(self.settings, clock=self.clock, hasher=CHEAP_HASHER)) as http:
            yield Portal(http, captcha=FixedAnswer(), relay=relay, letterbox=Letterbox())

    async def finish(self, portal: Portal) -> None:
        """Whatever has happened, the person gets the mails and ends with the account."""
        await self.drain(portal)
        if not await Account.exists(email_canonical=EMAIL):
            token = await self.usable_token(portal)
            if token is None:  # It has waited too long, for the other mails or for the hour of a full mailbox.
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
        """Let time pass, leases run out with it, until nothing waits any more."""
        for _ in range(200):
            message = await OutboxMessage.filter(state=MessageState.QUEUED).order_by("available_at").first()
            if message is None:
                return
            self.clock.now = max(self.clock.now, message.available_at)
            if not await portal.relay.deliver_due():  # Somebody who has died holds another message to this mailbox.
                self.clock.now += LEASE
        raise AssertionError("The outbox doesn't get empty.")

    async def begin(self, portal: Portal) -> None:
        self.id = (await portal.create_account())["id"]

    async def verify(self, portal: Portal) -> None:
        verified = await portal.verify_captcha(self.id, portal.captcha.answer)
        assert verified["__typename"] == "ActivationMailSent", verified


class CreatingAccount(Journey):
    """createAccount; a person who got no answer sends the form again."""

    expected = "PendingRegistration"
    most_registrations = 2

    async def prepare(self, portal: Portal) -> Step:
        return Request(CREATE_ACCOUNT, {"input": form()})

    async def go_on(self, portal: Portal) -> None:
        await self.begin(portal)
        await self.verify(portal)
        assert await Registration.all().count() <= self.most_registrations


class CreatingAccountUnderKey(CreatingAccount):
    """The same with an idempotency key: it stays one registration."""

    most_registrations = 1

    def __init__(self, settings: Settings, clock: Clock) -> None:
        super().__init__(settings, clock)
        self.key = new_key()

    async def prepare(self, portal: Portal) -> Step:
        return Request(CREATE_ACCOUNT, {"input": form(idempotencyKey=self.key)})

    async def begin(self, portal: Portal) -> None:
        self.id = (await portal.create_account(idempotencyKey=self.key))["id"]


class CreatingAccountAgain(CreatingAccountUnderKey):
    """createAccount, repeated under its key."""

    async def prepare(self, portal: Portal) -> Step:
        await self.begin(portal)
        return await super().prepare(portal)


class RenewingCaptcha(Journey):
    """renewCaptcha; whatever picture the person looks at in the end is the one that counts."""

    expected = "PendingRegistration"

    async def prepare(self, portal: Portal) -> Step:
        await self.begin(portal)
        return Request(RENEW_CAPTCHA, {"registrationId": self.id})

    async def go_on(self, portal: Portal) -> None:
        assert (await portal.renew_captcha(self.id))["attemptsLeft"] == 5
        await self.verify(portal)


class AnsweringRightly(Journey):
    """verifyCaptcha with the right answer, which a person who heard nothing gives again."""

    expected = "ActivationMailSent"

    async def prepare(self, portal: Portal) -> Step:
        await self.begin(portal)
        return self.answering(FixedAnswer.answer)

    async def go_on(self, portal: Portal) -> None:
        await self.verify(portal)

    def answering(self, answer: str) -> Step:
        return Request(VERIFY_CAPTCHA, {"input": {"registrationId": self.id, "answer": answer}})


class AnsweringRightlyAgain(AnsweringRightly):
    """The right answer, after it was taken."""

    async def prepare(self, portal: Portal) -> Step:
        step = await super().prepare(portal)
        await self.verify(portal)
        return step


class AnsweringWrongly(AnsweringRightly):
    """verifyCaptcha with a wrong answer: it costs one attempt, or none."""

    expected = "CaptchaRejected"

    async def prepare(self, portal: Portal) -> Step:
        await self.begin(portal)
        return self.answering(FixedAnswer.wrong_answer)

    async def go_on(self, portal: Portal) -> None:
        rejected = await portal.verify_captcha(self.id, portal.captcha.wrong_answer)
        assert rejected["registration"]["attemptsLeft"] in {3, 4}
        await self.verify(portal)


class AskingForLinkAgain(Journey):
    """resendActivationMail, by a person who has got no mail, or lost it."""

    expected = "ActivationMailRequested"

    async def prepare(self, portal: Portal) -> Step:
        await portal.sign_up()
        return Request(RESEND_ACTIVATION_MAIL, {"email": EMAIL})

    async def go_on(self, portal: Portal) -> None:
        requested = await portal.resend_activation_mail(EMAIL)
        assert requested["__typename"] == "ActivationMailRequested"


class WithLink(Journey):
    """A person who has got the link, and a step that uses nothing up."""

    async def prepare(self, portal: Portal) -> Step:
        self.token = await self.a_token(portal)
        return self.step()

    def step(self) -> Step:
        raise NotImplementedError

    async def a_token(self, portal: Portal, email: str = EMAIL, **changes: str) -> str:
        """The link of one more attempt of *email*."""
        before = {token_in(mail) for mail in with_link(self.folder.messages)}
        await portal.sign_up(email=email, **changes)
        await portal.relay.deliver_due()
        (token,) = {token_in(mail) for mail in with_link(self.folder.messages)} - before
        return token

    async def go_on(self, portal: Portal) -> None:
        assert (await portal.inspect_activation_link(self.token))["state"] == "USABLE"


class InspectingLink(WithLink):
    """inspectActivationLink."""

    expected = "ActivationLink"

    def step(self) -> Step:
        return Request(INSPECT_ACTIVATION_LINK, {"token": self.token})


class CheckingPassword(WithLink):
    """checkPassword with the token of a link."""

    expected = "PasswordCheck"

    def step(self) -> Step:
        return Request(CHECK_PASSWORD, {"input": {"password": PASSWORD, "activationToken": self.token}})


class Founding(WithLink):
    """activateAccount, for the first of an organisation: it happens once, and who repeats it is told that it did."""

    expected = "AccountActivated"
    once_done: ClassVar[str] = "ACTIVATION_LINK_USED"

    def step(self) -> Step:
        typed = {"token": self.token, "password": PASSWORD, "passwordConfirmation": PASSWORD}
        return Request(ACTIVATE_ACCOUNT, {"input": typed})

    async def go_on(self, portal: Portal) -> None:
        done = await Account.exists(email_canonical=EMAIL)
        answer = await portal.activate_account(self.token)
        assert (answer["__typename"], answer.get("code")) == (
            ("ActivationLinkRefused", self.once_done) if done else ("AccountActivated", None)
        )


class FoundingWithoutIdentifier(Founding):
    """The same for an organisation that can't be looked up, as one that is still being founded."""

    async def a_token(self, portal: Portal, email: str = EMAIL, **changes: str) -> str:
        unlisted: Answer = {"organisation": {"identifier": {"type": "AUTRE", "value": "EN-COURS"}, "name": "Exemple"}}
        return await super().a_token(portal, email, **unlisted)


class Joining(Founding):
    """activateAccount, for somebody whose organisation is on the portal."""

    async def prepare(self, portal: Portal) -> Step:
        await portal.activate_account(await self.a_token(portal, ELSE, firstName="Dominique"))
        return await super().prepare(portal)


class FollowingSecondLink(Founding):
    """activateAccount by the link of a second attempt, while that of the first is unused; the first is used then."""

    once_done = "ACTIVATION_LINK_SUPERSEDED"

    async def prepare(self, portal: Portal) -> Step:
        first = await self.a_token(portal, firstName="Aurore")
        step = await super().prepare(portal)
        self.token = first
        return step


class FollowingLateLink(Founding):
    """activateAccount by the link of a second attempt, once the first has become the account."""

    expected = "ActivationLinkRefused"
    once_done = "ACTIVATION_LINK_SUPERSEDED"

    async def prepare(self, portal: Portal) -> Step:
        first = await self.a_token(portal, firstName="Aurore")
        step = await super().prepare(portal)
        await portal.activate_account(first)
        return step


class SendingBothMails(Journey):
    """The relay, with summary and link."""

    expected = "sent"
    step: ClassVar[Step] = Delivery()

    async def prepare(self, portal: Portal) -> Step:
        await portal.sign_up()
        return self.step


class FailingToSend(SendingBothMails):
    """The relay, while the mail server is away."""

    expected = "failed"
    step = Delivery(is_away=True)


class TellingOfAccount(SendingBothMails):
    """The relay, with an attempt of somebody who has an account."""

    async def prepare(self, portal: Portal) -> Step:
        await portal.sign_up()
        await self.finish(portal)
        await portal.sign_up(firstName="Mallory")
        return self.step


class SendingLinkAgain(SendingBothMails):
    """The relay, with the link that was asked for again."""

    async def prepare(self, portal: Portal) -> Step:
        await portal.sign_up()
        await portal.relay.deliver_due()
        await portal.resend_activation_mail(EMAIL)
        return self.step


class Deferring(SendingBothMails):
    """The relay, with more mails than the mailbox may get in an hour."""

    limits = "mailbox=1/hour"
    step = Delivery(limits=limits)

    async def prepare(self, portal: Portal) -> Step:
        for name in ("Aurore", "Blaise"):
            await portal.sign_up(firstName=name)
        return self.step


class Merging(Deferring):
    """The relay, with what was deferred and goes into one mail."""

    async def prepare(self, portal: Portal) -> Step:
        step = await super().prepare(portal)
        await portal.relay.deliver_due()
        self.clock.advance(minutes=62)
        return step


class Purging(WithLink):
    """The purge, with an old attempt that came to an account, one that did not, and a fresh one."""

    expected = "registrations"

    async def prepare(self, portal: Portal) -> Step:
        await portal.activate_account(await self.a_token(portal, ELSE))
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
    """All that lead somewhere."""
    found: list[type[Journey]] = []
    families = [Journey]
    while families:
        families.extend(families[0].__subclasses__())
        found.append(families.pop(0))
    return [journey for journey in found if hasattr(journey, "expected")]


@pytest.mark.parametrize("kind", journeys(), ids=lambda kind: kind.__name__)
async def test_nothing_is_lost_whenever_the_process_dies(
    settings: Settings, clock: Clock, tmp_path: Path, kind: type[Journey]
) -> None:
    """Killed at any point, a step has happened or has not; the person goes on, and gets both mails and one account."""
    journey = kind(settings, clock)
    async with journey.service() as portal:
        step = await journey.prepare(portal)
    begun, saved = clock(), await Saved.of(settings, tmp_path)
    undisturbed = await live(step, journey.settings, begun)
    await check(journey, undisturbed.answer)
    for death, statement in enumerate(undisturbed.came_to, start=1):
        clock.now = begun
        await saved.put_back()
        life = await live(step, journey.settings, begun, death=death)
        assert (life.came_to[-1], life.answer) == (statement, None)
        await check(journey, None)


async def test_each_statement_and_each_mail_is_a_point_to_die_at(settings: Settings, clock: Clock) -> None:
    """No part of a transaction, and no mail, passes the count: a driver that has changed would be noticed here."""
    for kind, parts in (
        (Founding, ["BEGIN", "UPDATE", "SAVEPOINT", "INSERT", "RELEASE", "INSERT", "COMMIT", "the answer"]),
        (SendingBothMails, ["SELECT", "a mail to send", "a mail that is sent", "UPDATE", "the answer"]),
    ):
        journey = kind(settings, clock)
        async with journey.service() as portal:
            step = await journey.prepare(portal)
        came_to = iter((await live(step, journey.settings, clock())).came_to)
        assert [part for part in parts if any(what.startswith(part) for what in came_to)] == parts


async def check(journey: Journey, answer: Answer | None) -> None:
    """The service is started again: all is whole, what was answered is so, and the person gets to the end."""
    async with journey.service() as portal:
        assert await half_done(now=journey.clock()) == []
        if answer is not None:
            await check_answer(journey, answer)
        await journey.go_on(portal)
        await journey.finish(portal)
        assert await half_done(now=journey.clock()) == []
        assert await not_sent(journey.folder.messages) == []
        assert await not_the_same(journey.folder.messages) == []


async def check_answer(journey: Journey, answer: Answer) -> None:
    if "data" not in answer:  # Of the relay, or the purge.
        assert answer[journey.expected] > 0
        assert answer.get("sent", 0) <= len(journey.folder.messages)
        return
    (value,) = answer["data"].values()
    assert value["__typename"] == journey.expected
    assert await is_kept(value, registration_id=journey.id)
