"""What changes in one organisation's rows, as Realtime tells it: the source of WS /api/events.

Realtime, because it hears what any worker, the CRM and the database itself write, and so one source serves a client of
every worker. A socket an organisation that somebody watches, and none else: the filter is Realtime's, so that a worker
reads nothing of organisations that nobody watches on it. Changes during a gap are never told: ``resumed`` says so.
The protocol is Phoenix's, version 1.0.0, as the official clients speak it.
"""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any
from uuid import UUID

import aiohttp
import structlog

from worker.backoff import delay

log = structlog.get_logger()

Row = dict[str, Any]

#: What is heard: (event, table).
BINDINGS = (
    ("UPDATE", "whatsapp_sessions"),
    ("UPDATE", "scheduled_whatsapp_messages"),
    ("INSERT", "whatsapp_messages"),
)

#: Seconds: for connecting and subscribing, between WebSocket pings (a dead socket is found in half as much more), and
#: between Phoenix's own heartbeats, without which Realtime closes after 60.
SUBSCRIBE_SECONDS, PING_SECONDS, BEAT_SECONDS = 10.0, 10.0, 25.0

#: The longest pause before the next try, seconds.
LONGEST_PAUSE = 15.0


class _Lost(Exception):  # noqa: N818 - a state of things
    """Realtime refused or ended the subscription."""


class OrganizationFeed:
    """Calls ``changed(table, row, at)`` in commit order; ``resumed()`` when the subscription has begun, or again."""

    def __init__(
        self,
        url: str,
        key: str,
        organization: UUID,
        changed: Callable[[str, Row, str], None],
        resumed: Callable[[], None],
    ) -> None:
        self._url = f"{url}/realtime/v1/websocket"
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
            try:
                await self._one_socket()
            except (_Lost, aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
                # Its kind only: an error of the handshake holds the URL, and that the key.
                log.warning("feed_lost", organization_id=str(self._organization), kind=type(error).__name__)
            lived = asyncio.get_running_loop().time() - began
            failures = 1 if lived > LONGEST_PAUSE else failures + 1
            await asyncio.sleep(delay(failures, self._rng, base=0.2, cap=LONGEST_PAUSE))

    async def _one_socket(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=SUBSCRIBE_SECONDS)
        asked = {"apikey": self._key, "vsn": "1.0.0"}
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.ws_connect(self._url, params=asked, heartbeat=PING_SECONDS, max_msg_size=0) as socket,
        ):
            topic = f"realtime:herald-events-{self._organization}"
            await socket.send_json(self._join(topic))
            beats = asyncio.create_task(self._beat(socket))
            try:
                async with asyncio.timeout(SUBSCRIBE_SECONDS):
                    while not self._take(await socket.receive_json(), topic):
                        pass
                while True:
                    self._take(await socket.receive_json(), topic)
            finally:
                beats.cancel()

    def _join(self, topic: str) -> Row:
        only_theirs = f"organization_id=eq.{self._organization}"
        changes = [
            {"event": event, "schema": "public", "table": table, "filter": only_theirs} for event, table in BINDINGS
        ]
        config = {"postgres_changes": changes, "broadcast": {"self": False}, "presence": {"key": ""}}
        payload = {"config": {**config, "private": False}, "access_token": self._key}
        return {"topic": topic, "event": "phx_join", "payload": payload, "ref": "1", "join_ref": "1"}

    async def _beat(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        number = 1
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            number += 1
            beat = {"topic": "phoenix", "event": "heartbeat", "payload": {}, "ref": str(number)}
            await socket.send_str(json.dumps(beat))

    def _take(self, frame: Row, topic: str) -> bool:
        """React to a frame; True if it says that changes are told from now on. Raises _Lost."""
        if frame.get("topic") != topic:
            return False
        payload = frame["payload"]
        match frame["event"]:
            case "postgres_changes":
                data = payload["data"]
                row = data.get("record") or {}
                # Realtime has filtered; a tenant's border is worth a second look.
                if row.get("organization_id") == str(self._organization):
                    self._changed(data["table"], row, data["commit_timestamp"])
            case "system" if payload.get("status") == "ok":
                self._resumed()
                return True
            case "system" | "phx_reply" if payload.get("status") == "error":
                raise _Lost
            case "phx_close" | "phx_error":
                raise _Lost
        return False
