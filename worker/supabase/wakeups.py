"""Realtime as a hint: rows that changed set events, nothing more. What a hint misses, the poll finds.

The client dies quietly in several ways (docs/architecture.md), so it is watched and made anew with our own backoff. It
counts as live when a canary has come through: a row of the worker's own that it changes and must hear of.
"""

import asyncio
import random
from collections.abc import Callable
from uuid import UUID

import structlog

from worker.backoff import delay
from worker.errors import HeraldError
from worker.supabase.client import Database
from worker.supabase.subscription import Subscription, SubscriptionLost

log = structlog.get_logger()

#: Seconds between two canaries, and until the next try to write one that could not be written.
CANARY_EVERY_SECONDS, CANARY_AGAIN_SECONDS = 60.0, 5.0

#: A client that lived so long had nothing wrong with it: the next one is made at once. One that keeps dying young,
#: even after it was subscribed, is made at growing distances, at most this long; both in seconds.
STABLE_SECONDS, LONGEST_PAUSE_SECONDS = 30.0, 15.0


class Wakeups:
    """Calls ``hint(name, after)`` for every change; name is queue, sessions or commands.

    after: seconds until there is something to do: a message may be due in a year.
    live: whether the last canary came through.
    """

    def __init__(
        self,
        database: Database,
        url: str,
        key: str,
        run: UUID,
        hint: Callable[[str, float], None],
        canary_every: float = CANARY_EVERY_SECONDS,
    ) -> None:
        self._database = database
        self._url = url
        self._key = key
        self._run = run
        self._hint = hint
        self._canary_every = canary_every
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self.live = False

    async def run(self) -> None:
        """Keep a subscription alive until cancelled."""
        clock = asyncio.get_running_loop().time
        failures = 0
        while True:
            started = clock()
            await self._one_client()
            failures = 1 if clock() - started >= STABLE_SECONDS else failures + 1
            await asyncio.sleep(delay(failures, self._rng, base=0.5, cap=LONGEST_PAUSE_SECONDS))

    async def _one_client(self) -> None:
        """Subscribe, and watch until the client is dead."""
        subscription = Subscription(self._url, self._key, self._run, self._hint)
        try:
            await subscription.open()
            while True:
                await subscription.watch(await self._prove(subscription))
        except SubscriptionLost as lost:
            log.warning("realtime_lost", kind=lost.kind)
        finally:
            self.live = False
            await subscription.close()

    async def _prove(self, subscription: Subscription) -> float:
        """Send a canary through; the seconds until the next. Raises SubscriptionLost if it is not heard."""
        try:
            beat = await self._database.call("whatsapp_realtime_canary", {"p_run": str(self._run)}, attempts=1)
        except HeraldError as error:
            log.warning("realtime_unproven", error=error)  # says nothing about Realtime
            return CANARY_AGAIN_SECONDS
        await subscription.expect_canary(beat)
        if not self.live:
            log.info("realtime_subscribed")
        self.live = True
        return self._canary_every
