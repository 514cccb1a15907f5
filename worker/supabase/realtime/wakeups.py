"""Realtime as a hint: a row that changed sets an event, nothing more. What a hint misses, the poll finds.

The client dies silently in several ways (docs/architecture.md), so the worker watches it and replaces it with its own
backoff. It counts as live once a canary has come through: a row of the worker's own that it changes and must hear of.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from uuid import UUID

import structlog
from realtime import PostgresChangesPayload

from worker.errors import HeraldError
from worker.message import seconds_until_due
from worker.reconnect_delay import delay
from worker.supabase.client import Database
from worker.supabase.realtime.subscription import Binding, Subscription, SubscriptionLost
from worker.supabase.rows import CANARIES, COMMANDS, PRIVATE_SCHEMA, QUEUE, SESSIONS

log = structlog.get_logger()

#: Which wake-up each change is a hint for: (table, event, filter) → name.
HINTS_FOR: Mapping[tuple[str, str, str | None], str] = {
    (QUEUE, "INSERT", None): "queue",
    (QUEUE, "UPDATE", "status=eq.pending"): "queue",
    (SESSIONS, "INSERT", None): "sessions",
    (SESSIONS, "UPDATE", None): "sessions",
    (COMMANDS, "INSERT", None): "commands",
}
HINTS = frozenset(HINTS_FOR.values())

#: Seconds that a canary may take, between two canaries, and until the next try after one could not be written.
CANARY_SECONDS, CANARY_EVERY_SECONDS, CANARY_AGAIN_SECONDS = 5.0, 60.0, 5.0

#: Seconds. A connection that lived this long was sound: the next one follows at once. After one that died young, even
#: if it had subscribed, the pause grows up to the longest.
STABLE_SECONDS, LONGEST_PAUSE_SECONDS = 30.0, 15.0


class Wakeups:
    """Calls ``hint(name, after)`` for every change; name is queue, sessions or commands.

    after: seconds until there is something to do, for a message may be due in a year.
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
        self._beat_heard = 0
        self._canary_heard = asyncio.Event()
        self.live = False

    async def run(self) -> None:
        """Keep a subscription alive until cancelled."""
        clock = asyncio.get_running_loop().time
        failures = 0
        while True:
            started = clock()
            await self._one_connection()
            failures = 1 if clock() - started >= STABLE_SECONDS else failures + 1
            await asyncio.sleep(delay(failures, self._rng, base=0.5, cap=LONGEST_PAUSE_SECONDS))

    async def _one_connection(self) -> None:
        """Subscribe, and watch until the connection is dead."""
        subscription = Subscription(
            self._url,
            self._key,
            "herald-worker",
            self._bindings(),
            listening=self._hint_all,
            joined=self._hint_all,
        )
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
        try:
            async with asyncio.timeout(CANARY_SECONDS):
                while self._beat_heard < beat:
                    self._canary_heard.clear()
                    await subscription.unless_lost(self._canary_heard.wait())
        except TimeoutError:
            raise SubscriptionLost("canary_missed") from None
        if not self.live:
            log.info("realtime_subscribed")
        self.live = True
        return self._canary_every

    def _bindings(self) -> list[Binding]:
        canary = Binding(
            schema=PRIVATE_SCHEMA,
            table=CANARIES,
            event="*",
            row_filter=f"run_id=eq.{self._run}",
            heard=self._hear_canary,
        )
        hints = [
            Binding(table=table, event=event, row_filter=row_filter, heard=self._teller(name))
            for (table, event, row_filter), name in HINTS_FOR.items()
        ]
        return [*hints, canary]

    def _teller(self, name: str) -> Callable[[PostgresChangesPayload], None]:
        if name != "queue":
            return lambda _: self._hint(name, 0.0)

        def tell_when(change: PostgresChangesPayload) -> None:
            data = change["data"]
            self._hint(name, seconds_until_due(data.get("record") or {}, data["commit_timestamp"]))

        return tell_when

    def _hint_all(self) -> None:
        """Changes may have been missed: look at everything."""
        for name in HINTS:
            self._hint(name, 0.0)

    def _hear_canary(self, change: PostgresChangesPayload) -> None:
        if row := change["data"]["record"]:
            self._beat_heard = max(self._beat_heard, int(row["beat"]))
            self._canary_heard.set()
