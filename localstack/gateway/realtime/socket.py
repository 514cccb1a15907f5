"""One client's WebSocket: joining and leaving topics, tokens and their end."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import jwt
from aiohttp import WSMsgType, web

from localstack.gateway.access import Access
from localstack.gateway.realtime.bindings import Binding, FilterError
from localstack.gateway.realtime.feed import Feed
from localstack.gateway.realtime.hub import Channel, Hub
from localstack.gateway.realtime.visibility import Claims
from localstack.gateway.realtime.wire import Frame, decode, encode

BACKLOG = 10_000  #: frames kept for a client that does not read; one more cuts its socket
EXPIRED = "Token has expired 0 seconds ago"


class Socket:
    """Lives as long as the connection. `abort` cuts it without a goodbye."""

    def __init__(self, request: web.Request, access: Access, hub: Hub, feed: Feed, key: str) -> None:
        self._request = request
        self._access = access
        self._hub = hub
        self._feed = feed
        self._key = key  #: the API key it came with, which is its token until it sends one
        self._version = request.query.get("vsn", "1.0.0")
        self._outgoing: asyncio.Queue[Frame] = asyncio.Queue(BACKLOG)
        self._channels: dict[str, Channel] = {}
        self._join_refs: dict[str, str | None] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(max_msg_size=2**20)
        await websocket.prepare(self._request)
        self._spawn(self._write(websocket))
        try:
            async for message in websocket:
                if message.type is WSMsgType.TEXT:
                    try:
                        self._receive(decode(message.data, self._version))
                    except (ValueError, KeyError, TypeError, AttributeError):
                        await websocket.close(code=1003, message=b"not a Phoenix frame")
        finally:
            for topic in list(self._channels):
                self._drop(topic)
            for task in self._tasks:
                task.cancel()
        return websocket

    def abort(self) -> None:
        if self._request.transport:
            self._request.transport.abort()

    def expire(self) -> None:
        """End every channel as if its token had expired."""
        for channel in list(self._channels.values()):
            self._close(channel, EXPIRED)

    def _receive(self, frame: Frame) -> None:
        match frame.event:
            case "heartbeat":
                self._send(frame.reply("ok", {}))
            case "phx_join":
                self._join(frame)
            case "phx_leave":
                self._drop(frame.topic)
                self._send(frame.reply("ok", {}))
                self._send(Frame(topic=frame.topic, event="phx_close", payload={}, ref=frame.ref))
            case "access_token":
                self._take_token(frame)
            case _:  # broadcast and presence: accepted and dropped
                if frame.ref is not None:
                    self._send(frame.reply("ok", {}))

    def _join(self, frame: Frame) -> None:
        self._drop(frame.topic)
        try:
            claims = self._claims(frame.payload.get("access_token"))
        except jwt.InvalidTokenError as error:
            self._send(frame.reply("error", {"reason": f"InvalidJWTToken: {error}"}))
            return
        config = frame.payload.get("config") or {}
        asked = config.get("postgres_changes") or []
        self._join_refs[frame.topic] = frame.join_ref or frame.ref
        channel = Channel(
            topic=frame.topic,
            claims=Claims.of(claims),
            bindings=[],
            push=lambda event, payload: self._push(frame.topic, event, payload),
        )
        self._channels[frame.topic] = channel
        self._expire_at(channel, claims)
        try:
            channel.bindings = [Binding.parse(binding) for binding in asked]
        except FilterError as error:
            self._send(frame.reply("ok", {"postgres_changes": []}))
            channel.push_system("error", f"Unable to subscribe to changes with given parameters: {error}")
            return
        self._hub.channels.add(channel)
        echoed = [{**binding.asked, "id": binding.id} for binding in channel.bindings]
        self._send(frame.reply("ok", {"postgres_changes": echoed}))
        if channel.bindings:
            self._spawn(self._confirm(channel))

    async def _confirm(self, channel: Channel) -> None:
        await self._feed.live()
        self._hub.confirm(channel)

    def _take_token(self, frame: Frame) -> None:
        channel = self._channels.get(frame.topic)
        if channel is None:
            return
        try:
            claims = self._claims(frame.payload.get("access_token"))
        except jwt.InvalidTokenError as error:
            self._close(channel, f"InvalidJWTToken: {error}")
            return
        channel.claims = Claims.of(claims)
        self._expire_at(channel, claims)

    def _claims(self, token: str | None) -> dict[str, Any]:
        """Raises jwt.InvalidTokenError."""
        token = token or self._key
        if token.startswith("sb_"):
            claims = self._access.claims_of_key(token)
            if claims is None:
                raise jwt.InvalidTokenError("Invalid API key")
            return claims
        return self._access.claims(token)

    def _expire_at(self, channel: Channel, claims: Mapping[str, Any]) -> None:
        if timer := self._expiries.pop(channel.topic, None):
            timer.cancel()
        if "exp" in claims:
            self._expiries[channel.topic] = asyncio.get_running_loop().call_later(
                max(0.0, claims["exp"] - time.time()), self._close, channel, EXPIRED
            )

    def _close(self, channel: Channel, reason: str) -> None:
        channel.push_system("error", reason, extension="system")
        channel.push("phx_close", {})
        self._drop(channel.topic)

    def _drop(self, topic: str) -> None:
        if timer := self._expiries.pop(topic, None):
            timer.cancel()
        if channel := self._channels.pop(topic, None):
            self._hub.channels.discard(channel)

    def _push(self, topic: str, event: str, payload: dict[str, Any]) -> None:
        # phx_close must name the join that it ends; other events may go without.
        join_ref = self._join_refs.get(topic) if event == "phx_close" else None
        self._send(Frame(topic=topic, event=event, payload=payload, join_ref=join_ref))

    def _send(self, frame: Frame) -> None:
        try:
            self._outgoing.put_nowait(frame)
        except asyncio.QueueFull:
            self.abort()

    async def _write(self, websocket: web.WebSocketResponse) -> None:
        while not websocket.closed:
            frame = await self._outgoing.get()
            try:
                await websocket.send_str(encode(frame, self._version))
            except ConnectionError:
                return

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
