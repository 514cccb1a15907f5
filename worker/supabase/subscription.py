"""One Realtime client from its first connect to its end. It is never mended: whoever made it makes another.

The library's own reconnecting is off. It replays nothing of the gap, gives up after five tries, spins when a server
takes connections and closes them, and comes back without a word, so that nobody would poll for what was missed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from realtime import AsyncRealtimeClient, PostgresChangesPayload, RealtimeSubscribeStates
from realtime.types import RealtimePostgresChangesListenEvent
from websockets.exceptions import ConnectionClosed

from worker.message import seconds_until_due

#: What is listened to: (table, event, filter) → which of the wake-ups it is a hint for.
BINDINGS: Mapping[tuple[str, str, str | None], str] = {
    ("scheduled_whatsapp_messages", "INSERT", None): "queue",
    ("scheduled_whatsapp_messages", "UPDATE", "status=eq.pending"): "queue",
    ("whatsapp_sessions", "INSERT", None): "sessions",
    ("whatsapp_sessions", "UPDATE", None): "sessions",
    ("whatsapp_commands", "INSERT", None): "commands",
}
HINTS = frozenset(BINDINGS.values())

#: Seconds that a subscription may take, that a pong and a canary may take, and between two pings. A connection whose
#: other end is gone is found within PING + PONG; the library's own keepalive takes 40.
SUBSCRIBE_SECONDS, PONG_SECONDS, CANARY_SECONDS, PING_SECONDS = 10.0, 3.0, 5.0, 5.0

#: Seconds for a close in order.
CLOSE_SECONDS = 2.0


class SubscriptionLost(Exception):  # noqa: N818 - a state of things, as LostLease is
    """This client hears nothing any more, or might not. kind: a stable word for the log."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Subscription:
    """Calls ``hint(name, after)`` for every change of BINDINGS, and for each name when changes may have been missed.

    after: seconds until there is something to do.  ``hint`` may be called between any two awaits and must not block.
    """

    def __init__(self, url: str, key: str, run: UUID, hint: Callable[[str, float], None]) -> None:
        self._hint = hint
        self._client = AsyncRealtimeClient(f"{url}/realtime/v1", token=key, auto_reconnect=False, max_retries=1)
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._confirmed = asyncio.Event()
        self._sung = asyncio.Event()
        self._heard = 0
        self._channel = self._client.channel("herald-worker")
        for (table, event, row_filter), name in BINDINGS.items():
            self._on(event, self._teller(name), "public", table, row_filter)
        self._on("*", self._hear_canary, "herald", "realtime_canaries", f"run_id=eq.{run}")
        self._channel.on_system(self._confirm)

    def _on(
        self, event: str, callback: Callable[[Any], None], schema: str, table: str, row_filter: str | None
    ) -> None:
        kind = RealtimePostgresChangesListenEvent(event)
        self._channel.on_postgres_changes(kind, callback, schema=schema, table=table, filter=row_filter)

    async def open(self) -> None:
        """Return when Realtime says that the database is being listened to. Raises SubscriptionLost."""
        try:
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                await self._channel.subscribe(self._state)
                await self._first(self._confirmed.wait())
        except TimeoutError:
            raise SubscriptionLost("not_subscribed") from None
        except SubscriptionLost:
            raise
        except Exception as error:
            raise SubscriptionLost(type(error).__name__) from None

    async def expect_canary(self, beat: int) -> None:
        """Return when the change to this beat has been heard. Raises SubscriptionLost."""
        try:
            async with asyncio.timeout(CANARY_SECONDS):
                while self._heard < beat:
                    self._sung.clear()
                    await self._first(self._sung.wait())
        except TimeoutError:
            raise SubscriptionLost("canary_missed") from None

    async def watch(self, seconds: float) -> None:
        """Return after that time if it lives. Raises SubscriptionLost as soon as it does not."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while (left := deadline - clock()) > 0:
            await self._first(asyncio.sleep(min(left, PING_SECONDS)))
            await self._ping()

    async def close(self) -> None:
        """Close the connection, by force if the other end does not answer."""
        socket = self._client._ws_connection
        tasks = (self._client._listen_task, self._client._heartbeat_task)
        with suppress(Exception):
            await asyncio.wait_for(self._client.close(), CLOSE_SECONDS)
        for task in filter(None, tasks):
            task.cancel()
        if socket:
            socket.transport.abort()

    async def _ping(self) -> None:
        socket = self._client._ws_connection
        if socket is None:
            raise SubscriptionLost("closed")
        try:
            async with asyncio.timeout(PONG_SECONDS):
                await self._first(await socket.ping())
        except TimeoutError:
            raise SubscriptionLost("no_pong") from None
        except ConnectionClosed:
            raise SubscriptionLost("closed") from None

    async def _first(self, wanted: Awaitable[Any]) -> None:
        """Wait for this, unless the client ends before. Raises SubscriptionLost."""
        task = asyncio.ensure_future(wanted)
        listener = self._client._listen_task
        try:
            ends = {self._ended, listener} if listener else {self._ended}
            await asyncio.wait({task, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.done():
                raise SubscriptionLost(self._ended.result())
            if listener and listener.done():
                failure = None if listener.cancelled() else listener.exception()
                raise SubscriptionLost(f"listener_{type(failure).__name__}" if failure else "closed")
            await task
        finally:
            task.cancel()

    def _teller(self, name: str) -> Callable[[PostgresChangesPayload], None]:
        if name != "queue":
            return lambda _: self._hint(name, 0.0)

        def tell_when(change: PostgresChangesPayload) -> None:
            data = change["data"]
            self._hint(name, seconds_until_due(data.get("record") or {}, data["commit_timestamp"]))

        return tell_when

    def _tell_all(self) -> None:
        for name in HINTS:
            self._hint(name, 0.0)

    def _state(self, state: RealtimeSubscribeStates, _: Exception | None) -> None:
        if state is RealtimeSubscribeStates.SUBSCRIBED:
            self._tell_all()
        elif not self._ended.done():
            self._ended.set_result(state.value.lower())

    def _confirm(self, _: Any) -> None:
        """Realtime listens to the database now, or again after a gap of its own."""
        self._tell_all()
        self._confirmed.set()

    def _hear_canary(self, change: PostgresChangesPayload) -> None:
        if row := change["data"]["record"]:
            self._heard = max(self._heard, int(row["beat"]))
            self._sung.set()
