"""Retention: how long data is kept after it has served its purpose."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tortoise.expressions import Subquery

from models.activation import LINK_LIFETIME, ActivationToken
from models.outbox import MessageState, OutboxMessage
from models.registration import Registration

if TYPE_CHECKING:
    from datetime import datetime

FINISHED_MESSAGES_KEPT = timedelta(days=7)


async def purge(*, now: datetime) -> dict[str, int]:
    """Delete data that has served its purpose. Return the number of rows for each table. Idempotent.

    A registration is deleted an hour after it expires, so that a link that left at the last moment works for its full
    time. It expires half an hour after it was made, or seven days after its captcha was passed, activated or not:
    nobody who knows its id may learn from its end which it was. Its links are deleted with it. Messages are deleted a
    week after they were sent or set aside; queued messages never are.
    """
    ended = Registration.filter(expires_at__lte=now - LINK_LIFETIME)
    # Links first: SQLite would count links that are deleted by cascade as registrations.
    links = await ActivationToken.filter(registration_id__in=Subquery(ended.values("id"))).delete()
    return {
        "registrations": await ended.delete(),
        "links": links,
        "messages": await OutboxMessage.filter(finished_at__lte=now - FINISHED_MESSAGES_KEPT)
        .exclude(state=MessageState.QUEUED)
        .delete(),
    }
