"""Media on their way to claimed messages, so that a slow host holds up its own messages and not their account.

A claim waits for its media no longer than its account pauses between two sends anyway. Then it goes back to the
queue at no cost, the fetch goes on, and the message finds its media there when it is claimed again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from worker.message import Claim
from worker.sending.media import Media

#: How long a claim waits: a share of its account's gap between two sends, with a least and a most (seconds).
#: It does not wait at all if its host lately made another wait as long.
SHARE, LEAST, MOST = 0.8, 0.1, 1.5

#: How long that counts, seconds.
SLOW_FOR = 60.0

#: How many media of one account, and of all, may be on their way or wait to be taken; each has 5 MB at most.
PER_ACCOUNT, IN_ALL = 4, 64

#: How long fetched media are kept for their message, seconds: it may be cancelled, or with another worker.
KEPT = 120.0

FetchMedia = Callable[[str], Awaitable[Media]]


@dataclass(frozen=True, slots=True)
class NotYet:
    """The media are on their way. seconds: ask again after this time."""

    seconds: float


@dataclass(slots=True)
class _Fetch:
    task: asyncio.Task[Media]
    session_id: UUID
    begun: float


@dataclass(slots=True)
class _Slow:
    """A host that made a claim wait in vain. waited: how long, seconds.  until: when that is forgotten."""

    waited: float
    until: float


class Fetches:
    """One per worker.

    fetch: raises MediaError.  gap: the least time between two sends of an account, seconds.
    """

    def __init__(
        self,
        fetch: FetchMedia,
        gap: Callable[[UUID], float],
        *,
        least: float = LEAST,
        most: float = MOST,
        kept: float = KEPT,
    ) -> None:
        self._fetch = fetch
        self._gap = gap
        self._least, self._most, self._kept = least, most, kept
        self._fetches: dict[tuple[UUID, str], _Fetch] = {}
        self._slow: dict[str, _Slow] = {}  #: by host
        self._stopping = asyncio.Event()

    async def media(self, claim: Claim, url: str) -> Media | NotYet:
        """Wait for a message's media as long as its account can spare. Raises MediaError."""
        key, host = (claim.message_id, url), _host(url)
        now = asyncio.get_running_loop().time()
        known = self._fetches.get(key)
        if known is None and not self._has_room(claim.session_id):
            return NotYet(2.0)
        fetch = known or self._begin(key, claim.session_id)
        patience = 0.0 if known else self._patience(claim.session_id, host)
        if not await self._finished(fetch.task, patience):
            if patience and not self._stopping.is_set():
                self._slow[host] = _Slow(patience, now + SLOW_FOR)
            return NotYet(max(1.0, asyncio.get_running_loop().time() - fetch.begun))
        self._fetches.pop(key, None)
        return fetch.task.result()

    def stop(self) -> None:
        """End every wait and every fetch: the worker stops."""
        self._stopping.set()
        for fetch in self._fetches.values():
            fetch.task.cancel()
        self._fetches.clear()

    def _patience(self, session_id: UUID, host: str) -> float:
        """How long an account waits for a host, seconds. One in a hurry finds no host slow for one with time."""
        patience = min(self._most, max(self._least, SHARE * self._gap(session_id)))
        slow = self._slow.get(host)
        known_slow = slow and slow.until > asyncio.get_running_loop().time() and slow.waited >= patience
        return 0.0 if known_slow else patience

    def _has_room(self, session_id: UUID) -> bool:
        ours = sum(fetch.session_id == session_id for fetch in self._fetches.values())
        return ours < PER_ACCOUNT and len(self._fetches) < IN_ALL and not self._stopping.is_set()

    def _begin(self, key: tuple[UUID, str], session_id: UUID) -> _Fetch:
        loop = asyncio.get_running_loop()
        task: asyncio.Task[Media] = asyncio.ensure_future(self._fetch(key[1]))
        self._fetches[key] = made = _Fetch(task, session_id, loop.time())

        def forget() -> None:
            if self._fetches.get(key) is made:
                del self._fetches[key]

        def ended(_: asyncio.Task[Media]) -> None:
            if not task.cancelled():
                task.exception()  # reads it, or asyncio logs it: maybe no claim asks again
            loop.call_later(self._kept, forget)

        task.add_done_callback(ended)
        return made

    async def _finished(self, task: asyncio.Task[Media], patience: float) -> bool:
        """Wait at most ``patience`` seconds, and not at all once the worker stops."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({task, stopping}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        return task.done() and not task.cancelled()


def _host(url: str) -> str:
    """The host of a URL; empty for a data: URI, or for what is no URL."""
    try:
        return urlsplit(url[:2048]).netloc
    except ValueError:
        return ""
