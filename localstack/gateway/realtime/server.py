"""Realtime's routes: the WebSocket, and a switch that lets tests break it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from localstack.gateway.access import Access
from localstack.gateway.errors import api_error
from localstack.gateway.realtime.feed import Feed
from localstack.gateway.realtime.hub import Hub, Mode
from localstack.gateway.realtime.socket import Socket
from localstack.gateway.realtime.visibility import Visibility


class Realtime:
    def __init__(self, access: Access, admin_dsn: str, authenticator_dsn: str) -> None:
        self._access = access
        self._visibility = Visibility(authenticator_dsn)
        self._hub = Hub(self._visibility)
        self._feed = Feed(admin_dsn, wanted=self._hub.wanted, deliver=self._hub.deliver, resumed=self._hub.resumed)
        self._sockets: set[Socket] = set()
        self._turned_away = 0

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/realtime/v1/websocket", self.websocket),
            web.get("/localstack/realtime", self.show),
            web.post("/localstack/realtime", self.switch),
            web.post("/localstack/realtime/expire", self.expire),
        ]

    async def lifespan(self, _: web.Application) -> AsyncIterator[None]:
        reader = asyncio.create_task(self._feed.run())
        yield
        self._abort_all()
        reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reader
        await self._visibility.close()

    async def websocket(self, request: web.Request) -> web.StreamResponse:
        caller = self._access.caller(request)
        if self._hub.mode in (Mode.CUT, Mode.REFUSE):
            self._turned_away += 1
            raise api_error(503, message="Realtime is switched off.")
        if self._hub.mode is Mode.STORM:
            self._turned_away += 1
            websocket = web.WebSocketResponse()
            await websocket.prepare(request)
            await websocket.close()
            return websocket
        socket = Socket(request, self._access, self._hub, self._feed, self._access.key_of(caller))
        self._sockets.add(socket)
        try:
            return await socket.run()
        finally:
            self._sockets.discard(socket)

    async def show(self, request: web.Request) -> web.Response:
        """turned_away: how many connections were refused, or closed at once, since the gateway's start."""
        self._access.require_admin(request)
        return web.json_response(
            {
                "mode": self._hub.mode,
                "sockets": len(self._sockets),
                "turned_away": self._turned_away,
                "channels": sorted(channel.topic for channel in self._hub.channels),
            }
        )

    async def switch(self, request: web.Request) -> web.Response:
        self._access.require_admin(request)
        try:
            self._hub.mode = Mode((await request.json())["mode"])
        except (KeyError, TypeError, ValueError):
            raise api_error(400, message=f'Send {{"mode": …}}, one of {", ".join(Mode)}.') from None
        if self._hub.mode in (Mode.CUT, Mode.STORM):
            self._abort_all()
        elif self._hub.mode is Mode.ON:
            self._hub.confirm_late()
        return await self.show(request)

    async def expire(self, request: web.Request) -> web.Response:
        """End every channel as if its token had expired."""
        self._access.require_admin(request)
        for socket in list(self._sockets):
            socket.expire()
        return await self.show(request)

    def _abort_all(self) -> None:
        for socket in list(self._sockets):
            socket.abort()
