"""Look-ups of organisations, from whatever requests, in as few queries as possible."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from models.identifiers import Identifier
from models.organisation import KnownOrganisation

Found: TypeAlias = KnownOrganisation | None


class LookUps:
    """Those that come while a query is under way wait for it, and share the next one. Nothing is cached."""

    def __init__(self, find: Callable[[Sequence[Identifier]], Awaitable[Sequence[Found]]]) -> None:
        self._find = find
        self._waiting: dict[Identifier, asyncio.Future[Found]] = {}
        self._under_way: asyncio.Task[None] | None = None

    async def find(self, identifier: Identifier) -> Found:
        """What *find* knows of *identifier*, or what it raises."""
        answer = self._waiting.get(identifier)
        if answer is None:
            answer = self._waiting[identifier] = asyncio.get_running_loop().create_future()
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._answer_in_turn())
        return await asyncio.shield(answer)

    async def _answer_in_turn(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # Let those of the same moment come.
            asked, self._waiting = self._waiting, {}
            try:
                found = await self._find(list(asked))
            except Exception as exc:
                for answer in asked.values():
                    answer.set_exception(exc)
                    answer.exception()  # Retrieved, in case that the caller has gone.
            else:
                for answer, organisation in zip(asked.values(), found, strict=True):
                    answer.set_result(organisation)
