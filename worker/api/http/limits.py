"""How much an organisation may ask: counted in the database, so that it holds over all workers."""

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from uuid import UUID

from worker.api.http.problem import Problem
from worker.supabase.api_calls import ApiCalls

#: Requests are taken from the database a few at a time; what is left after this many seconds is dropped.
KEEP_SECONDS = 5.0

#: At most this share of a minute's requests is taken at once, because a worker may leave it unused.
SHARE = 20

#: Polling the QR code or the status is free once in this time, for each user or key.
POLL_SECONDS = 1.0


@dataclass(slots=True)
class _Purse:
    """How many requests one organisation has left in this process, and how many were taken."""

    taken: int = 0
    left: int = 0
    until: float = 0.0
    taking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def wanted(self, now: float, keep_seconds: float) -> int:
        """How many to take next: enough that callers rarely wait; few, because unused ones count as used.

        Used up in time: twice as many. Else as many as were used, and after a pause one.
        """
        if now >= self.until + keep_seconds:
            return 1
        return max(1, self.taken * 2 if now < self.until else self.taken - self.left)


class Limits:
    """requests, sends: allowed in a minute and organisation."""

    def __init__(
        self,
        calls: ApiCalls,
        *,
        requests: int,
        sends: int,
        poll_seconds: float = POLL_SECONDS,
        keep_seconds: float = KEEP_SECONDS,
    ) -> None:
        self._calls = calls
        self._requests = requests
        self._sends = sends
        self._poll_seconds = poll_seconds
        self._keep_seconds = keep_seconds
        self._purses: defaultdict[UUID, _Purse] = defaultdict(_Purse)
        self._polled: dict[tuple[object, ...], float] = {}

    async def request(self, organization: UUID) -> None:
        """Count one request. Raises Problem 429."""
        purse = self._purses[organization]
        async with purse.taking:
            now = time.monotonic()
            if purse.left == 0 or now >= purse.until:
                wanted = min(purse.wanted(now, self._keep_seconds), max(1, self._requests // SHARE))
                granted, seconds = await self._calls.take_requests(organization, self._requests, wanted)
                if not granted:
                    raise _too_many("requests", self._requests, seconds)
                purse.taken = purse.left = granted
                purse.until = now + self._keep_seconds
            purse.left -= 1

    async def poll(self, organization: UUID, *what: object) -> None:
        """Count a request that may be repeated once a second for nothing."""
        now = time.monotonic()
        if len(self._polled) > 10_000:
            self._polled = {key: at for key, at in self._polled.items() if now - at < self._poll_seconds}
        if now - self._polled.get((organization, *what), float("-inf")) < self._poll_seconds:
            await self.request(organization)
        else:
            self._polled[organization, *what] = now

    async def send(self, organization: UUID) -> None:
        """Count one call that sends. Raises Problem 429."""
        seconds = await self._calls.take_send(organization, self._sends)
        if seconds:
            raise _too_many("send calls", self._sends, seconds)


def _too_many(what: str, limit: int, seconds: float) -> Problem:
    return Problem(
        429,
        "too-many-requests",
        f"The organisation has made its {limit} {what} of this minute.",
        "Try again when Retry-After says so. For many recipients, use one call of /api/send-bulk.",
        retry_after=seconds,
    )
