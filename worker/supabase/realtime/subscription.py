"""One connection to Realtime from its first connect to its end. A broken one is replaced, never repaired.

The library's own reconnecting is off. It replays nothing of the gap, gives up after five tries, spins when a server
accepts connections and closes them, and comes back silently, so that nobody would poll for what was missed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from realtime import AsyncRealtimeClient, PostgresChangesPayload, RealtimeSubscribeStates
from realtime.types import RealtimePostgresChangesListenEvent
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

#: Seconds: for a subscription, for the answer to a ping, and between two pings. A connection whose other end is gone
#: is found within PING + PONG; the library's own keepalive takes 40.
SUBSCRIBE_SECONDS, PONG_SECONDS, PING_SECONDS = 10.0, 3.0, 5.0

#: Seconds for an orderly close.
CLOSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Which changes to listen to. event: INSERT, UPDATE or *; row_filter: such as ``status=eq.pending``."""

    table: str
    event: str
    heard: Callable[[PostgresChangesPayload], None]
    row_filter: str | None = None
    schema: str = "public"


class SubscriptionLost(Exception):  # noqa: N818 - a state of things, as LostLease is
    """The connection hears nothing any more, or might not. kind: a stable word for the log."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Subscription:
    """Calls each binding's ``heard``, between any two awaits; they must not block.

    listening: called when Realtime begins to listen to the database, and again after a gap of its own.
    joined: called when it has accepted the subscription, which is earlier.
    """

    def __init__(
        self,
        url: str,
        key: str,
        name: str,
        bindings: Sequence[Binding],
        *,
        listening: Callable[[], None],
        joined: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = AsyncRealtimeClient(f"{url}/realtime/v1", token=key, auto_reconnect=False, max_retries=1)
        self._listening = listening
        self._joined = joined
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._confirmed = asyncio.Event()
        self._channel = self._client.channel(name)
        for one in bindings:
            kind = RealtimePostgresChangesListenEvent(one.event)
            self._channel.on_postgres_changes(
                kind, one.heard, schema=one.schema, table=one.table, filter=one.row_filter
            )
        self._channel.on_system(self._confirm)

    async def open(self) -> None:
        """Return when Realtime says that it listens to the database. Raises SubscriptionLost."""
        try:
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                await self._channel.subscribe(self._state)
                await self.unless_lost(self._confirmed.wait())
        except TimeoutError:
            raise SubscriptionLost("not_subscribed") from None
        except SubscriptionLost:
            raise
        except Exception as error:
            raise SubscriptionLost(type(error).__name__) from None

    async def watch(self, seconds: float) -> None:
        """Return after that time if the connection lives. Raises SubscriptionLost as soon as it does not."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while (left := deadline - clock()) > 0:
            await self.unless_lost(asyncio.sleep(min(left, PING_SECONDS)))
            await self._ping()

    async def unless_lost(self, wanted: Awaitable[Any]) -> None:
        """Wait for this. Raises SubscriptionLost if the connection ends before."""
        task = asyncio.ensure_future(wanted)
        listener = self._listener
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

    async def close(self) -> None:
        """Close the connection, by force if the other end does not answer."""
        socket = self._socket
        with suppress(Exception):
            await asyncio.wait_for(self._client.close(), CLOSE_SECONDS)
        if socket:
            socket.transport.abort()

    async def _ping(self) -> None:
        socket = self._socket
        if socket is None:
            raise SubscriptionLost("closed")
        try:
            async with asyncio.timeout(PONG_SECONDS):
                await self.unless_lost(await socket.ping())
        except TimeoutError:
            raise SubscriptionLost("no_pong") from None
        except ConnectionClosed:
            raise SubscriptionLost("closed") from None

    @property
    def _socket(self) -> ClientConnection | None:
        # Private: the library has no ping of its own and can't be closed by force, and takes no socket of ours.
        return self._client._ws_connection

    @property
    def _listener(self) -> "asyncio.Task[None] | None":
        # Private: when this task dies of a mistake, is_connected stays true and the library tells nobody.
        return self._client._listen_task

    def _state(self, state: RealtimeSubscribeStates, _: Exception | None) -> None:
        if state is RealtimeSubscribeStates.SUBSCRIBED:
            self._joined()
        elif not self._ended.done():
            self._ended.set_result(state.value.lower())

    def _confirm(self, _: Any) -> None:
        self._listening()
        self._confirmed.set()
