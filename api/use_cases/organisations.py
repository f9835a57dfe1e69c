"""Look-ups of organisations: their limit, and the query that look-ups of the same moment share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import chain
from typing import TypeAlias

from api.batches import Batches
from api.caller import Caller
from api.limits.rate_limits import RateLimits
from api.refusals import FieldRefusal, InvalidInput
from models.field_problems import FieldProblemCode
from models.identifiers import Identifier
from models.organisation import KnownOrganisation

Found: TypeAlias = Mapping[Identifier, KnownOrganisation]

MAX_IDENTIFIERS = 100


class LookUps:
    """Look-ups of all callers. Those that come while a query runs share the next. Nothing is cached."""

    def __init__(self, find: Callable[[Sequence[Identifier]], Awaitable[Found]], *, limits: RateLimits) -> None:
        self._find = find
        self._limits = limits
        self._batches: Batches[Sequence[Identifier], Found] = Batches(self._find_together)

    async def admit(self, number: int, caller: Caller) -> None:
        """Count *number* look-ups of one call. A list that is refused counts as the longest possible.

        :raises TooManyRequests: the caller's network has no look-ups left.
        :raises InvalidInput: that is more than `MAX_IDENTIFIERS` at once.
        """
        await self._limits.enforce("organisation", caller.network, cost=min(max(1, number), MAX_IDENTIFIERS))
        if number > MAX_IDENTIFIERS:
            parameters = {"max": MAX_IDENTIFIERS}
            raise InvalidInput([FieldRefusal(("identifiers",), FieldProblemCode.TOO_MANY_ITEMS, parameters)])

    async def find(self, identifiers: Sequence[Identifier]) -> Found:
        """Return what is known of *identifiers*. Raise what the query raises.

        The answer has what was found for others in the same query, too.
        """
        return await self._batches.ask(identifiers) if identifiers else {}

    async def _find_together(self, asked: Sequence[Sequence[Identifier]]) -> Sequence[Found]:
        distinct = list(dict.fromkeys(chain.from_iterable(asked)))
        return [await self._find(distinct)] * len(asked)
