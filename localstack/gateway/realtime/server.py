"""Realtime's routes: the WebSocket, and a switch that lets tests cut it."""

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
        self._mode = Mode.ON

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/realtime/v1/websocket", self.websocket),
            web.get("/localstack/realtime", self.show),
            web.post("/localstack/realtime", self.switch),
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
        if self._mode is not Mode.ON:
            raise api_error(503, message="Realtime is switched off.")
        socket = Socket(request, self._access, self._hub, self._feed, self._access.key_of(caller))
        self._sockets.add(socket)
        try:
            return await socket.run()
        finally:
            self._sockets.discard(socket)

    async def show(self, request: web.Request) -> web.Response:
        self._access.require_admin(request)
        return web.json_response(
            {
                "mode": self._mode,
                "sockets": len(self._sockets),
                "channels": sorted(channel.topic for channel in self._hub.channels),
            }
        )

    async def switch(self, request: web.Request) -> web.Response:
        self._access.require_admin(request)
        try:
            self._mode = Mode((await request.json())["mode"])
        except (KeyError, TypeError, ValueError):
            raise api_error(400, message='Send {"mode": "on"}, "cut" or "refuse".') from None
        if self._mode is Mode.CUT:
            self._abort_all()
        return await self.show(request)

    def _abort_all(self) -> None:
        for socket in list(self._sockets):
            socket.abort()
