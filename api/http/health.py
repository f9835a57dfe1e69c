"""Health checks for balancers and supervisors: the process lives, and it is ready."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from api.logs import trace_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
WAIT_SECONDS = 4.0
"""Longer than a probe takes by its own deadline."""


class SharedProbe:
    """A probe whose result serves everybody who asks within a second of its beginning, or while it runs."""

    def __init__(self, probe: Callable[[], Awaitable[bool]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._probe = probe
        self._clock = clock
        self._began_at = 0.0
        self._running: asyncio.Task[bool] | None = None

    async def passes(self) -> bool:
        """Whether the newest probe passes; one that takes too long fails for those who wait, and isn't repeated."""
        if self._running is None or (self._running.done() and self._clock() - self._began_at >= EVERY_SECONDS):
            self._began_at = self._clock()
            self._running = asyncio.ensure_future(self._probe())
            self._running.add_done_callback(_log_failure)
        running = self._running
        await asyncio.wait([running], timeout=WAIT_SECONDS)  # A caller that goes away doesn't cancel it for others.
        return running.done() and not running.cancelled() and running.exception() is None and running.result()


def _log_failure(probe: asyncio.Task[bool]) -> None:
    if not probe.cancelled() and (failure := probe.exception()) is not None:
        logger.error("The probe of readiness fails\n%s", trace_of(failure))


def health_routes(is_ready: Callable[[], Awaitable[bool]]) -> list[BaseRoute]:
    """`/health/live` and `/health/ready`."""
    probe = SharedProbe(is_ready)

    async def ready(_: Request) -> Response:
        passes = await probe.passes()
        return JSONResponse({"status": "ready" if passes else "not ready"}, 200 if passes else 503)

    return [Route("/health/live", _live), Route("/health/ready", ready)]


async def _live(_: Request) -> Response:
    return JSONResponse({"status": "live"})
