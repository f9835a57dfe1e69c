"""Health checks for load balancers and supervisors: is the process alive, is it ready?"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from api.http.paths import HEALTH_LIVE, HEALTH_READY
from api.logs import trace_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
WAIT_SECONDS = 4.0
"""More than the probe's own deadline."""


class SharedProbe:
    """A probe that runs at most once a second. All callers of that second, or while it runs, share its result."""

    def __init__(self, probe: Callable[[], Awaitable[bool]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._probe = probe
        self._clock = clock
        self._began_at = 0.0
        self._running: asyncio.Task[bool] | None = None

    async def passes(self) -> bool:
        """Return whether the latest probe passes. One that takes too long fails for its callers, and keeps running."""
        if self._running is None or (self._running.done() and self._clock() - self._began_at >= EVERY_SECONDS):
            self._began_at = self._clock()
            self._running = asyncio.ensure_future(self._probe())
            self._running.add_done_callback(_log_failure)
        running = self._running
        await asyncio.wait([running], timeout=WAIT_SECONDS)  # A caller that leaves doesn't cancel it for others.
        return running.done() and not running.cancelled() and running.exception() is None and running.result()


def _log_failure(probe: asyncio.Task[bool]) -> None:
    if not probe.cancelled() and (failure := probe.exception()) is not None:
        logger.error("The probe of readiness fails\n%s", trace_of(failure))


def health_routes(is_ready: Callable[[], Awaitable[bool]]) -> list[BaseRoute]:
    """Return the routes `/health/live` and `/health/ready`."""
    probe = SharedProbe(is_ready)

    async def ready(_: Request) -> Response:
        passes = await probe.passes()
        return JSONResponse({"status": "ready" if passes else "not ready"}, 200 if passes else 503)

    return [Route(HEALTH_LIVE, _live), Route(HEALTH_READY, ready)]


async def _live(_: Request) -> Response:
    return JSONResponse({"status": "live"})
