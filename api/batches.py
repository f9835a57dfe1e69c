"""Batches: questions of the same moment are answered together, by one query."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Batches(Generic[Question, Answer]):
    """Shares queries: questions that come while a query runs wait for it, and share the next. Nothing is cached."""

    def __init__(self, query: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]]) -> None:
        """*query* returns the answers to some questions, in their order."""
        self._query = query
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._under_way: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answer:
        """Return the answer to *question*. Raise what the query raises."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._answer_in_turn())
        return await answer

    async def _answer_in_turn(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # Let those of the same moment come.
            asked, self._waiting = self._waiting, []
            futures = [answer for _, answer in asked]
            try:
                answers = await self._query([question for question, _ in asked])
                for answer, found in zip(futures, answers, strict=True):
                    if not answer.done():  # Done is that of a caller who has gone.
                        answer.set_result(found)
            except BaseException as exc:
                for answer in futures:
                    if not answer.done():
                        answer.set_exception(exc) if isinstance(exc, Exception) else answer.cancel()
                if not isinstance(exc, Exception):
                    raise
