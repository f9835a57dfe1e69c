"""How long data is kept that serves no purpose any more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from models.outbox import MessageState, OutboxMessage
from models.registration import ActivationToken, Registration

if TYPE_CHECKING:
    from datetime import datetime

FINISHED_MESSAGES_KEPT = timedelta(days=7)
DEAD_TOKENS_KEPT = timedelta(days=7)


async def purge(*, now: datetime) -> dict[str, int]:
    """Delete what has outlived its purpose; how many rows of each table. Idempotent.

    Registrations go at the end of their life: half an hour without a captcha, seven days without an activation
    (and, with all that they repeat of the account, seven days after one). Their links go with them. Messages go
    a week after they were sent or set aside; one that is queued never does.
    """
    return {
        "registrations": await Registration.filter(expires_at__lte=now).delete(),
        "links": await ActivationToken.filter(expires_at__lte=now - DEAD_TOKENS_KEPT).delete(),
        "messages": await OutboxMessage.filter(finished_at__lte=now - FINISHED_MESSAGES_KEPT)
        .exclude(state=MessageState.QUEUED)
        .delete(),
    }
