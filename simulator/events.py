"""Waits for a condition without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Changes:
    """Wakes everyone who waits, each time something has changed."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._wakers: set[asyncio.Task[None]] = set()

    def notify(self) -> None:
        waker = asyncio.create_task(self._wake())
        self._wakers.add(waker)
        waker.add_done_callback(self._wakers.discard)

    async def until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until the condition holds. Returns False if it does not in time (seconds)."""
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            return False
        return True

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()
