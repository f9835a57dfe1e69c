"""How long data is kept that serves no purpose any more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tortoise.expressions import Subquery

from models.outbox import MessageState, OutboxMessage
from models.registration import LINK_LIFETIME, ActivationToken, Registration

if TYPE_CHECKING:
    from datetime import datetime

FINISHED_MESSAGES_KEPT = timedelta(days=7)


async def purge(*, now: datetime) -> dict[str, int]:
    """Delete what has outlived its purpose; how many rows of each table. Idempotent.

    Registrations go an hour after the end of their life, so that a link that left at the last moment works for
    all of its time. Their life is half an hour without a captcha, else seven days after it, activated or not: who
    knows an id must not learn from its end which it was. Their links go with them. Messages go a week after they
    were sent or set aside; one that is queued never does.
    """
    ended = Registration.filter(expires_at__lte=now - LINK_LIFETIME)
    # Links first: SQLite would count those that go by cascade as registrations.
    links = await ActivationToken.filter(registration_id__in=Subquery(ended.values("id"))).delete()
    return {
        "registrations": await ended.delete(),
        "links": links,
        "messages": await OutboxMessage.filter(finished_at__lte=now - FINISHED_MESSAGES_KEPT)
        .exclude(state=MessageState.QUEUED)
        .delete(),
    }
