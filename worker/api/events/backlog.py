"""What a client has not been sent yet: bounded, so that one that doesn't read costs little and is cut off."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

#: How much may wait for one client, beside what lies in the sockets' buffers (some hundred kB).
MOST_ITEMS, MOST_BYTES = 1_000, 1024 * 1024


class Backlog(Generic[T]):
    """A queue that refuses instead of growing."""

    def __init__(self) -> None:
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()

    def put(self, item: T, size: int) -> bool:
        """Add an item of about so many bytes; False: there is too much already."""
        if len(self._items) >= MOST_ITEMS or self._bytes + size > MOST_BYTES:
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
