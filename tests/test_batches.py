"""Batches: questions of the same moment share a query, and no caller harms another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from api.batches import Batches
from tests.support.lines import GUARD_SECONDS

pytestmark = pytest.mark.anyio


class Oracle:
    """Answers a question by its square, when a test opens the gate. It fails for a negative number."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_busy = asyncio.Event()

    async def query(self, questions: Sequence[int]) -> list[int]:
        self.asked.append(list(questions))
        self.is_busy.set()
        await self.gate.wait()
        if min(questions) < 0:
            raise ArithmeticError(questions)
        return [question**2 for question in questions]

    async def hold(self, batches: Batches[int, int], question: int) -> asyncio.Task[int]:
        """Ask *question*, and return while its query runs."""
        self.gate.clear()
        self.is_busy.clear()
        held = asyncio.create_task(batches.ask(question))
        await self.is_busy.wait()
        return held


async def test_questions_of_one_moment_share_a_query() -> None:
    """Questions of one moment are one query, and each has its own answer."""
    oracle = Oracle()
    batches = Batches(oracle.query)
    assert await asyncio.gather(*map(batches.ask, (1, 2, 3))) == [1, 4, 9]
    assert oracle.asked == [[1, 2, 3]]


async def test_questions_that_come_during_a_query_share_the_next() -> None:
    """Questions that come while a query runs wait for its end, and are the next query together."""
    oracle = Oracle()
    batches = Batches(oracle.query)
    first = await oracle.hold(batches, 1)
    later = [asyncio.create_task(batches.ask(question)) for question in (2, 3)]
    await asyncio.sleep(0)
    assert oracle.asked == [[1]]
    oracle.gate.set()
    assert await asyncio.gather(first, *later) == [1, 4, 9]
    assert oracle.asked == [[1], [2, 3]]


async def test_answer_is_not_kept() -> None:
    """A question that comes later is asked again."""
    oracle = Oracle()
    batches = Batches(oracle.query)
    assert [await batches.ask(1), await batches.ask(1)] == [1, 1]
    assert oracle.asked == [[1], [1]]


async def test_caller_who_goes_harms_no_other() -> None:
    """Callers who are cancelled, before or during the query, take no answer from those of the same query."""
    oracle = Oracle()
    batches = Batches(oracle.query)
    gone, staying = [asyncio.create_task(batches.ask(question)) for question in (1, 2)]
    await asyncio.sleep(0)
    gone.cancel()
    assert await staying == 4
    running = await oracle.hold(batches, 3)
    waiting, next_one = [asyncio.create_task(batches.ask(question)) for question in (4, 5)]
    await asyncio.sleep(0)
    running.cancel()
    waiting.cancel()
    oracle.gate.set()
    assert await next_one == 25
    assert gone.cancelled()
    assert running.cancelled()
    assert waiting.cancelled()


async def test_failure_reaches_all_who_share_the_query_and_nobody_else() -> None:
    """Each caller gets the failure of the query that was shared; the next query is not affected."""
    oracle = Oracle()
    batches = Batches(oracle.query)
    failed = await oracle.hold(batches, -1)
    gone, later = [asyncio.create_task(batches.ask(question)) for question in (-2, -3)]
    await asyncio.sleep(0)
    gone.cancel()
    oracle.gate.set()
    for caller in (failed, later):
        with pytest.raises(ArithmeticError):
            await caller
    assert await batches.ask(4) == 16


async def test_query_that_breaks_its_promise_leaves_nobody_waiting() -> None:
    """If the query has too few answers, those who share it get its failure, and the next ask anew."""

    async def forget(questions: Sequence[int]) -> list[int]:
        return list(questions)[1:]

    batches = Batches(forget)
    async with asyncio.timeout(GUARD_SECONDS):
        first, second = await asyncio.gather(batches.ask(1), batches.ask(2), return_exceptions=True)
        assert isinstance(second, ValueError)
        assert first == 2 or isinstance(first, ValueError)
        assert isinstance((await asyncio.gather(batches.ask(3), return_exceptions=True))[0], ValueError)


async def test_cancelled_query_cancels_those_who_share_it() -> None:
    """If the query is cancelled, nobody waits for its answer."""

    async def give_up(questions: Sequence[int]) -> list[int]:
        raise asyncio.CancelledError

    async with asyncio.timeout(GUARD_SECONDS):
        outcomes = await asyncio.gather(*map(Batches(give_up).ask, (1, 2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 2
