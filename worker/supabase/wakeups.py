"""Realtime as a hint: rows that changed set events, nothing more. What a hint misses, the poll finds.

The client dies quietly in several ways (five failed connects, an expired token, an exception in a callback, a
half-open socket), so it is watched and made anew with our own backoff; every new subscription counts as a hint.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import structlog
from realtime.types import RealtimePostgresChangesListenEvent
from supabase import AsyncClient, acreate_client

from worker.backoff import delay

log = structlog.get_logger()

#: What is listened to: (table, event, filter) → which of the wake-ups it is a hint for.
BINDINGS: Mapping[tuple[str, str, str | None], str] = {
    ("scheduled_whatsapp_messages", "INSERT", None): "queue",
    ("scheduled_whatsapp_messages", "UPDATE", "status=eq.pending"): "queue",
    ("whatsapp_sessions", "INSERT", None): "sessions",
    ("whatsapp_sessions", "UPDATE", None): "sessions",
    ("whatsapp_commands", "INSERT", None): "commands",
}

#: Seconds: how long a subscription may take, and how often the client's pulse is felt.
SUBSCRIBE_SECONDS, PULSE_SECONDS = 10.0, 1.0


class Wakeups:
    """Calls ``hint(name)`` for every change; name is queue, sessions or commands."""

    def __init__(self, url: str, key: str, hint: Callable[[str], None]) -> None:
        self._url = url
        self._key = key
        self._hint = hint
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self.live = False

    async def run(self) -> None:
        """Keep a subscription alive until cancelled."""
        failures = 0
        while True:
            subscribed = False
            try:
                subscribed = await self._one_client()
            except Exception as error:
                log.warning("realtime_lost", kind=type(error).__name__)
            self.live = False
            failures = 1 if subscribed else failures + 1
            await asyncio.sleep(delay(failures, self._rng, base=0.5, cap=30.0))

    async def _one_client(self) -> bool:
        """Subscribe and watch until the client is dead; whether it had ever been subscribed."""
        client = await acreate_client(self._url, self._key)
        try:
            ready = asyncio.Event()
            dead = asyncio.Event()
            channel = client.channel("herald-worker")
            for (table, event, row_filter), name in BINDINGS.items():
                channel.on_postgres_changes(
                    RealtimePostgresChangesListenEvent(event),
                    callback=self._teller(name),
                    schema="public",
                    table=table,
                    filter=row_filter,
                )

            def system(payload: Any) -> None:
                (ready if getattr(payload, "status", None) == "ok" else dead).set()

            channel.on_system(system)
            await channel.subscribe()
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                await ready.wait()
            self.live = True
            log.info("realtime_subscribed")
            for name in set(BINDINGS.values()):
                self._hint(name)  # events during the gap are never replayed
            await self._until_dead(client, dead)
            return True
        finally:
            with suppress(Exception):
                await asyncio.wait_for(client.realtime.close(), 2.0)

    def _teller(self, name: str) -> Callable[[Any], None]:
        return lambda _payload: self._hint(name)

    async def _until_dead(self, client: AsyncClient, dead: asyncio.Event) -> None:
        realtime = client.realtime
        while not dead.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(dead.wait(), PULSE_SECONDS)
            listener = realtime._listen_task
            channels = list(realtime.channels.values())
            if listener is None or listener.done() or not channels or not all(c.is_joined for c in channels):
                break
        log.warning("realtime_dead")
