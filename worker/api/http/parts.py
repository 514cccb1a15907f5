"""What handlers reach through ``call.parts``, and how they wait for something to happen."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from worker.api.http.limits import Limits
from worker.supabase.api_calls import ApiCalls
from worker.supabase.client import Database

T = TypeVar("T")

#: Seconds between two looks at a row while nothing reports a change: at first, and at most.
FIRST_LOOK, LAST_LOOK = 0.1, 1.0


class Changes:
    """Wakes waiting handlers when this worker writes; what others write they find by polling."""

    def __init__(self) -> None:
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._ended = False

    def tell(self, thing: UUID) -> None:
        """Wake whoever waits for this message or account."""
        for event in self._waiting.get(thing, ()):
            event.set()

    def end(self) -> None:
        """End every wait, now and later: the worker stops, and whoever waits is answered with what there is."""
        self._ended = True
        for thing in list(self._waiting):
            self.tell(thing)

    async def until(
        self, things: UUID | Sequence[UUID], look: Callable[[], Awaitable[T | None]], seconds: float
    ) -> T | None:
        """Look until there is an answer, at once after a wake-up; None when the seconds are over."""
        deadline = asyncio.get_running_loop().time() + seconds
        told = asyncio.Event()
        waited_for = [things] if isinstance(things, UUID) else things
        for thing in waited_for:
            self._waiting[thing].add(told)
        step = FIRST_LOOK
        try:
            while True:
                told.clear()
                if (answer := await look()) is not None:
                    return answer
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0 or self._ended:
                    return None
                with suppress(TimeoutError):
                    await asyncio.wait_for(told.wait(), min(step, left))
                step = min(step * 1.5, LAST_LOOK)
        finally:
            for thing in waited_for:
                self._waiting[thing].discard(told)
                if not self._waiting[thing]:
                    del self._waiting[thing]


@dataclass(frozen=True, slots=True)
class Parts:
    """What there is one of in a worker.

    calls: the database's functions beside an organisation's rows.
    wake: makes the dispatcher look at the queue after that many seconds.
    """

    database: Database
    calls: ApiCalls
    limits: Limits
    changes: Changes
    wake: Callable[[float], None]
