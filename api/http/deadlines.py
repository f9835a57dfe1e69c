"""Time limits of one connection, each independent of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """A limit for one cause. It is true while it runs: from when it is set until it is cancelled or expires."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_expiry: Callable[[], None]) -> None:
        self._loop = loop
        self._on_expiry = on_expiry
        self._timer: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        return self._timer is not None

    def set(self, seconds: float) -> None:
        """Expire in *seconds* from now, and at no other time."""
        self.cancel()
        self._timer = self._loop.call_later(seconds, self._expire)

    def cancel(self) -> None:
        """Never expire."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        self._on_expiry()
