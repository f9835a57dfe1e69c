"""Look-ups of organisations: their limit, and the query that look-ups of the same moment share."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from api.caller import Caller
from api.limits.rate_limits import RateLimits
from api.refusals import FieldRefusal, InvalidInput
from models.field_problems import FieldProblemCode
from models.identifiers import Identifier
from models.organisation import KnownOrganisation

Found: TypeAlias = KnownOrganisation | None

MAX_IDENTIFIERS = 100


class LookUps:
    """Shares queries: look-ups that come while a query runs wait for it, and share the next. Nothing is cached."""

    def __init__(
        self, find: Callable[[Sequence[Identifier]], Awaitable[Sequence[Found]]], *, limits: RateLimits
    ) -> None:
        self._find = find
        self._limits = limits
        self._waiting: defaultdict[Identifier, list[asyncio.Future[Found]]] = defaultdict(list)
        self._under_way: asyncio.Task[None] | None = None

    async def admit(self, number: int, caller: Caller) -> None:
        """Count *number* look-ups of one call. A list that is refused counts as the longest possible.

        :raises TooManyRequests: the caller's network has no look-ups left.
        :raises InvalidInput: that is more than `MAX_IDENTIFIERS` at once.
        """
        await self._limits.enforce("organisation", caller.network, cost=min(max(1, number), MAX_IDENTIFIERS))
        if number > MAX_IDENTIFIERS:
            parameters = {"max": MAX_IDENTIFIERS}
            raise InvalidInput([FieldRefusal(("identifiers",), FieldProblemCode.TOO_MANY_ITEMS, parameters)])

    async def find(self, identifier: Identifier) -> Found:
        """Return the organisation of *identifier*, or None. Raise what the query raises."""
        answer: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._waiting[identifier].append(answer)
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._answer_in_turn())
        return await answer

    async def _answer_in_turn(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # Let those of the same moment come.
            asked, self._waiting = self._waiting, defaultdict(list)
            try:
                found = await self._find(list(asked))
            except Exception as exc:
                for answers in asked.values():
                    for answer in _still_awaited(answers):
                        answer.set_exception(exc)
            else:
                for answers, organisation in zip(asked.values(), found, strict=True):
                    for answer in _still_awaited(answers):
                        answer.set_result(organisation)


def _still_awaited(answers: list[asyncio.Future[Found]]) -> list[asyncio.Future[Found]]:
    """Return those of *answers* whose caller has not gone."""
    return [answer for answer in answers if not answer.done()]
