"""Retention: data that is deleted after it has served its purpose, and data that stays."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

import pytest

from models.account import Account, Membership
from models.activation import LINK_LIFETIME, ActivationToken
from models.organisation import Organisation
from models.outbox import MessageKind, MessageState, OutboxMessage
from models.registration import Registration
from models.retention import purge
from tests.support.client import Portal, token_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.doubles import Clock

pytestmark = pytest.mark.anyio

EMAIL = "camille.durand@exemple.fr"
NOTHING = {"registrations": 0, "links": 0, "messages": 0}
A_MOMENT = timedelta(microseconds=1)

Way: TypeAlias = "Callable[[Portal], Awaitable[None]]"


async def started(portal: Portal) -> None:
    """Make a registration whose captcha was never answered."""
    await portal.create_account()


async def verified(portal: Portal) -> None:
    """Make a registration whose two mails are still to be sent."""
    await portal.sign_up()


async def mailed(portal: Portal) -> None:
    """Make a registration whose link was never used."""
    await portal.activation_token()


async def activated(portal: Portal) -> None:
    """Make an account."""
    await portal.account()


async def rows() -> dict[str, int]:
    """Return the number of rows of each table that a purge may touch, or must not."""
    tables = (Registration, ActivationToken, OutboxMessage, Account, Organisation, Membership)
    return {table.__name__: await table.all().count() for table in tables}


@pytest.mark.parametrize(
    ("way", "lifetime", "left"),
    [
        (started, timedelta(minutes=30), {}),
        (verified, timedelta(days=7), {"OutboxMessage": 2}),
        (mailed, timedelta(days=7), {}),
        (activated, timedelta(days=7), {"Account": 1, "Organisation": 1, "Membership": 1}),
    ],
)
async def test_an_expired_registration_is_deleted(
    portal: Portal, clock: Clock, way: Way, lifetime: timedelta, left: dict[str, int]
) -> None:
    """A registration stays for its life and an hour more, and goes with its links; a second purge finds nothing."""
    await way(portal)
    clock.now += lifetime + LINK_LIFETIME - A_MOMENT
    await purge(now=clock())
    assert (await rows())["Registration"] == 1
    clock.now += A_MOMENT
    assert await purge(now=clock()) == {"registrations": 1, "links": int(way in {mailed, activated}), "messages": 0}
    assert {table: count for table, count in (await rows()).items() if count} == left
    assert await purge(now=clock()) == NOTHING


async def test_links_go_with_their_registration(portal: Portal, clock: Clock) -> None:
    """Links of a deleted registration are unknown; those of another attempt still work."""
    old = await portal.activation_token()
    clock.advance(days=7, minutes=30)
    young = await portal.activation_token(firstName="Dominique")
    clock.advance(minutes=30)
    assert await purge(now=clock()) == {"registrations": 1, "links": 1, "messages": 2}
    assert (await portal.inspect_activation_link(old))["state"] == "UNKNOWN"
    assert (await portal.inspect_activation_link(young))["firstName"] == "Dominique"


async def test_the_last_link_works_for_its_whole_time(portal: Portal, clock: Clock) -> None:
    """A link sent in the last second of the seven days still activates after 59 minutes, purged or not."""
    await portal.activation_token()
    clock.now += timedelta(days=7) - timedelta(seconds=1)
    await portal.resend_activation_mail(EMAIL)
    (mail,) = await portal.deliver()
    clock.advance(minutes=59)
    await purge(now=clock())
    assert (await portal.activate_account(token_in(mail)))["__typename"] == "AccountActivated"


async def test_a_link_can_be_asked_for_until_the_last_moment(portal: Portal, clock: Clock) -> None:
    """A verified registration survives purges for seven days, in which its link can be sent again."""
    await portal.activation_token()
    for _ in range(7):
        clock.now += timedelta(days=1) - A_MOMENT
        await purge(now=clock())
    await portal.resend_activation_mail(EMAIL)
    (mail,) = await portal.deliver()
    assert (await portal.activate_account(token_in(mail)))["__typename"] == "AccountActivated"


async def test_a_used_registration_is_deleted_and_its_account_stays(portal: Portal, clock: Clock) -> None:
    """A used registration is deleted; the account, its organisation and its membership stay."""
    token = await portal.activation_token()
    await portal.activate_account(token)
    clock.advance(days=7, hours=1)
    await purge(now=clock())
    assert (await portal.inspect_activation_link(token))["state"] == "UNKNOWN"
    assert (await portal.find_organisation("73282932000074"))["onPortal"] is True
    membership = await Membership.get(account__email=EMAIL)
    assert (membership.role, membership.status) == ("MANAGER", "ACTIVE")


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("state", MessageState)
async def test_finished_messages_are_deleted_after_a_week(clock: Clock, state: MessageState) -> None:
    """Sent, superseded and abandoned messages are deleted a week later; queued messages never are."""
    await OutboxMessage.enqueue(MessageKind.RESEND, EMAIL, language="fr", now=clock() - timedelta(days=365))
    message = await OutboxMessage.claim("relay", now=clock())
    assert message is not None
    if state is MessageState.QUEUED:
        await OutboxMessage.postpone([message], clock(), "relay")
        clock.advance(days=365)
        assert await purge(now=clock()) == NOTHING
        return
    await OutboxMessage.finish([message], state, "relay", now=clock())
    clock.now += timedelta(days=7) - A_MOMENT
    assert await purge(now=clock()) == NOTHING
    clock.now += A_MOMENT
    assert await purge(now=clock()) == NOTHING | {"messages": 1}


async def test_a_message_that_outlives_its_registration_is_superseded(portal: Portal, clock: Clock) -> None:
    """A message that outlives its registration is superseded: no link leads to deleted data."""
    await portal.sign_up()
    clock.advance(days=8)
    await purge(now=clock())
    assert await portal.deliver() == []
    assert [message.state for message in await OutboxMessage.all()] == [MessageState.SUPERSEDED] * 2
    clock.advance(days=7)
    assert await purge(now=clock()) == NOTHING | {"messages": 2}
