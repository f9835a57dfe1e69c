"""Look-ups of organisations: those of all requests of a moment share one query."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from models.identifiers import Identifier
from models.organisation import KnownOrganisation

Found: TypeAlias = KnownOrganisation | None


class LookUps:
    """Shares queries: look-ups that come while a query runs wait for it, and share the next. Nothing is cached."""

    def __init__(self, find: Callable[[Sequence[Identifier]], Awaitable[Sequence[Found]]]) -> None:
        self._find = find
        self._waiting: defaultdict[Identifier, list[asyncio.Future[Found]]] = defaultdict(list)
        self._under_way: asyncio.Task[None] | None = None

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
