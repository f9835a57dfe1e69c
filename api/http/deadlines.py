"""Time limits of one connection, each independent of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """A limit for one cause. It is true while it runs: from when it is set until it is cancelled or expires.

    Each request sets and cancels deadlines that nearly never expire. So the timer of the event loop stays when one is
    cancelled, and serves the next.
    """

    __slots__ = ("_expires_at", "_loop", "_on_expiry", "_timer", "_wakes_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_expiry: Callable[[], None]) -> None:
        self._loop = loop
        self._on_expiry = on_expiry
        self._expires_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = 0.0

    def __bool__(self) -> bool:
        return self._expires_at is not None

    def set(self, seconds: float) -> None:
        """Expire in *seconds* from now, and at no other time."""
        self._expires_at = self._loop.time() + seconds
        if self._timer is None or self._wakes_at > self._expires_at:
            self._wake_at(self._expires_at)

    def cancel(self) -> None:
        """Never expire, unless it is set again."""
        self._expires_at = None

    def close(self) -> None:
        """Never expire, and leave nothing in the event loop."""
        self._expires_at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake_at(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._wakes_at = self._loop.call_at(moment, self._wake), moment

    def _wake(self) -> None:
        self._timer = None
        if self._expires_at is None:
            return
        if self._loop.time() < self._expires_at:
            self._wake_at(self._expires_at)
            return
        self._expires_at = None
        self._on_expiry()
