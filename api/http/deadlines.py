"""Time limits of one connection, none of which cancels another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """A limit for one cause: it runs from when it is set, until it is cancelled or has passed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_expiry: Callable[[], None]) -> None:
        self._loop = loop
        self._on_expiry = on_expiry
        self._timer: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        return self._timer is not None

    def set(self, seconds: float) -> None:
        """Let the limit pass in *seconds* from now."""
        self.cancel()
        self._timer = self._loop.call_later(seconds, self._expire)

    def cancel(self) -> None:
        """Let the limit never pass."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        self._on_expiry()
