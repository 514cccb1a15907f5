"""What was not sent to a client yet: bounded, so that a client that doesn't read costs little and is disconnected."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Backlog(Generic[T]):
    """A queue that refuses instead of growing."""

    def __init__(self, *, most_items: int, most_bytes: int) -> None:
        self._most_items, self._most_bytes = most_items, most_bytes
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()

    def put(self, item: T, size: int) -> bool:
        """Add an item of about ``size`` bytes; False: the queue is full."""
        if len(self._items) >= self._most_items or self._bytes + size > self._most_bytes:
            return False
        self._items.append((item, size))
        self._bytes += size
        self._filled.set()
        return True

    async def get(self) -> T:
        """Take the oldest item, waiting for one."""
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        item, size = self._items.popleft()
        self._bytes -= size
        return item
