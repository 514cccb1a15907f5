"""What changes in one organisation's rows: the source of WS /api/events.

Realtime tells what any worker, the CRM and the database itself write, so one source serves the clients of every
worker. There is one connection for each organisation that somebody watches here, filtered by Realtime: the worker reads
nothing of organisations that nobody watches. Changes during a gap are never told; ``resumed`` says that there was one.
"""

import asyncio
import random
from collections.abc import Callable
from enum import Enum
from typing import Any
from uuid import UUID

import structlog
from realtime import PostgresChangesPayload

from worker.reconnect_delay import delay
from worker.supabase.realtime.subscription import PING_SECONDS, Binding, Subscription, SubscriptionLost
from worker.supabase.rows import CHAT_MESSAGES, QUEUE, SESSIONS

log = structlog.get_logger()

Row = dict[str, Any]

#: The longest pause before the next try, seconds.
LONGEST_PAUSE = 15.0


class Changed(Enum):
    """Which kind of row changed, and how."""

    ACCOUNT = (SESSIONS, "UPDATE")
    MESSAGE = (QUEUE, "UPDATE")
    CHAT_MESSAGE = (CHAT_MESSAGES, "INSERT")


class OrganizationFeed:
    """Calls ``changed(kind, row, at)`` in commit order; ``resumed()`` when the subscription has begun, or again."""

    def __init__(
        self,
        url: str,
        key: str,
        organization: UUID,
        changed: Callable[[Changed, Row, str], None],
        resumed: Callable[[], None],
    ) -> None:
        self._url = url
        self._key = key
        self._organization = organization
        self._changed = changed
        self._resumed = resumed
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret

    async def run(self) -> None:
        """Keep a subscription alive until cancelled."""
        failures = 0
        while True:
            began = asyncio.get_running_loop().time()
            await self._one_connection()
            lived = asyncio.get_running_loop().time() - began
            failures = 1 if lived > LONGEST_PAUSE else failures + 1
            await asyncio.sleep(delay(failures, self._rng, base=0.2, cap=LONGEST_PAUSE))

    async def _one_connection(self) -> None:
        theirs = f"organization_id=eq.{self._organization}"
        bindings = [
            Binding(table=kind.value[0], event=kind.value[1], row_filter=theirs, heard=self._teller(kind))
            for kind in Changed
        ]
        name = f"herald-events-{self._organization}"
        subscription = Subscription(self._url, self._key, name, bindings, listening=self._resumed)
        try:
            await subscription.open()
            while True:
                await subscription.watch(PING_SECONDS)
        except SubscriptionLost as lost:
            log.warning("feed_lost", organization_id=str(self._organization), kind=lost.kind)
        finally:
            await subscription.close()

    def _teller(self, kind: Changed) -> Callable[[PostgresChangesPayload], None]:
        def tell(change: PostgresChangesPayload) -> None:
            data = change["data"]
            row: Row = dict(data.get("record") or {})
            # Realtime has filtered; the border between tenants is worth a second look.
            if row.get("organization_id") == str(self._organization):
                self._changed(kind, row, data["commit_timestamp"])

        return tell
